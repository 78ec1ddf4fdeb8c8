"""Who is at the other end of the profile's socket."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys

__all__ = ["same_user"]


def same_user(writer: asyncio.StreamWriter | asyncio.BaseTransport) -> bool:
    """Whether the other process is this user's, or root's.

    The socket's mode and its folder say so already; this also holds where a file system ignores modes, and where
    somebody else was first in a folder for everybody.
    """
    if sys.platform != "linux":
        return True
    connection = writer.get_extra_info("socket")
    pid_uid_gid = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", pid_uid_gid)[1] in (os.getuid(), 0))
