"""A small carrier inside one process: SIP registrar, proxy with store and forward, for demo, tests and labs.

It is no production server: one process, one domain, MESSAGE and OPTIONS only, stored messages are gone
when it stops. Production puts Kamailio or an IMS core in its place (deploy/kamailio). It sees what a
carrier sees, and writes it down: `wirelog` and `search` are how the demo shows that this is ciphertext.
"""

from __future__ import annotations

from .accounts import Accounts
from .search import Hit, Searcher, search
from .server import Carrier
from .settings import ApplicationServer, Settings
from .tap import Interference, Seen, Tap, delayed, dropped, duplicated, replaced, swallowed
from .wirelog import WireLog, read_wire_log

__all__ = [
    "Accounts",
    "ApplicationServer",
    "Carrier",
    "Hit",
    "Interference",
    "Searcher",
    "Seen",
    "Settings",
    "Tap",
    "WireLog",
    "delayed",
    "dropped",
    "duplicated",
    "read_wire_log",
    "replaced",
    "search",
    "swallowed",
]
