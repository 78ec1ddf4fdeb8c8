"""A conversation as its group has it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ..ids import Number
from .letters import Conversation

__all__ = [
    "ConversationView",
    "KeyState",
    "MemberView",
]


class KeyState(enum.Enum):
    """What we think of a participant key."""

    PINNED = "pinned"
    VERIFIED = "verified"
    NEW = "new"
    """Another than before; the user has not said anything to it."""
    BROKEN = "broken"
    """Another than the one that was verified: nothing is sent."""


@dataclass(frozen=True, slots=True)
class MemberView:
    """One member: `devices` leaves are certified for its number."""

    number: Number
    participant_spki: bytes
    keys: KeyState
    devices: int
    since_epoch: int = 0


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation as its MLS group has it. `encrypted` False: never was, or was ended (`ended`)."""

    conversation: Conversation
    encrypted: bool
    ended: bool
    left: bool
    era: int
    epoch: int
    health: str
    members: tuple[MemberView, ...]
    subject: str = ""
    stuck: bool = False
    """Encrypted, and nothing can be sealed for its members until the user has decided, or one of them has done something."""
