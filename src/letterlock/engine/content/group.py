"""Changes of a group: signed entries of its membership log, which the engine's groups read, and the wish for some."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...trust.group_log_bundle import decode_heads
from ...trust.group_log_entry import EntryId, GroupLimits
from .parts import Parts, Read

__all__ = [
    "GROUP_TYPE",
    "REQUEST_TYPE",
    "GroupChange",
    "GroupRequest",
    "express_group_change",
    "read_group_change",
    "read_group_request",
]

GROUP_TYPE = "application/vnd.letterlock.group"
REQUEST_TYPE = "application/vnd.letterlock.group-request"


@dataclass(frozen=True, slots=True)
class GroupChange:
    """Entries of a group's log, as the log itself encodes them."""

    entries: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class GroupRequest:
    """The sender has the log up to these entries, and lacks what others have named."""

    heads: tuple[EntryId, ...]


def express_group_change(change: GroupChange) -> Parts:
    return Parts(GROUP_TYPE, change.entries)


def read_group_change(read: Read) -> GroupChange:
    return GroupChange(read.body)


def read_group_request(read: Read, limits: GroupLimits) -> GroupRequest:
    """Raises DecodeError."""
    return GroupRequest(decode_heads(read.body, limits))
