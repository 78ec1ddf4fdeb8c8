"""The key distribution server of RCC.16: certificates, key packages that are handed out once, trust anchors, federation.

See docs/kds.md and docs/spec/kds-federation.md.
"""

from __future__ import annotations

from .authority import Authority, make_authorities
from .http import KeyDistributionServer
from .limits import KdsLimits
from .peers import Peer, Routing, describe, read_peer

__all__ = [
    "Authority",
    "KdsLimits",
    "KeyDistributionServer",
    "Peer",
    "Routing",
    "describe",
    "make_authorities",
    "read_peer",
]
