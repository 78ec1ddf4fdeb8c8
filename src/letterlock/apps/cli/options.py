"""Arguments that several verbs share, and what they mean: which profile, and what unlocks it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TypedDict

from ...client import Client, Environment
from ...client.profile import ProfilePaths
from ...errors import InputError, StoreLocked
from ...store import ProfileLock
from .asking import ask_passphrase, interactive
from .places import DEFAULT_PROFILE, profile_folder

__all__ = [
    "DEFAULT_PROFILE",
    "Unlock",
    "add_profile",
    "is_open_elsewhere",
    "open_client",
    "profile_path",
    "protocols",
    "unlock_arguments",
]


class Unlock(TypedDict):
    """What the client takes to open a profile; both None: it looks into the environment."""

    passphrase: str | None
    key_file: str | None


def add_profile(parser: argparse.ArgumentParser) -> None:
    """--profile, --key-file, --passphrase-file."""
    parser.add_argument(
        "--profile",
        default=os.environ.get("LETTERLOCK_PROFILE") or DEFAULT_PROFILE,
        help="name, or path of a folder (default: %(default)s)",
    )
    parser.add_argument("--key-file", metavar="FILE", help="unlock with this key file (or LETTERLOCK_KEY_FILE)")
    parser.add_argument(
        "--passphrase-file", metavar="FILE", help="the passphrase is the first line of FILE (or LETTERLOCK_PASSPHRASE)"
    )


def profile_path(arguments: argparse.Namespace) -> Path:
    """A name means a folder under the data directory; anything with a slash is a path."""
    return profile_folder(arguments.profile, Path(arguments.data_dir))


def unlock_arguments(arguments: argparse.Namespace, *, new: bool = False) -> Unlock:
    """`passphrase=` or `key_file=` for the client; asks at the terminal when nothing was given."""
    if arguments.key_file and arguments.passphrase_file:
        raise InputError("a key file and a passphrase are two ways; give one", code="input.unlock")
    if arguments.key_file:
        return Unlock(passphrase=None, key_file=str(Path(arguments.key_file).expanduser()))
    if arguments.passphrase_file:
        return Unlock(passphrase=_first_line(Path(arguments.passphrase_file).expanduser()), key_file=None)
    if os.environ.get("LETTERLOCK_PASSPHRASE") or os.environ.get("LETTERLOCK_KEY_FILE"):
        return _FROM_ENVIRONMENT
    if not interactive():
        raise InputError(
            "nothing to unlock the profile with, and no terminal to ask at",
            code="input.unlock",
            hint="give --passphrase-file or --key-file, or set LETTERLOCK_PASSPHRASE",
        )
    question = "new passphrase" if new else "passphrase"
    passphrase = ask_passphrase(f"{question} for profile '{arguments.profile}': ")
    if not passphrase:
        raise InputError("an empty passphrase protects nothing", code="input.passphrase")
    if new and passphrase != ask_passphrase("once more: "):
        raise InputError("the two are not the same", code="input.passphrase", hint="run it again")
    return Unlock(passphrase=passphrase, key_file=None)


def open_client(
    arguments: argparse.Namespace, *, use_old_copy: bool = False, unlock: Unlock | None = None, sessions: bool = True
) -> Client:
    """The profile as a client, not yet entered. Nothing is asked for when another process has it open."""
    path = profile_path(arguments)
    if not ProfilePaths.of(path).exists():
        raise InputError(
            f"there is no profile '{arguments.profile}'",
            code="input.no_profile",
            hint="make one: letterlock setup NUMBER --profile NAME; or look first: letterlock demo",
        )
    if unlock is None:
        given = arguments.key_file or arguments.passphrase_file
        unlock = _FROM_ENVIRONMENT if is_open_elsewhere(path) and not given else unlock_arguments(arguments)
    environment = None if sessions else Environment(sessions=False)
    return Client.open(path, use_old_copy=use_old_copy, environment=environment, **unlock)


def is_open_elsewhere(path: Path) -> bool:
    """Whether another process owns this profile now. The lock says so; a socket file may be a dead one's."""
    try:
        ProfileLock.acquire(ProfilePaths.of(path).lock).release()
    except StoreLocked:
        return True
    return False


def _first_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise InputError(
            f"the passphrase file {path} cannot be read: {reason}", code="input.passphrase_file"
        ) from error
    if not lines or not lines[0]:
        raise InputError("the passphrase file is empty", code="input.passphrase_file")
    return lines[0]


_FROM_ENVIRONMENT = Unlock(passphrase=None, key_file=None)


def protocols(arguments: argparse.Namespace) -> tuple[str, ...]:
    """What was given with --protocols."""
    return tuple(name.strip().lower() for name in arguments.protocols.split(",") if name.strip())
