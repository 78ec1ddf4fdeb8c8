"""The local daemon: one open profile for pages and programs of the same user, over HTTP on loopback and a unix socket.

SR-16 is enforced here: `guard` decides from the head of a request alone, `sessions` knows who is let in, `headers` says
what a page may do, `unix` who may connect to the socket, `listening` where it may listen at all.
"""

from __future__ import annotations

from .server import Daemon
from .settings import DaemonSettings

__all__ = ["Daemon", "DaemonSettings"]
