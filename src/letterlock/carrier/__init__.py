"""A small carrier inside one process, for demo, tests and labs: SIP registrar and proxy with store and forward, INVITE
and what goes with it, application servers, and an MSRP relay.

It is no production server: one process, one domain, and what it stores is gone when it stops. Production puts
Kamailio or an IMS core in its place (deploy/kamailio). It sees what a carrier sees, and writes it down: `wirelog` and
`search` are how the demo shows that this is ciphertext.
"""

from __future__ import annotations

from .accounts import Accounts
from .msrp_tap import MsrpInterference, MsrpSeen, MsrpTap
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
    "MsrpInterference",
    "MsrpSeen",
    "MsrpTap",
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
