"""What a step comes back with."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from ..ids import Instant
from ..seam import Writes
from .letters import Packet
from .notices import Notice
from .requests import Request

__all__ = [
    "Progress",
    "Refusal",
    "Waits",
]


class Waits(enum.Enum):
    """Why a letter cannot be sealed now; each ends by itself, with a `Secured`, `HealthMoved` or `KeysSeen`."""

    SETTING_UP = "setting-up"
    """Key packages are being claimed, or the group is being made or joined."""
    COMMITTING = "committing"
    HEALING = "healing"


class Refusal(enum.Enum):
    """Why a letter is not sealed at all, until a person decides."""

    UNPINNED = "unpinned"
    """A verified member has another participant key."""
    ENDED = "ended"
    LEFT = "left"
    NO_KEYS = "no-keys"
    """Somebody has no key packages: this cannot be encrypted (yet)."""
    NOT_ENROLLED = "not-enrolled"
    """We have no valid certificate."""
    STALLED = "stalled"


@dataclass(frozen=True, slots=True)
class Progress:
    """What a step led to. Commit `writes`, then hand out the rest. `waits` and `refused` answer `seal` only."""

    writes: Writes = field(default_factory=dict)
    packets: tuple[Packet, ...] = ()
    requests: tuple[Request, ...] = ()
    notices: tuple[Notice, ...] = ()
    wake_at: Instant | None = None
    waits: Waits | None = None
    refused: Refusal | None = None
