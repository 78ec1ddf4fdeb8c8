"""`letterlock gateway`: keeps registrations with the carrier for many accounts, in a terminal of its own."""

from __future__ import annotations

import argparse
import contextlib
import resource
from pathlib import Path

from ...carrier.settings import DEFAULT_DOMAIN
from ...codec.addresses import is_loopback
from ...codec.sip import Uri
from ...errors import DecodeError, InputError
from ...services.credentials import operator_token
from ...services.database import shown
from ...services.gateway import CarrierProfile, Gateway
from .account import LAB_CARRIER, LAB_GATEWAY_PORT
from .push import add_push_options, pushes_from
from .serving import (
    add_accounts,
    add_database,
    add_listening,
    database,
    listening,
    operator_secret,
    passwords,
    server_tls,
)
from .stopping import stop_signals
from .terminal import Terminal

__all__ = ["add_parsers"]


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    gateway = commands.add_parser(
        "gateway",
        help="keep registrations with the carrier for clients that come and go",
        description="Run the gateway: it registers accounts with the carrier, keeps what comes for them, and hands it on "
        "to clients that link with it. It has no key of the end-to-end encryption; it has the accounts' SIP passwords, "
        "sealed under the secret.",
    )
    add_listening(gateway, LAB_GATEWAY_PORT)
    add_database(gateway, "gateway.db in the data directory")
    add_accounts(gateway)
    gateway.add_argument("--carrier", default=LAB_CARRIER, metavar="URI", help="default %(default)s")
    gateway.add_argument("--carrier-ca", metavar="FILE", help="trust this authority for the carrier's certificate")
    gateway.add_argument("--domain", help="SIP domain, if it is not the carrier's host")
    gateway.add_argument("--msrp-relay", metavar="URI", help="the carrier's relay for sessions (default: none)")
    gateway.add_argument("--conference-factory", metavar="URI", help="where groups are made (default: none)")
    gateway.add_argument("--insecure-lab", action="store_true", help="permit plaintext SIP beyond this machine")
    gateway.add_argument(
        "--seal-file",
        metavar="FILE",
        help="the secret that SIP passwords are sealed under (default: gateway.secret in the data directory; made)",
    )
    add_push_options(gateway)
    gateway.set_defaults(run=run_gateway)


async def run_gateway(arguments: argparse.Namespace, terminal: Terminal) -> int:
    if not (arguments.account or arguments.secret_file or is_loopback(arguments.host)):
        raise InputError(
            "beyond this machine the gateway needs accounts",
            code="gateway.open",
            hint="give --secret-file, as the provisioning server has it, or --account",
        )
    _allow_sockets()
    tls = server_tls(arguments)
    kept = database(arguments, "gateway.db")
    # Before any file is made: a call that is wrong leaves nothing behind.
    carrier, accounts = _carrier(arguments), passwords(arguments, "gateway")
    arguments.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    secret = operator_secret(
        Path(arguments.seal_file) if arguments.seal_file else arguments.data_dir / "gateway.secret"
    )
    operator = None
    if arguments.secret_file:
        operator = operator_token(operator_secret(Path(arguments.secret_file)), "gateway")
    async with contextlib.AsyncExitStack() as running:
        pushes = await running.enter_async_context(pushes_from(arguments))
        gateway = Gateway(
            kept,
            carrier,
            accounts,
            secret,
            operator=operator,
            host=arguments.host,
            port=arguments.port,
            tls=tls,
            pushes=pushes,
        )
        await listening(gateway.start(), arguments)
        running.push_async_callback(gateway.close)
        with stop_signals() as stopped:
            terminal.data(
                {"gateway": gateway.url, "database": shown(kept)}, f"gateway at {gateway.url}, kept in {shown(kept)}"
            )
            if not (arguments.account or arguments.secret_file):
                terminal.say("any number is let in with the lab's password: fit for loopback only")
            await stopped.wait()
    return 0


def _carrier(arguments: argparse.Namespace) -> CarrierProfile:
    try:
        uri = Uri.parse(arguments.carrier)
    except DecodeError as error:
        raise InputError(
            f"not a SIP address: {arguments.carrier}",
            code="input.carrier",
            hint="for example sips:sip.example.net:5061",
        ) from error
    if uri.scheme not in ("sip", "sips"):
        raise InputError("the carrier is a sip: or sips: address", code="input.carrier")
    tls = uri.scheme == "sips" or (uri.params.get("transport") or "").lower() == "tls"
    return CarrierProfile(
        server=uri.host,
        port=uri.port or (5061 if tls else 5060),
        domain=arguments.domain or (DEFAULT_DOMAIN if is_loopback(uri.host) else uri.host),
        tls=tls,
        ca_file=str(Path(arguments.carrier_ca).expanduser().absolute()) if arguments.carrier_ca else None,
        insecure_lab=arguments.insecure_lab,
        msrp_relay=arguments.msrp_relay,
        conference_factory=arguments.conference_factory,
    )


def _allow_sockets() -> None:
    """Each account has a connection with the carrier, and each client one with us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
