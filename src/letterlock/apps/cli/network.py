"""`letterlock carrier` and `letterlock directory`: the network side for labs, each in a terminal of its own."""

from __future__ import annotations

import argparse
import os
import ssl
from datetime import UTC, datetime
from pathlib import Path

from ...carrier import Accounts, ApplicationServer, Carrier
from ...carrier.settings import DEFAULT_DOMAIN
from ...carrier.settings import Settings as CarrierSettings
from ...crypto.x509_pyca import make_lab_ca, make_lab_certificate
from ...services.credentials import operator_token
from ...services.directory import Directory, IssuedCode
from .account import LAB_DIRECTORY_PORT, LAB_PASSWORD, LAB_SIP_PORT
from .serving import add_database, database, listening, operator_secret, port, server_tls
from .stopping import stop_signals
from .terminal import Terminal

__all__ = ["add_parsers"]

LAB_SERVER_PORT = 5062


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    carrier = commands.add_parser(
        "carrier",
        help="run a SIP carrier for labs",
        description="Run a SIP registrar and proxy with store and forward, and if asked an MSRP relay, for labs and "
        "tests. It is no production server: what it stores is gone when it stops. Without --account, any number may "
        "register with one password.",
    )
    carrier.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    carrier.add_argument("--port", type=port, default=LAB_SIP_PORT, help="default %(default)s; 0 takes a free one")
    carrier.add_argument("--domain", default=DEFAULT_DOMAIN, help="default %(default)s")
    carrier.add_argument("--password", default=LAB_PASSWORD, help="the one password of the lab (default: %(default)s)")
    carrier.add_argument(
        "--account", action="append", default=[], metavar="NUMBER:PASSWORD", help="admit only these; may be repeated"
    )
    carrier.add_argument("--log", metavar="FILE", help="append every byte of every connection to FILE")
    carrier.add_argument(
        "--tls", metavar="DIR", help="speak TLS; makes a lab certificate in DIR (DIR/ca.pem for clients)"
    )
    carrier.add_argument(
        "--application-server",
        action="append",
        default=[],
        type=_application_server,
        metavar="USERS@HOST:PORT",
        help="requests for these users go to the server there; a name that ends in * stands for all that begin so, as "
        "in conference-factory,conf-*@127.0.0.1:5070; may be repeated",
    )
    carrier.add_argument(
        "--server-port",
        type=port,
        metavar="PORT",
        help="listen there, on 127.0.0.1, for what application servers send; without Digest, whoever connects is "
        f"trusted (default {LAB_SERVER_PORT} with --application-server, else closed)",
    )
    carrier.add_argument(
        "--msrp-port",
        type=port,
        metavar="PORT",
        help="run an MSRP relay there, with the accounts' passwords; 0 takes a free port (default: none)",
    )
    carrier.set_defaults(run=run_carrier)

    directory = commands.add_parser(
        "directory",
        help="run the directory: device lists and pre-keys",
        description="Run the directory service. Enrolment codes are printed here: the operator passes them to the "
        "owner of the number.",
    )
    directory.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    directory.add_argument(
        "--port", type=port, default=LAB_DIRECTORY_PORT, help="default %(default)s; 0 takes a free one"
    )
    add_database(directory, "directory.db in the data directory")
    directory.add_argument("--certificate", metavar="FILE", help="PEM chain; with --key, speak TLS")
    directory.add_argument("--key", metavar="FILE", help="PEM private key of the certificate")
    directory.add_argument(
        "--secret-file", metavar="FILE", help="shared with the provisioning server, which may then ask for codes"
    )
    directory.set_defaults(run=run_directory)


