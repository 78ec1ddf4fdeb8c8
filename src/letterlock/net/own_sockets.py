"""Unix sockets between processes of one user: where those of a profile lie, and who is at the other end (SR-16).

Standard library alone: a shell asks through one of them while somebody waits for the Tab key.
"""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import sys
import tempfile
from pathlib import Path

__all__ = ["MAX_SOCKET_PATH", "is_ours", "socket_of"]

MAX_SOCKET_PATH = 100
"""sun_path has 108 bytes on Linux, 104 on macOS, with a closing zero."""


def socket_of(folder: Path, name: str) -> Path:
    """A profile's socket: in its folder, or, where that path is too long, always at the same other place."""
    inside = folder / f"{name}.sock"
    if len(os.fsencode(inside)) <= MAX_SOCKET_PATH:
        return inside
    # Not where TMPDIR says: it differs from program to program, which would not find each other, and may be long itself.
    # Whoever makes a socket there looks first whether the folder is this user's alone.
    place = "/tmp"  # noqa: S108
    place = place if os.path.isdir(place) else tempfile.gettempdir()
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:24]
    return Path(place) / f"letterlock-{os.getuid()}" / f"{digest}-{name}.sock"


def is_ours(connection: socket.socket) -> bool:
    """Whether the other process is this user's, or root's.

    The socket's mode and its folder say so already; this also holds where a file system ignores modes, and where
    somebody else was first in a folder for everybody.
    """
    if sys.platform != "linux":
        return True
    pid_uid_gid = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", pid_uid_gid)[1] in (os.getuid(), 0)
