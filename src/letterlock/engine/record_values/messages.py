"""Messages, and what is known of how far they got."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from ...carriage import Medium
from ...ids import AccountId, ChatName, DeviceId, Instant, MessageId, Peer

__all__ = ["Delivery", "InboxEntry", "Message", "Status"]


class Status(enum.IntEnum):
    """How far a message has got. Of our own ones each only rises, but for FAILED and EXPIRED."""

    WAITING = 0
    SENDING = 1
    ACCEPTED = 2
    DELIVERED = 3
    DISPLAYED = 4
    FAILED = 5
    EXPIRED = 6
    RECEIVED = 7
    SEEN = 8
    MISSING = 9
    """Not a message: the marker of a gap; `text` is empty, `message_id` is `FIRST-LAST`."""
    UNREADABLE = 10
    """Not a message: stands where one came that could not be read. Replaced when it comes again."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat, a change of one, or the marker of a gap. Its place is `order`."""

    order: str
    message_id: MessageId
    sender: Peer
    mine: bool
    encrypted: bool
    status: Status
    sent_at: Instant
    at: Instant
    content_type: str
    text: str | None = field(repr=False)
    """Of a text; None where there is none, or none any more."""
    entity: bytes = field(default=b"", repr=False)
    """All of it, as in content/entity.py, where it is more than a text; bounded."""
    reply_to: str = ""
    reply_author: str = ""
    """What a text or a file answers; empty where it answers nothing, or does not say whose it is."""
    change: bool = False
    """Not a message but what acts on one: it is kept in `change/`."""
    medium: Medium = Medium.RCS
    """What carried it, or was to carry it."""


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """That a message id was met from an authenticated device, and in which frame bytes (their hash)."""

    digest: bytes
    order: str
    """Empty for receipts and other control."""
    at: Instant
    receipt_at: Instant
    displayed: bool = False
    wants_display: bool = False
    """A plain message whose sender asks to hear when it was displayed."""
    letter: bool = False
    """It came in a conversation whose protocol gives the receipts itself."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is known of a message of ours, kept after its outbox rows are gone."""

    chat: ChatName
    order: str
    """Empty when the receipt was faster than another own device's copy."""
    delivered: tuple[tuple[AccountId, DeviceId], ...] = ()
    displayed: tuple[tuple[AccountId, DeviceId], ...] = ()
    resends: tuple[tuple[AccountId, DeviceId, int], ...] = ()
    at: Instant = 0
    members: int = 0
    """Of a group that it was meant for; 0 in the chat with a number."""
