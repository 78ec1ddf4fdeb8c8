"""Changes of a group: signed entries of its membership log, which the engine's groups read. Here they are bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

from .parts import Parts, Read

__all__ = ["GROUP_TYPE", "GroupChange", "express_group_change", "read_group_change"]

GROUP_TYPE = "application/vnd.letterlock.group"


@dataclass(frozen=True, slots=True)
class GroupChange:
    """Entries of a group's log, as the log itself encodes them."""

    entries: bytes = field(repr=False)


def express_group_change(change: GroupChange) -> Parts:
    return Parts(GROUP_TYPE, change.entries)


def read_group_change(read: Read) -> GroupChange:
    return GroupChange(read.body)