async def run_carrier(arguments: argparse.Namespace, terminal: Terminal) -> int:
    if arguments.account:
        pairs = [item.partition(":") for item in arguments.account]
        accounts = Accounts.of({name: password for name, _, password in pairs})
        who = f"{len(pairs)} accounts"
    else:
        accounts = Accounts.lab(arguments.password)
        who = f"any number, password '{arguments.password}'"
    tls = lab_tls(Path(arguments.tls), [arguments.host, arguments.domain, "localhost"]) if arguments.tls else None
    servers = tuple(arguments.application_server)
    server_port = LAB_SERVER_PORT if arguments.server_port is None and servers else arguments.server_port
    carrier = Carrier(
        arguments.host,
        arguments.port,
        accounts,
        tls=tls,
        wire_log=arguments.log,
        settings=CarrierSettings(domain=arguments.domain, application_servers=servers),
        server_port=server_port,
        msrp_port=arguments.msrp_port,
    )
    await listening(carrier.start(), arguments)
    scheme = "sips" if tls else "sip"
    uri = f"{scheme}:{carrier.host}:{carrier.port}"
    try:
        with stop_signals() as stopped:
            terminal.data(
                {"carrier": uri, "domain": carrier.domain, "log": arguments.log},
                f"carrier for labs at {uri}, domain {carrier.domain}; {who}",
            )
            if carrier.server_port is not None:
                terminal.data(
                    {"server_port": carrier.server_port},
                    f"application servers send to {carrier.server_host}:{carrier.server_port}",
                )
            if carrier.msrp_uri is not None:
                relay = carrier.msrp_uri.encode()
                terminal.data({"msrp_relay": relay}, f"MSRP relay at {relay}")
            if tls is None:
                terminal.say("no TLS: fit for loopback only")
            if arguments.tls:
                terminal.say(f"clients trust it with --carrier-ca {Path(arguments.tls) / 'ca.pem'}")
            await stopped.wait()
    finally:
        await carrier.close()
    return 0


async def run_directory(arguments: argparse.Namespace, terminal: Terminal) -> int:
    tls = server_tls(arguments)

    def on_code(issued: IssuedCode) -> None:
        until = datetime.fromtimestamp(issued.expires / 1000, UTC).strftime("%H:%M UTC")
        text = f"code for {issued.number}: {issued.code} (until {until})"
        if issued.replaces:
            text += "; this number has an account: using the code resets it and alerts its devices"
        terminal.data(
            {"number": issued.number, "code": issued.code, "expires": issued.expires, "replaces": issued.replaces}, text
        )

    operator = None
    if arguments.secret_file:
        operator = operator_token(operator_secret(Path(arguments.secret_file)), "directory")
    directory = Directory(
        database(arguments, "directory.db"),
        on_code=on_code,
        host=arguments.host,
        port=arguments.port,
        tls=tls,
        operator=operator,
    )
    await listening(directory.start(), arguments)
    try:
        with stop_signals() as stopped:
            terminal.data({"directory": directory.url}, f"directory at {directory.url}")
            await stopped.wait()
    finally:
        await directory.close()
    return 0


def lab_tls(folder: Path, names: list[str]) -> ssl.SSLContext:
    """A server context with a lab certificate, made in `folder` on first use; clients trust `ca.pem` there."""
    ca_file, certificate_file, key_file = (folder / name for name in ("ca.pem", "server.pem", "server.key"))
    if not certificate_file.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        now = int(datetime.now(UTC).timestamp() * 1000)
        ca = make_lab_ca(now)
        server = make_lab_certificate(ca, sorted(set(names)), now)
        ca_file.write_bytes(ca.certificate)
        with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(server.private_key)
        certificate_file.write_bytes(server.certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate_file, key_file)
    return context


def _application_server(text: str) -> ApplicationServer:
    users, at, address = text.rpartition("@")
    host, colon, at_port = address.rpartition(":")
    names = [name for name in users.split(",") if name]
    if not at or not colon or not host or not names or "*" in names:
        raise argparse.ArgumentTypeError("an application server is USER,PREFIX*,...@HOST:PORT")
    return ApplicationServer(
        host.strip("[]"),
        port(at_port),
        frozenset(name for name in names if not name.endswith("*")),
        tuple(name[:-1] for name in names if name.endswith("*")),
    )
