"""Who makes the new era when all find that one is needed: the member of the lowest number (rcc16.md 2.3).

Neither RFC 9420 nor RCC.16 breaks that tie; this is the rule of a deployed client. The others wait their turn by rank
and take over one after the other, so that an absent member does not block the rest. Numbers are ordered as text, as
everywhere in Annex C.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from ...ids import Number

__all__ = ["Presence", "looks_to_wait", "precedes", "rank"]

_LOOKS_PER_RANK = 3


class Presence(enum.Enum):
    """What was heard of the member before us; the value is how many looks it is given."""

    NEVER_HEARD = 1
    QUIET = 3
    ACTIVE = 6


def rank(own: Number, members: Iterable[Number]) -> int:
    """How many members come before us: 0 advances at once."""
    return sum(member < own for member in set(members))


def looks_to_wait(own_rank: int, presence: Presence) -> int:
    """How many looks without a new era this rank waits before it takes over."""
    return 0 if own_rank == 0 else presence.value + (own_rank - 1) * _LOOKS_PER_RANK


def precedes(own: Number, other: Number) -> bool:
    """Whether ours wins of two crossing commits or creations of a 1:1, where nobody orders them (our choice)."""
    return own < other
