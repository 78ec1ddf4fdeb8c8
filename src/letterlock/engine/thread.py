"""What others have said about one message: its reactions, its last edit, that it was deleted.

Each of these is the outcome of a set of changes and not of the order of their arrival: the highest place in the
chat's order wins, a delete wins over everything. So all devices that have the same changes show the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..ids import AccountId, Instant, MessageId, Peer

__all__ = ["Edited", "Mark", "Place", "Thread"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message stands in its chat, and the cursor of the event that told it (0: not known)."""

    order: str
    cursor: int


@dataclass(frozen=True, slots=True)
class Mark:
    """The last word of one account about one emoji; kept when it was a removal, so that an older addition loses."""

    account: AccountId
    sender: Peer
    emoji: str
    order: str
    present: bool


@dataclass(frozen=True, slots=True)
class Edited:
    """The edit that counts: its place, its id, and the cursor of its event."""

    order: str
    message_id: MessageId
    text: str = field(repr=False)
    sent_at: Instant
    cursor: int


@dataclass(frozen=True, slots=True)
class Thread:
    """All of it. `deleted` is the place of the delete, empty if there is none."""

    edited: Edited | None = None
    deleted: str = ""
    marks: tuple[Mark, ...] = ()

    def with_mark(self, mark: Mark, most: int) -> Thread:
        """With this word of an account about an emoji, if it is the last one; the newest `most` of each account stay.

        What is dropped has a lower place than all that stay, so it would lose in whatever order they came (SR-08).
        """
        ours = [known for known in self.marks if known.account == mark.account]
        others = tuple(known for known in self.marks if known.account != mark.account)
        same = next((known for known in ours if known.emoji == mark.emoji), None)
        if same is not None:
            if same.order >= mark.order:
                return self
            ours.remove(same)
        ours = sorted((*ours, mark), key=lambda known: known.order)[-most:]
        return replace(self, marks=(*others, *ours))

    def shows(self, mark: Mark) -> bool:
        """Whether this account's emoji is on the message."""
        return any(
            known.present and known.account == mark.account and known.emoji == mark.emoji for known in self.marks
        )
