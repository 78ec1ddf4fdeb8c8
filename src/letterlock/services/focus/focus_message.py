"""A message of the focus's own: what it tells all members, or one, because of somebody's request to the MLS group."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...ids import Instant, Number
from .journal import Entry
from .tables import Tables

__all__ = ["FocusMessage", "keep"]


@dataclass(frozen=True, slots=True)
class FocusMessage:
    """What the focus itself tells because of `sender`'s request. `recipient` None: all of the `audience`, or everybody,
    the sender's devices but `origin` among them."""

    sender: Number
    origin: str
    message_id: str
    data: bytes = field(repr=False)
    recipient: Number | None = None
    audience: frozenset[Number] | None = None

    def entry(self, position: int, now: Instant) -> Entry:
        alone = self.recipient is not None
        return Entry(
            *(position, self.sender, self.recipient, self.message_id, len(self.data), now, self.data),
            "" if alone else self.origin,
            self.audience,
            own_devices=not alone,
        )


def keep(tables: Tables, conference: str, told: FocusMessage, now: Instant) -> int:
    """Its position in the journal."""
    if told.recipient is not None:
        return tables.append_answer(conference, told.recipient, told.message_id, told.data, now)
    return tables.append_control(conference, told.sender, told.origin, told.audience, told.message_id, told.data, now)
