"""What is on its way, or waits to be."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from ...carriage import Medium
from ...ids import AccountId, ChatName, DeviceId, Instant, MessageId, Number, Peer

__all__ = ["Fetch", "Row", "Task", "Waiting"]


@dataclass(frozen=True, slots=True)
class Row:
    """One frame on its way to one account. Its bytes never change (SR-06)."""

    chat: ChatName
    to: Peer
    account: AccountId
    message_id: MessageId
    order: str
    """Of the message; empty for control."""
    content_type: str
    body: bytes = field(repr=False)
    pending: tuple[DeviceId, ...]
    """Devices that have not confirmed; not used for control and plain text."""
    created: Instant
    expires: Instant
    attempts: int
    next_at: Instant
    accepted: bool
    headers: tuple[tuple[str, str], ...] = ()
    """CPIM headers of a plain message."""
    medium: Medium = Medium.RCS

    @property
    def control(self) -> bool:
        """Done as soon as the network took it."""
        return not self.order


class Task(enum.IntEnum):
    """What waits for keys."""

    CONTENT = 0
    RESEND = 1
    """The same message again, for one device that asked."""
    REQUEST = 2
    """Our request that a device sends a message again."""
    RECEIPT = 3
    """A delivery receipt for a device that we have no session with (any more)."""
    MEMBER = 4
    """A message of a group, for all devices of one member."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something to encrypt once the keys are there."""

    task: Task
    message_id: MessageId
    order: str
    account: AccountId
    """Of the one device that it is for; zero for CONTENT."""
    device: int
    created: Instant
    expires: Instant
    only_encrypted: bool = False
    """Never released in the clear: whoever wrote it demanded that (SR-01)."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """A look-up at the directory that is under way or will be tried again."""

    number: Number
    account: AccountId
    device: int
    """0: lists, otherwise key material of this device."""
    since_serial: int
    attempts: int
    started: Instant
    next_at: Instant
