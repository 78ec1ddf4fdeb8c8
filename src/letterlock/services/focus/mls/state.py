"""What the focus keeps of one conversation's MLS group: its place, what was accepted lately, and the tree's bytes.

`GroupState` is small and stands for the group wherever the tree is not needed; `Snapshot` is the tree, as large as the
group. The history is what was accepted, in order: it tells which epochs application messages may name, gives a member
that fell behind what it missed, and recognises a request that is sent again.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ....ids import Instant, Number
from ....rcc16.wire.control import EpochIdentifier, Operation
from .quota import Quotas

__all__ = ["ControlRecord", "Facts", "GroupState", "LeafFacts", "RecordKind", "Snapshot"]


@dataclass(frozen=True, slots=True)
class LeafFacts:
    """Whose a leaf is, and until when its certificates are valid, never the lifetime of the leaf (rcc16.md 1.6)."""

    number: Number
    expires: Instant


Facts: TypeAlias = Mapping[int, LeafFacts]
"""By leaf index."""


class RecordKind(enum.Enum):
    """What members got of an accepted request."""

    WELCOME = "welcome"
    """A new group or era: everybody joins anew."""
    COMMIT = "commit"
    PROPOSAL = "proposal"


@dataclass(frozen=True, slots=True)
class ControlRecord:
    """One accepted request. `epoch` is what it led to; for a proposal the one in which it waits.

    `added` and `removed` are numbers that came into the tree and went from it. `data` is the ServerMlsRcsMessage that
    members got, `size` its length; `data` None: on the disk only. `proposal` is the MLSMessage of one.
    """

    serial: int
    kind: RecordKind
    operation: Operation
    epoch: EpochIdentifier
    message_id: str
    sender: Number
    digest: bytes
    at: Instant
    added: tuple[Number, ...]
    removed: tuple[Number, ...]
    ended: bool
    size: int
    data: bytes | None = field(repr=False)
    proposal: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """MLSMessage(GroupInfo) of the current epoch as its committer signed it, and the tree as the focus encodes it."""

    group_info: bytes = field(repr=False)
    tree: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class GroupState:
    """`members` are the certified numbers of the tree and until when the longest credential of each lasts.

    `ended`: the GroupContext has end_mls (F002). `history` is in the order of acceptance.
    """

    group_id: bytes
    at: EpochIdentifier
    ended: bool
    members: Mapping[Number, Instant]
    quotas: Quotas
    history: tuple[ControlRecord, ...]

    @property
    def serial(self) -> int:
        """Of the newest record."""
        return self.history[-1].serial if self.history else 0

    def pending(self) -> tuple[ControlRecord, ...]:
        """Proposals that wait for a commit."""
        return tuple(each for each in self.history if each.kind is RecordKind.PROPOSAL and each.epoch == self.at)

    def knows(self, message_id: str) -> bool:
        """Whether a request of this id was accepted lately."""
        return any(each.message_id == message_id for each in self.history)

    def repeated(self, sender: Number, message_id: str, digest: bytes) -> ControlRecord | None:
        """The record of the same request, sent before."""
        for each in reversed(self.history):
            if each.message_id == message_id and each.sender == sender and each.digest == digest:
                return each
        return None
