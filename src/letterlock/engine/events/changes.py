"""Events of changes that act on a message, and of typing."""

from __future__ import annotations

from dataclasses import dataclass

from ...ids import ChatName, Instant, MessageId, Peer

__all__ = [
    "ChangeRefused",
    "MessageDeleted",
    "MessageEdited",
    "ReactionChanged",
    "TypingChanged",
]


@dataclass(frozen=True, slots=True)
class MessageEdited:
    """The author gave a message (`message_id`, at `order`) another text. `text` is None once a later edit counts.

    `change_id` is the edit's own id: deliveries and failures of an edit of ours go by it.
    """

    chat: ChatName
    message_id: MessageId
    change_id: MessageId
    sender: Peer
    device: int
    order: str
    text: str | None
    encrypted: bool
    sent_at: Instant


@dataclass(frozen=True, slots=True)
class MessageDeleted:
    """The author took a message back; its text is gone from this store, from the events of before too."""

    chat: ChatName
    message_id: MessageId
    change_id: MessageId
    sender: Peer
    device: int
    order: str
    encrypted: bool


@dataclass(frozen=True, slots=True)
class ReactionChanged:
    """Somebody put an emoji on a message, or took it away again (`removed`)."""

    chat: ChatName
    message_id: MessageId
    change_id: MessageId
    sender: Peer
    device: int
    order: str
    emoji: str
    removed: bool
    encrypted: bool


@dataclass(frozen=True, slots=True)
class ChangeRefused:
    """A change that was not made. `change` is `edit`, `delete` or `reaction`; `reason` a stable code:

    `not-author` (of somebody else's message), `unencrypted` (the network's word about an encrypted message),
    `not-text` (an edit of something that is no text), `no-message` (what it is for never came), `too-many`.
    """

    chat: ChatName
    message_id: MessageId
    change_id: MessageId
    sender: Peer
    device: int
    change: str
    reason: str


@dataclass(frozen=True, slots=True)
class TypingChanged:
    """The peer started or stopped typing."""

    chat: Peer
    active: bool
    encrypted: bool
