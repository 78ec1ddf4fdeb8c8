"""What came and cannot be taken yet, and the trouble with it."""

from __future__ import annotations

from dataclasses import dataclass

from ...carriage import Inbound
from ...ids import Instant

__all__ = ["Parked", "Trouble"]


@dataclass(frozen=True, slots=True)
class Parked:
    """A frame that waits for a device list."""

    inbound: Inbound
    at: Instant


@dataclass(frozen=True, slots=True)
class Trouble:
    """Bounded counters of one peer, or of all strangers together (SR-07)."""

    hour: int
    unreadable: int
    total: int
    requests: int
    resends: int
    recent: tuple[bytes, ...] = ()
    """Starts of hashes of what was unreadable lately: told once, however often it comes."""
    reset_at: Instant = 0
    """When a session with this contact was last retired because of it."""
