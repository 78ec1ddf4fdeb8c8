"""The unix socket of the daemon: for programs of this user, who need no token there (SR-16).

Mode and folder say who may connect; the kernel says who did. A socket that a daemon left when it was killed is replaced;
one behind which a daemon lives is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from pathlib import Path

from ...client.peer import same_user
from ...client.profile import MAX_SOCKET_PATH, socket_of
from ...errors import InputError, StoreError

__all__ = ["already_running", "bound", "is_answered", "same_user", "socket_path"]


def socket_path(folder: Path) -> Path:
    """The daemon's socket of a profile."""
    return socket_of(folder, "daemon")


async def is_answered(path: Path) -> bool:
    """Whether a daemon of this user listens there. Somebody else's is none: it would have us log in at his page. Nor is one
    in a folder where he could put his in its place before the next connection."""
    try:
        _, writer = await asyncio.open_unix_connection(os.fspath(path))
    except OSError:
        return False
    ours = same_user(writer) and _is_ours_alone(path.parent)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return ours


async def bound(path: Path) -> socket.socket:
    """A socket at this path, of this user alone, not listening yet.

    Raises InputError when a daemon answers there, StoreError when there is something else, or the folder is not ours.
    """
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise InputError(
            f"a path of {len(os.fsencode(path))} bytes is too long for a socket",
            code="input.socket",
            hint="--socket PATH",
        )
    if await is_answered(path):
        raise already_running()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _check_folder(path.parent)
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                raise StoreError(f"{path} is no socket", code="daemon.socket", hint="--socket PATH")
            os.unlink(path)
        # Nobody can connect before listen(), so the mode is right before anybody could use it.
        listener.bind(os.fspath(path))
        os.chmod(path, 0o600)
    except OSError as error:
        listener.close()
        raise StoreError(f"the socket {path} cannot be made: {error.strerror}", code="daemon.socket") from error
    except BaseException:  # our own refusals above, which say themselves what is wrong
        listener.close()
        raise
    return listener


def already_running() -> InputError:
    """There is one daemon for a profile."""
    return InputError(
        "a daemon runs for this profile already", code="daemon.running", hint="letterlock web opens its page"
    )


def _check_folder(folder: Path) -> None:
    """Where nobody else can put a socket in the place of ours: what is sent there is what people write."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_ours_alone(folder):
        raise StoreError(
            f"others can write to {folder}", code="daemon.socket", hint="a folder that is yours alone: --socket PATH"
        )


def _is_ours_alone(folder: Path) -> bool:
    found = os.lstat(folder)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
