"""`letterlock provisioning`, the server that configures phones, and `letterlock setup --provisioning`, its use."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ...carrier.settings import DEFAULT_DOMAIN
from ...client import Client
from ...codec.sip import Uri
from ...errors import DecodeError, InputError, ProvisioningError
from ...ids import Number, number
from .account import LAB_CARRIER, LAB_DIRECTORY, LAB_PASSWORD, LAB_PROVISIONING_PORT
from .asking import ask, interactive
from .options import Unlock, protocols
from .serving import add_database, add_listening, database, listening, operator_secret, server_tls
from .stopping import stop_signals
from .terminal import Terminal

if TYPE_CHECKING:
    from ...services.provisioning import AccountState, EncryptionOffer

__all__ = ["add_parsers", "set_up"]

_PASSPHRASE = "LETTERLOCK_ACS_PASSPHRASE"  # noqa: S105 - the name of a variable


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    provisioning = commands.add_parser(
        "provisioning",
        help="run the provisioning server: phones configured by number and code",
        description="Run the provisioning server (RCC.14). Codes are printed here: the operator passes them to the owner "
        "of the number. Start the directory and the content server with the same --secret-file.",
    )
    add_listening(provisioning, LAB_PROVISIONING_PORT)
    provisioning.add_argument("--secret-file", metavar="FILE", required=True, help="shared by the operator's services")
    add_database(provisioning, "provisioning.db in the data directory")
    provisioning.add_argument("--carrier", default=LAB_CARRIER, metavar="URI", help="default %(default)s")
    provisioning.add_argument("--domain", help="SIP domain, if it is not the carrier's host")
    provisioning.add_argument(
        "--account",
        action="append",
        default=[],
        metavar="NUMBER:PASSWORD",
        help="a subscriber and its SIP password; may be repeated",
    )
    provisioning.add_argument(
        "--password", default=LAB_PASSWORD, help="without --account: of any number, for labs (default: %(default)s)"
    )
    provisioning.add_argument("--directory", default=LAB_DIRECTORY, metavar="URL", help="default %(default)s")
    provisioning.add_argument("--content", default="", metavar="URL", help="content server, if there is one")
    provisioning.add_argument("--gateway", default="", metavar="URL", help="gateway for clients, if there is one")
    provisioning.add_argument("--msrp-relay", default="", metavar="URI", help="MSRP relay, if there is one")
    provisioning.add_argument("--conference-factory", default="", metavar="URI", help="for groups, if there is one")
    provisioning.add_argument("--max-group", type=int, default=100, metavar="N", help="members (default %(default)s)")
    encryption = provisioning.add_argument_group("RCC.16", "for clients that show their participant key")
    encryption.add_argument("--kds", default="", metavar="URL", help="key distribution server, if there is one")
    encryption.add_argument("--kds-number", type=int, default=2, metavar="N", help="its number (default %(default)s)")
    encryption.add_argument("--acs-key", metavar="FILE", help="acs.key of letterlock kds init")
    encryption.add_argument(
        "--acs-passphrase-file", metavar="FILE", help=f"its passphrase is the first line (or {_PASSPHRASE})"
    )
    encryption.add_argument("--trust-anchors", default="", metavar="URL", help="as letterlock kds run prints it")
    encryption.add_argument("--anchors-generation", type=int, default=1, metavar="N", help="default %(default)s")
    encryption.add_argument("--anchors-signer", metavar="FILE", help="anchors.pub of letterlock kds init")
    provisioning.add_argument(
        "--offer-version", type=int, default=1, metavar="N", help="raise it when anything here changes"
    )
    provisioning.add_argument(
        "--validity-hours", type=int, default=24, metavar="N", help="until phones ask again (default %(default)s)"
    )
    provisioning.add_argument(
        "--state",
        action="append",
        default=[],
        metavar="NUMBER:STATE",
        help="active, reset, dormant or disabled, from now on; may be repeated",
    )
    provisioning.set_defaults(run=run_provisioning)


async def run_provisioning(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from ...services.credentials import derived_passwords, operator_token
    from ...services.provisioning import DirectoryClaims, IssuedCode, Offer, ProvisioningServer

    secret = operator_secret(Path(arguments.secret_file))
    host, port, tls, domain = _carrier(arguments)
    if not 1 <= arguments.offer_version < 1 << 31 or not 1 <= arguments.validity_hours <= 24 * 366:
        raise InputError("a version is at least 1, a validity an hour to a year", code="input.provisioning")
    offer = Offer(
        version=arguments.offer_version,
        validity_s=arguments.validity_hours * 3600,
        sip_host=host,
        sip_port=port,
        sip_tls=tls,
        domain=domain,
        directory_url=arguments.directory,
        sip_password=_sip_passwords(arguments),
        content_password=derived_passwords(secret, "content"),
        content_url=arguments.content,
        msrp_relay=arguments.msrp_relay,
        gateway_url=arguments.gateway,
        gateway_password=derived_passwords(secret, "gateway"),
        conference_factory=arguments.conference_factory,
        max_group=arguments.max_group,
        encryption=_encryption(arguments),
    )
    states = [_state(text) for text in arguments.state]

    def on_code(issued: IssuedCode) -> None:
        until = datetime.fromtimestamp(issued.expires / 1000, UTC).strftime("%H:%M UTC")
        text = f"code for {issued.number}: {issued.code} (until {until})"
        if issued.replaces:
            text += "; this number is set up with another key: using the code replaces it"
        terminal.data(
            {"number": issued.number, "code": issued.code, "expires": issued.expires, "replaces": issued.replaces}, text
        )

    claims = DirectoryClaims(arguments.directory, operator_token(secret, "directory"))
    server = ProvisioningServer(
        database(arguments, "provisioning.db"),
        offer,
        claims=claims,
        on_code=on_code,
        host=arguments.host,
        port=arguments.port,
        tls=server_tls(arguments),
    )
    try:
        await listening(server.start(), arguments)
        try:
            for subscriber, state in states:
                await server.set_state(subscriber, state)
            with stop_signals() as stopped:
                terminal.data({"provisioning": server.url}, f"provisioning server at {server.url}")
                await stopped.wait()
        finally:
            await server.close()
    finally:
        await claims.close()
    return 0


async def set_up(arguments: argparse.Namespace, terminal: Terminal, path: Path, unlock: Unlock) -> None:
    """The part of `setup` that asks the operator for everything."""
    asking = interactive() and not terminal.json
    ca = str(Path(arguments.provisioning_ca).expanduser().absolute()) if arguments.provisioning_ca else None

    async def code() -> str:
        terminal.say(f"asked the operator of {arguments.number} for a code; it goes to the owner of the number")
        return await ask(f"code for {arguments.number}: " if asking else "")

    given: str | None = arguments.code
    while True:
        try:
            await Client.provision(
                path,
                arguments.number,
                url=arguments.provisioning,
                code=given or code,
                name=arguments.name,
                ca=ca,
                protocols=protocols(arguments),
                **unlock,
            )
            return
        except (ProvisioningError, InputError) as error:
            if error.code not in ("provisioning.code", "input.code") or not asking:
                raise
            terminal.error(error)  # a slip of the finger: the code still stands
            given = await ask(f"code for {arguments.number} (empty: give up): ")
            if not given:
                raise


def _carrier(arguments: argparse.Namespace) -> tuple[str, int, bool, str]:
    try:
        uri = Uri.parse(arguments.carrier)
    except DecodeError as error:
        raise InputError(f"not a SIP address: {arguments.carrier}", code="input.carrier") from error
    if uri.scheme not in ("sip", "sips"):
        raise InputError("the carrier is a sip: or sips: address", code="input.carrier")
    tls = uri.scheme == "sips" or (uri.params.get("transport") or "").lower() == "tls"
    local = uri.host in ("localhost", "127.0.0.1")
    return uri.host, uri.port or 0, tls, arguments.domain or (DEFAULT_DOMAIN if local else uri.host)


def _sip_passwords(arguments: argparse.Namespace) -> Callable[[str], str | None]:
    if arguments.account:
        pairs = [item.partition(":") for item in arguments.account]
        return {str(number(name)): password for name, _, password in pairs}.get
    given: str = arguments.password
    return lambda name: given


def _encryption(arguments: argparse.Namespace) -> EncryptionOffer | None:
    from ...crypto.key_files_pyca import read_public_key
    from ...services.provisioning import EncryptionOffer
    from ...services.signer import key_from_file

    given = (arguments.kds, arguments.acs_key, arguments.trust_anchors, arguments.anchors_signer)
    if not any(given):
        return None
    if not all(given):
        raise InputError(
            "RCC.16 needs all of --kds, --acs-key, --trust-anchors and --anchors-signer", code="input.provisioning"
        )
    passphrase = os.environ.get(_PASSPHRASE, "").encode()
    try:
        if arguments.acs_passphrase_file:
            passphrase = Path(arguments.acs_passphrase_file).read_bytes().partition(b"\n")[0].strip()
        signer = read_public_key(Path(arguments.anchors_signer).read_bytes())
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}", code="input.provisioning") from error
    return EncryptionOffer(
        arguments.kds,
        arguments.kds_number,
        arguments.trust_anchors,
        arguments.anchors_generation,
        signer,
        key_from_file(Path(arguments.acs_key), passphrase or None),
    )


def _state(text: str) -> tuple[Number, AccountState]:
    from ...services.provisioning import AccountState

    name, _, state = text.partition(":")
    if state.upper() not in AccountState.__members__:
        raise InputError(
            f"no such state: {state[:20]!r}", code="input.provisioning", hint="for example +15550100:dormant"
        )
    return number(name), AccountState[state.upper()]
