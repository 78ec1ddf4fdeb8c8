"""How it stands between this device and its gateway, and the gateway's words as they may be shown."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["GatewayState", "GatewayStatus", "printable"]


class GatewayState(enum.Enum):
    """Whether messages can be sent."""

    OFFLINE = "offline"
    CONNECTING = "connecting"
    LINKED = "linked"  # with the gateway, which is not registered with the carrier
    REGISTERED = "registered"
    REFUSED = "refused"  # the gateway says no; tried again rarely
    REPLACED = "replaced"  # another process is this device


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """How it stands, and why; and how many messages the gateway could not keep until we came."""

    state: GatewayState
    reason: str
    lost: int = 0


def printable(text: str) -> str:
    """The gateway's words, fit for a terminal: no control characters, not a page of them."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])
