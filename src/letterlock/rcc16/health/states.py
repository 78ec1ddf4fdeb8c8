"""The 16 states of a conversation's health, and what each means for what may be done (rcc16.md 5.1).

Numbers and names are those of deployed clients. 3 and 5 are unused there. One conversation has one state per client;
nothing of it is ever on the wire.
"""

from __future__ import annotations

import enum
from typing import Final

__all__ = ["DOWNGRADED", "State"]


class State(enum.IntEnum):
    """Where the repair of one conversation stands."""

    UNKNOWN = 0
    EPOCH_ADVANCEMENT_REQUESTED = 1
    ONGOING_EPOCH_ADVANCEMENT = 2
    ONGOING_ERA_ADVANCEMENT = 4
    SELF_HEAL_FAILED = 6
    ERA_ADVANCEMENT_REQUESTED = 7
    END_MLS_REQUESTED = 8
    ONGOING_END_MLS = 9
    DONE_END_MLS = 10
    ONGOING_REVIVE_MLS = 11
    ONGOING_ERA_ADVANCEMENT_FOR_REVIVE = 12
    HEALTHY = 13
    INITIALIZING = 14
    CANNOT_HEAL_DURING_END_MLS = 15
    ONGOING_PHOENIX_MODE = 16
    PHOENIX_MODE_REQUESTED = 17

    @property
    def label(self) -> str:
        """The name as a program reads it: `epoch-advancement-requested`."""
        return self.name.lower().replace("_", "-")

    @property
    def has_end_mls(self) -> bool:
        """The group's context holds end_mls, or this client acts as if."""
        return self in _HAS_END_MLS

    @property
    def is_downgraded(self) -> bool:
        """No new operation, no key refresh, no start of a repair, and no encrypted letter."""
        return self in DOWNGRADED

    @property
    def is_healing(self) -> bool:
        """A repair is asked for, under way, or has failed."""
        return self in _HEALING

    @property
    def buffers_inbound(self) -> bool:
        """What comes is parked before it is decrypted: it belongs to the state that the repair leads to."""
        return bool(_BUFFERS_INBOUND_MASK >> self & 1)

    @property
    def is_phoenix(self) -> bool:
        """A new era born with end_mls is asked for or under way."""
        return self in _PHOENIX

    @property
    def withholds_reports(self) -> bool:
        """No negative receipt is sent from here: the repair itself may still read the message (rcc16.md 4.5)."""
        return self in _WITHHOLDS_REPORTS

    def can_revive(self, has_end_mls: bool) -> bool:
        """`has_end_mls`: whether F002 stands in the group's context."""
        unable = self is State.CANNOT_HEAL_DURING_END_MLS
        return (has_end_mls or unable) and (self.is_downgraded or self is State.ONGOING_REVIVE_MLS)


_HAS_END_MLS: Final = frozenset(map(State, (10, 11, 12, 15, 16)))
DOWNGRADED: Final = frozenset(map(State, (8, 9, 10, 11, 12, 15, 16, 17)))
_HEALING: Final = frozenset(map(State, (1, 2, 4, 6, 7, 12)))
_PHOENIX: Final = frozenset(map(State, (16, 17)))
_WITHHOLDS_REPORTS: Final = frozenset(map(State, (2, 4, 12)))
_BUFFERS_INBOUND_MASK: Final = 0x35096
"""{1, 2, 4, 7, 12, 14, 16, 17}, as deployed."""
