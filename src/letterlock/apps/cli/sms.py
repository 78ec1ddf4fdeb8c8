"""The account for SMS: what `setup --smsc` takes, and `letterlock sms`, which changes it later."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...client import Client, SmsAccount, SmsInfo
from ...codec.addresses import is_loopback
from ...errors import InputError
from ...transport.sms.config import LongMessages
from .asking import ask_passphrase, interactive
from .options import add_profile, open_client, profile_path, unlock_arguments
from .terminal import Terminal

__all__ = ["add_parsers", "add_smsc", "sms_account"]

_PORTS = {"smpp": 2775, "smpps": 3550}
_EXAMPLE = "letterlock sms --smsc smpps://user@smsc.example.net"


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    sms = commands.add_parser(
        "sms",
        help="the account that SMS are sent and received with",
        description="Show the account, give the profile one at an SMSC, or take it away. With one, SMS is offered where a message "
        "cannot be encrypted; nothing is ever sent by SMS unless you choose it for that chat. The carrier, and every "
        "SMSC on the way, can read such messages. To change it, the profile must not be open.",
    )
    add_smsc(sms)
    sms.add_argument("--off", action="store_true", help="no SMS from now on")
    sms.add_argument("--insecure-lab", action="store_true", help="permit plaintext SMPP beyond this machine")
    add_profile(sms)
    sms.set_defaults(run=run_sms)


def add_smsc(parser: argparse.ArgumentParser) -> None:
    """The options that describe an account."""
    parser.add_argument(
        "--smsc",
        default=os.environ.get("LETTERLOCK_SMSC") or None,
        metavar="URL",
        help="smpps://USER@HOST, or smpp: on this machine; makes SMS an option (default: none)",
    )
    parser.add_argument(
        "--sms-password", metavar="PASSWORD",
        help="better in LETTERLOCK_SMS_PASSWORD, where other users do not see it (default: asked for)",
    )  # fmt: skip
    parser.add_argument("--sms-ca", metavar="FILE", help="trust this authority for the SMSC's certificate")
    parser.add_argument(
        "--sms-long",
        choices=[each.value for each in LongMessages],
        default=LongMessages.WIDE.value,
        help="how the SMSC wants texts that need several SMS (default: %(default)s)",
    )


def sms_account(arguments: argparse.Namespace) -> SmsAccount | None:
    """The account that --smsc and its companions describe; asks for a password that was not given."""
    if not arguments.smsc:
        return None
    try:
        url = urlsplit(arguments.smsc)
        host, port, user = url.hostname or "", url.port, url.username or ""
    except ValueError:
        host, port, user = "", None, ""
        url = urlsplit("")
    if url.scheme not in _PORTS or not host or not user or url.path.strip("/"):
        raise InputError(
            f"not the address of an SMSC: {arguments.smsc[:80]}",
            code="input.smsc",
            hint="for example smpps://user@smsc.example.net:3550",
        )
    if url.password is not None:
        raise InputError(
            "a password in the address can be seen by others on this machine",
            code="input.smsc",
            hint="set LETTERLOCK_SMS_PASSWORD, or leave it out to be asked",
        )
    tls = url.scheme == "smpps"
    if not tls and not is_loopback(host) and not arguments.insecure_lab:
        # SR-19: said here, before anything connects.
        raise InputError(
            "plaintext SMPP beyond this machine",
            code="input.plaintext_smpp",
            hint="write smpps:, or --insecure-lab if this is a lab and you mean it",
        )
    return SmsAccount(
        host=host,
        port=port or _PORTS[url.scheme],
        username=user,
        password=_password(arguments, user),
        tls=tls,
        ca_file=str(Path(arguments.sms_ca).expanduser().absolute()) if arguments.sms_ca else None,
        insecure_lab=arguments.insecure_lab,
        long_messages=arguments.sms_long,
    )


async def run_sms(arguments: argparse.Namespace, terminal: Terminal) -> int:
    named = arguments.smsc != (os.environ.get("LETTERLOCK_SMSC") or None)
    if arguments.off and named:
        raise InputError("name an SMSC, or say --off", code="input.smsc", hint=_EXAMPLE)
    if not (arguments.off or arguments.smsc):
        return await _show(arguments, terminal)
    account = None if arguments.off else sms_account(arguments)
    await Client.set_sms(profile_path(arguments), account, **unlock_arguments(arguments))
    if account is None:
        terminal.data({"sms": None}, "no SMS from now on")
        return 0
    where = f"{account.host}:{account.port}"
    terminal.data(
        _record(account),
        f"SMS go by {where}, where you choose so; the carrier, and every SMSC on the way, can read them",
    )
    terminal.say(f"try whether it works: letterlock doctor --profile {arguments.profile}")
    return 0


async def _show(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with open_client(arguments) as me:
        account = await me.sms()
    if account is None:
        terminal.data({"sms": None}, f"no account for SMS; to set one: {_EXAMPLE}")
        return 0
    tls = "with TLS" if account.tls else "without TLS"
    terminal.data(_record(account), f"SMS go by {account.host}:{account.port} as {account.username}, {tls}")
    return 0


def _record(account: SmsAccount | SmsInfo) -> dict[str, Any]:
    """All but the password."""
    return {"sms": {"host": account.host, "port": account.port, "user": account.username, "tls": account.tls}}


def _password(arguments: argparse.Namespace, user: str) -> str:
    given: str | None = arguments.sms_password or os.environ.get("LETTERLOCK_SMS_PASSWORD")
    if given is not None:
        return given
    if not interactive():
        raise InputError(
            "no password for the SMSC, and no terminal to ask at", code="input.smsc", hint="set LETTERLOCK_SMS_PASSWORD"
        )
    return ask_passphrase(f"password of {user} at the SMSC: ")
