"""What a user decides about a conversation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from ..ids import Number

__all__ = [
    "AddMembers",
    "Change",
    "EndEncryption",
    "Leave",
    "RemoveDevice",
    "RemoveMembers",
    "Retry",
    "Revive",
    "SetMetadata",
]


@dataclass(frozen=True, slots=True)
class AddMembers:
    """Add numbers to a group, all their devices, in one commit."""

    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class RemoveMembers:
    """Remove numbers from a group, all their devices, in one commit."""

    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class RemoveDevice:
    """Take another device of our own number out: `device` is the first 16 bytes of the SHA-256 of its leaf key."""

    device: bytes


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave a group."""


@dataclass(frozen=True, slots=True)
class EndEncryption:
    """The user turns encryption off here. The composer stays closed until the user decides again."""


@dataclass(frozen=True, slots=True)
class Revive:
    """The user turns it on again."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The user wants repair tried again: counters of repair start anew."""


@dataclass(frozen=True, slots=True)
class SetMetadata:
    """A group's subject or icon; None leaves it as it is, an empty one deletes it. An icon is where its ciphertext lies and
    the key of it, as `rcc16.wire.icon_pointer` writes them: fetching and opening it is the client's."""

    subject: str | None = None
    icon: bytes | None = field(default=None, repr=False)


Change: TypeAlias = AddMembers | RemoveMembers | RemoveDevice | Leave | EndEncryption | Revive | Retry | SetMetadata
