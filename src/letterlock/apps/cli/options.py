"""Arguments that several verbs share, and what they mean: which profile, what unlocks it, which carrier."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import ipaddress
import os
import sys
from pathlib import Path
from typing import TypedDict

from ...carrier.settings import DEFAULT_DOMAIN
from ...client import Client, SipAccount
from ...codec.sip import Uri
from ...errors import DecodeError, InputError

__all__ = [
    "Unlock",
    "add_profile",
    "ask",
    "carrier_account",
    "interactive",
    "open_client",
    "profile_path",
    "unlock_arguments",
]


class Unlock(TypedDict):
    """What the client takes to open a profile; both None: it looks into the environment."""

    passphrase: str | None
    key_file: str | None


def add_profile(parser: argparse.ArgumentParser) -> None:
    """--profile, --key-file, --passphrase-file."""
    parser.add_argument(
        "--profile", default=os.environ.get("LETTERLOCK_PROFILE", "default"), help="name, or path of a folder"
    )
    parser.add_argument("--key-file", metavar="FILE", help="unlock with this key file (or LETTERLOCK_KEY_FILE)")
    parser.add_argument(
        "--passphrase-file", metavar="FILE", help="the passphrase is the first line of FILE (or LETTERLOCK_PASSPHRASE)"
    )


def profile_path(arguments: argparse.Namespace) -> Path:
    """A name means a folder under the data directory; anything with a slash is a path."""
    profile: str = arguments.profile
    if "/" in profile:
        return Path(profile).expanduser()
    if not profile or profile.startswith(".") or "\0" in profile:
        raise InputError(f"not a profile name: {profile!r}", code="input.profile")
    return Path(arguments.data_dir) / "profiles" / profile


async def unlock_arguments(arguments: argparse.Namespace, *, new: bool = False) -> Unlock:
    """`passphrase=` or `key_file=` for the client; asks at the terminal when nothing was given."""
    if arguments.key_file and arguments.passphrase_file:
        raise InputError("a key file and a passphrase are two ways; give one", code="input.unlock")
    if arguments.key_file:
        return Unlock(passphrase=None, key_file=str(Path(arguments.key_file).expanduser()))
    if arguments.passphrase_file:
        try:
            text = await asyncio.to_thread(Path(arguments.passphrase_file).expanduser().read_text, encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"the passphrase file cannot be read: {error}", code="input.passphrase_file") from error
        lines = text.splitlines()
        if not lines or not lines[0]:
            raise InputError("the passphrase file is empty", code="input.passphrase_file")
        return Unlock(passphrase=lines[0], key_file=None)
    if os.environ.get("LETTERLOCK_PASSPHRASE") or os.environ.get("LETTERLOCK_KEY_FILE"):
        return _FROM_ENVIRONMENT
    if not interactive():
        raise InputError(
            "nothing to unlock the profile with, and no terminal to ask at",
            code="input.unlock",
            hint="give --passphrase-file or --key-file, or set LETTERLOCK_PASSPHRASE",
        )
    passphrase = await asyncio.to_thread(getpass.getpass, "passphrase: ")
    if not passphrase:
        raise InputError("an empty passphrase protects nothing", code="input.passphrase")
    if new and passphrase != await asyncio.to_thread(getpass.getpass, "once more: "):
        raise InputError("the two are not the same", code="input.passphrase")
    return Unlock(passphrase=passphrase, key_file=None)


async def open_client(arguments: argparse.Namespace, *, use_old_copy: bool = False) -> Client:
    """The profile as a client, not yet entered. Nothing is asked for when another process has it open."""
    path: Path = profile_path(arguments)
    if not (path / "key.json").exists():
        raise InputError(
            f"there is no profile '{arguments.profile}'",
            code="input.no_profile",
            hint="make one: letterlock setup +15550100; or look first: letterlock demo",
        )
    owner_is_there = (path / "owner.sock").exists()
    given = arguments.key_file or arguments.passphrase_file
    unlock = (
        _FROM_ENVIRONMENT if owner_is_there and not given and not interactive() else await unlock_arguments(arguments)
    )
    return Client.open(path, use_old_copy=use_old_copy, **unlock)


def carrier_account(arguments: argparse.Namespace, number: str) -> SipAccount:
    """The SIP account that --carrier and its companions describe. TLS unless the server is on this machine."""
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
    local = uri.host == "localhost" or _is_loopback(uri.host)
    if not tls and not local and not arguments.insecure_lab:
        # SR-19: said here, before anything connects.
        raise InputError(
            "plaintext SIP beyond this machine",
            code="input.plaintext_sip",
            hint="write sips:, or --insecure-lab if this is a lab and you mean it",
        )
    return SipAccount(
        server=uri.host,
        port=uri.port or (5061 if tls else 5060),
        domain=arguments.domain or (DEFAULT_DOMAIN if local else uri.host),
        username=arguments.sip_user or number,
        password=arguments.sip_password,
        tls=tls,
        ca_file=str(Path(arguments.carrier_ca).expanduser().absolute()) if arguments.carrier_ca else None,
        insecure_lab=arguments.insecure_lab,
    )


def interactive() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


async def ask(question: str) -> str:
    """Ask at the terminal, on stderr, so that stdout stays data."""
    print(question, end="", file=sys.stderr, flush=True)
    line: str = await asyncio.to_thread(sys.stdin.readline)
    if not line:
        raise InputError("no answer", code="input.no_answer")
    return line.strip()


_FROM_ENVIRONMENT = Unlock(passphrase=None, key_file=None)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
