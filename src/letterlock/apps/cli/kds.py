"""`letterlock kds ...`: the key distribution server of RCC.16: init, run, peer."""

from __future__ import annotations

import argparse
import os
import ssl
import time
from pathlib import Path

from ...errors import InputError
from ...services.database import shown
from ...services.kds import KeyDistributionServer, Peer, Routing, describe, read_peer
from ...services.kds.folder import OUR_VENDOR, make_folder, open_folder
from .account import LAB_KDS_PORT
from .serving import add_database, add_listening, database, listening, server_tls
from .stopping import stop_signals
from .terminal import Terminal

__all__ = ["add_parsers"]

_PASSPHRASE = "LETTERLOCK_KDS_PASSPHRASE"  # noqa: S105 - the name of a variable


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    kds = commands.add_parser(
        "kds",
        help="the key distribution server of RCC.16: certificates and key packages",
        description="The key distribution server of RCC.16: it certifies the keys of devices, keeps their key packages, "
        "and hands each out once. Make its keys with init, then run it.",
    )
    verbs = kds.add_subparsers(metavar="VERB", required=True, dest="kds_verb")

    init = verbs.add_parser("init", help="make its keys and its certificate authority")
    _add_folder(init)
    init.add_argument("--number", type=int, default=2, metavar="N", help="what clients have as mls-kds (%(default)s)")
    init.add_argument("--name", default="Letterlock", help="what the authorities are called (default: %(default)s)")
    init.add_argument(
        "--vendor", type=int, default=OUR_VENDOR, metavar="N", help="number of the vendor in the root (%(default)s)"
    )
    init.add_argument("--unprotected-keys", action="store_true", help="write the keys without a passphrase")
    init.set_defaults(run=run_init)

    run = verbs.add_parser("run", help="run it")
    _add_folder(run)
    add_listening(run, LAB_KDS_PORT)
    add_database(run, "kds.db in the data directory")
    run.add_argument("--public-url", default="", metavar="URL", help="what clients are told, if there is a proxy")
    run.add_argument(
        "--peer", action="append", default=[], metavar="FILE", help="another server, as its operator described it"
    )
    run.add_argument(
        "--route",
        action="append",
        default=[],
        metavar="PREFIX:N",
        help="numbers that begin so are at home at server N; the longest prefix decides; may be repeated",
    )
    run.add_argument("--peer-ca", metavar="FILE", help="PEM of the authority that certified other servers' TLS")
    run.add_argument(
        "--revoke",
        action="append",
        default=[],
        metavar="SERIAL",
        help="in hexadecimal: no path over this certificate holds any more; may be repeated",
    )
    run.set_defaults(run=run_server)

    peer = verbs.add_parser("peer", help="print what the operator of another server needs to trust this one")
    _add_folder(peer)
    peer.add_argument("--url", required=True, help="where that server finds this one")
    peer.set_defaults(run=run_peer)


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", metavar="DIR", help="keys and certificates (default: kds in the data directory)")
    parser.add_argument(
        "--passphrase-file", metavar="FILE", help=f"the passphrase is the first line of FILE (or {_PASSPHRASE})"
    )


async def run_init(arguments: argparse.Namespace, terminal: Terminal) -> int:
    folder, passphrase = _folder(arguments), _passphrase(arguments)
    if passphrase is None and not arguments.unprotected_keys:
        # SR-11: in the clear only for whoever says so.
        raise InputError(
            "the keys need a passphrase",
            code="input.passphrase",
            hint=f"give --passphrase-file or set {_PASSPHRASE}; --unprotected-keys writes them in the clear",
        )
    if passphrase is not None and arguments.unprotected_keys:
        raise InputError("a passphrase and --unprotected-keys: which was meant?", code="input.passphrase")
    make_folder(
        folder,
        kds=arguments.number,
        vendor=arguments.vendor,
        name=arguments.name,
        passphrase=passphrase,
        now=time.time_ns() // 1_000_000,
        rng=os.urandom,
    )
    terminal.data(
        {"folder": str(folder), "kds": arguments.number}, f"key distribution server {arguments.number} in {folder}"
    )
    terminal.say("move root.key to a safe place, and acs.key to the provisioning server (--acs-key)")
    return 0


async def run_server(arguments: argparse.Namespace, terminal: Terminal) -> int:
    folder = open_folder(_folder(arguments), _passphrase(arguments))
    kept = database(arguments, "kds.db")
    server = KeyDistributionServer(
        kept,
        folder.authority,
        anchors_signer=folder.anchors,
        federation=folder.federation,
        routing=_routing(folder.authority.kds, arguments),
        revoked=[_serial(text) for text in arguments.revoke],
        host=arguments.host,
        port=arguments.port,
        tls=server_tls(arguments),
        public_url=arguments.public_url,
        peer_tls=_peer_tls(arguments),
    )
    await listening(server.start(), arguments)
    try:
        with stop_signals() as stopped:
            terminal.data(
                {
                    "kds": server.url,
                    "number": server.kds,
                    "database": shown(kept),
                    "trust_anchors": server.anchors_uri,
                    "generation": server.anchors.generation,
                },
                f"key distribution server {server.kds} at {server.url}, trust anchors at {server.anchors_uri}, "
                f"kept in {shown(kept)}",
            )
            await stopped.wait()
    finally:
        await server.close()
    return 0


async def run_peer(arguments: argparse.Namespace, terminal: Terminal) -> int:
    folder = open_folder(_folder(arguments), _passphrase(arguments))
    authority = folder.authority
    described = describe(authority.kds, arguments.url, folder.federation.spki, [authority.root])
    read_peer(described)  # an address that nobody takes is ours to refuse
    print(described.decode(), end="")
    return 0


def _folder(arguments: argparse.Namespace) -> Path:
    return Path(arguments.folder) if arguments.folder else Path(arguments.data_dir) / "kds"


def _passphrase(arguments: argparse.Namespace) -> bytes | None:
    if not arguments.passphrase_file:
        return os.environ.get(_PASSPHRASE, "").encode() or None
    lines = _content(arguments.passphrase_file, "passphrase").splitlines()
    if not lines or not lines[0]:
        raise InputError("the passphrase file is empty", code="input.passphrase")
    return lines[0]


def _routing(me: int, arguments: argparse.Namespace) -> Routing:
    peers: list[Peer] = [read_peer(_content(name, "kds_peer")) for name in arguments.peer]
    routes = []
    for text in arguments.route:
        prefix, _, kds = text.rpartition(":")
        if not kds.isascii() or not kds.isdecimal() or len(kds) > 10:
            raise InputError(f"not a route: {text[:40]!r}", code="input.kds_route", hint="for example +4930:7")
        routes.append((prefix, int(kds)))
    return Routing(me, peers, routes)


def _serial(text: str) -> int:
    try:
        return int(text.replace(":", ""), 16)
    except ValueError as error:
        raise InputError(f"not a serial number: {text[:50]!r}", code="input.kds_revoke") from error


def _peer_tls(arguments: argparse.Namespace) -> ssl.SSLContext | None:
    if not arguments.peer_ca:
        return None
    try:
        return ssl.create_default_context(cafile=arguments.peer_ca)
    except (OSError, ssl.SSLError) as error:
        raise InputError(f"the authority cannot be used: {error}", code="input.tls") from error


def _content(name: str, what: str) -> bytes:
    try:
        with Path(name).expanduser().open("rb") as file:
            return file.read(1 << 20)
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}", code=f"input.{what}") from error
