"""Events of messages: come, gone, confirmed, lost, unreadable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...ids import ChatName, Instant, MessageId, Number

__all__ = [
    "MessageAccepted",
    "MessageDelivered",
    "MessageDisplayed",
    "MessageExpired",
    "MessageFailed",
    "MessageMissing",
    "MessageReceived",
    "MessageResent",
    "MessageSent",
    "MessageUnreadable",
    "ResendRequested",
    "SmsFromUnknownSender",
]


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message to show. `order` sorts it in its chat; `encrypted` is a fact of this message (SR-01).

    `text` is None when it is no text, and once it was deleted. `sent_at` is the sender's claim, 0 if none.
    `fills_gap`: it was announced as missing before. `reply_to` is the id of the message that it answers. `content`
    says what it is where it is more than a text: `{"kind": "location", "latitude": ...}`. In a group `sender` is the
    member's number; in the chat with a number it is empty. `medium` is what carried it, `rcs` or `sms`.
    """

    chat: ChatName
    message_id: MessageId
    device: int
    order: str
    text: str | None
    content_type: str
    encrypted: bool
    sent_at: Instant
    fills_gap: bool = False
    reply_to: str = ""
    content: dict[str, Any] | None = None
    sender: str = ""
    medium: str = "rcs"


@dataclass(frozen=True, slots=True)
class MessageSent:
    """A message of ours was stored for sending, or another device of ours (`device`) sent it.

    `waiting`: it is not encrypted yet because keys are still missing; it will be, or expires. The rest as in
    MessageReceived.
    """

    chat: ChatName
    message_id: MessageId
    device: int
    order: str
    text: str | None
    content_type: str
    encrypted: bool
    waiting: bool = False
    reply_to: str = ""
    content: dict[str, Any] | None = None
    medium: str = "rcs"


@dataclass(frozen=True, slots=True)
class SmsFromUnknownSender:
    """An SMS whose sender is no number: `sender` is the name or short code that the network gives it, and nobody vouches
    for. It belongs to no chat; there is nothing to answer."""

    sender: str
    message_id: MessageId
    text: str


@dataclass(frozen=True, slots=True)
class MessageAccepted:
    """The network took it. That says nothing about delivery (SR-05)."""

    chat: ChatName
    message_id: MessageId


@dataclass(frozen=True, slots=True)
class MessageDelivered:
    """A device of the peer has it; in a group, of this `member`. `authenticated` False: only the network says so, possible
    in plain chats alone."""

    chat: ChatName
    message_id: MessageId
    device: int
    authenticated: bool = True
    member: str = ""


@dataclass(frozen=True, slots=True)
class MessageDisplayed:
    """The peer, or this `member`, has seen it. `authenticated` as in MessageDelivered."""

    chat: ChatName
    message_id: MessageId
    device: int
    authenticated: bool = True
    member: str = ""


@dataclass(frozen=True, slots=True)
class MessageFailed:
    """The network refuses it for good; `reason` is a stable code, `status` the network's. In a group the copy for this
    `member`: `removed` (no member any more), `no-keys` (too much waits for its keys), `keys-changed`, `network`."""

    chat: ChatName
    message_id: MessageId
    reason: str
    status: int = 0
    member: str = ""


@dataclass(frozen=True, slots=True)
class MessageExpired:
    """Nobody, or in a group not this `member`, confirmed it in time; it is not sent any more."""

    chat: ChatName
    message_id: MessageId
    member: str = ""


@dataclass(frozen=True, slots=True)
class MessageResent:
    """A device of the peer could not read it and asked; it was encrypted again for that device."""

    chat: ChatName
    message_id: MessageId
    device: int
    member: str = ""


@dataclass(frozen=True, slots=True)
class MessageUnreadable:
    """Something came that could not be read; nothing else changed (SR-07). `message_id` and `device` are claims.

    `asked_again`: we asked the sender's device for a fresh copy.
    """

    chat: ChatName | None
    message_id: str
    device: int
    reason: str
    asked_again: bool = False
    sender: str = ""


@dataclass(frozen=True, slots=True)
class ResendRequested:
    """We ask a device of the peer to encrypt a message again, in a fresh session (SR-07: visible, rate-limited)."""

    chat: ChatName
    message_id: MessageId
    device: int


@dataclass(frozen=True, slots=True)
class MessageMissing:
    """Messages `first` to `last` of one sending device did not come in time: somebody dropped or delays them.

    `sender` is the number of that device, ours or the peer's. The marker stands at `order` in the chat.
    """

    chat: ChatName
    sender: Number
    device: int
    first: int
    last: int
    order: str
