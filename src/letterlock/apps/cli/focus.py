"""`letterlock focus`: group chats at the carrier, in a terminal of its own."""

from __future__ import annotations

import argparse
import re
import ssl
from pathlib import Path

from ...carrier.settings import DEFAULT_DOMAIN
from ...crypto.pyca import Pyca
from ...errors import InputError
from ...rcc16.credentials.anchors import TrustAnchors
from ...services.database import shown
from ...services.focus import Focus, FocusLimits, MlsSettings, MsrpTls
from .serving import add_database, database, listening
from .serving import port as port_number
from .stopping import stop_signals
from .terminal import Terminal

__all__ = ["add_parsers"]

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")

LAB_FOCUS_PORT = 5070
LAB_SERVER_PORT = 5062


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    focus = commands.add_parser(
        "focus",
        help="run the conversation focus: group chats at the carrier",
        description="Run the conversation focus: the application server that holds RCS group chats, distributes their "
        "messages and keeps them for members who are away. The proxy sends it what is for conference-factory and conf-*; "
        "for the carrier of a lab: letterlock carrier --application-server "
        f"'conference-factory,conf-*@127.0.0.1:{LAB_FOCUS_PORT}'. Only the proxy may reach its SIP port.",
    )
    focus.add_argument("--host", default="127.0.0.1", help="address to listen on for SIP (default %(default)s)")
    focus.add_argument(
        "--port", type=port_number, default=LAB_FOCUS_PORT, help="default %(default)s; 0 takes a free one"
    )
    focus.add_argument(
        "--proxy", default=f"127.0.0.1:{LAB_SERVER_PORT}", metavar="HOST:PORT",
        help="the proxy's listener for application servers (default %(default)s)",
    )  # fmt: skip
    focus.add_argument("--domain", default=DEFAULT_DOMAIN, help="default %(default)s")
    add_database(focus, "focus.db in the data directory")
    focus.add_argument(
        "--msrp-host", default="127.0.0.1", metavar="HOST", help="address that phones bring messages to (%(default)s)"
    )
    focus.add_argument(
        "--msrp-port", type=port_number, default=0, metavar="PORT", help="default: a free one, another one each time"
    )
    focus.add_argument("--certificate", metavar="FILE", help="PEM chain for MSRP; needed beyond this machine")
    focus.add_argument("--key", metavar="FILE", help="PEM private key of the certificate")
    focus.add_argument(
        "--max-members", type=int, default=FocusLimits().max_members, metavar="N", help="default %(default)s"
    )
    focus.add_argument(
        "--mls-anchor", action="append", default=[], metavar="FILE",
        help="PEM certificates of authorities whose RCC.16 credentials may enter encrypted groups, several if need be; "
        "without any the focus orders no MLS groups",
    )  # fmt: skip
    focus.set_defaults(run=run_focus)


async def run_focus(arguments: argparse.Namespace, terminal: Terminal) -> int:
    if not 2 <= arguments.max_members <= 10_000:
        raise InputError("a conference has 2 to 10,000 members", code="input.max_members")
    kept = database(arguments, "focus.db")
    focus = Focus(
        kept,
        domain=arguments.domain,
        proxy=_address(arguments.proxy),
        host=arguments.host,
        port=arguments.port,
        msrp_host=arguments.msrp_host,
        msrp_port=arguments.msrp_port,
        msrp_tls=_tls(arguments),
        limits=FocusLimits(max_members=arguments.max_members),
        mls=_mls(arguments.mls_anchor),
    )
    await listening(focus.start(), arguments)
    try:
        with stop_signals() as stopped:
            uri = f"sip:{focus.host}:{focus.port};transport=tcp"
            factory = f"sip:conference-factory@{focus.domain}"
            terminal.data(
                {"focus": uri, "factory": factory, "msrp_port": focus.msrp_port, "database": shown(kept)},
                f"focus at {uri}, groups are made at {factory}, messages kept in {shown(kept)}",
            )
            await stopped.wait()
    finally:
        await focus.close()
    return 0


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InputError(f"not an address: {text!r}", code="input.proxy", hint="HOST:PORT")
    return host.strip("[]"), int(port)


def _tls(arguments: argparse.Namespace) -> MsrpTls | None:
    if bool(arguments.certificate) != bool(arguments.key):
        raise InputError(
            "a certificate and its key go together", code="input.tls", hint="give both --certificate and --key"
        )
    if not arguments.certificate:
        return None
    try:
        return MsrpTls.of_files(arguments.certificate, arguments.key)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise InputError(f"the certificate cannot be used: {error}", code="input.tls") from error


def _mls(files: list[str]) -> MlsSettings | None:
    ders: list[bytes] = []
    for name in files:
        try:
            text = Path(name).read_text(encoding="ascii")
            found = [ssl.PEM_cert_to_DER_cert(each) for each in _CERTIFICATE.findall(text)]
        except (OSError, ValueError) as error:
            raise InputError(f"no certificates in {name}: {error}", code="input.mls_anchor") from error
        if not found:
            raise InputError(f"no certificates in {name}", code="input.mls_anchor", hint="PEM is wanted")
        ders += found
    return MlsSettings(TrustAnchors(1, tuple(ders)), Pyca()) if ders else None
