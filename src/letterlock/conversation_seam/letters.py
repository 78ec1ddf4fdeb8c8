"""What is carried, and where: a conversation, its packets, and the letters that people write."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from ..ids import GroupId, MessageId, Number

__all__ = [
    "Conversation",
    "Letter",
    "Packet",
    "PacketHeader",
    "UntilWhen",
]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat with one number (`peer`) or the group at a focus (`group`); exactly one of them is set."""

    peer: Number | None = None
    group: GroupId | None = None


@dataclass(frozen=True, slots=True)
class PacketHeader:
    """A CPIM header beside those of addressing: `namespace` is its URI; prefixes are the writer's matter."""

    namespace: str
    name: str
    value: str


class UntilWhen(enum.Enum):
    """How long the engine sends the same bytes again."""

    ONCE = "once"
    NETWORK = "network"
    """Until the network took it."""
    RECEIPTS = "receipts"
    """Until a signed receipt of every member came, or the letter expired."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One CPIM message. `to` None: to the conversation (its peer, or the conference); a number: to that member alone.

    `dispositions` are the receipts asked for (`positive-delivery`, ...). `large`: never in a pager request.
    """

    conversation: Conversation
    to: Number | None
    message_id: MessageId
    content_type: str
    headers: tuple[PacketHeader, ...]
    body: bytes = field(repr=False)
    dispositions: tuple[str, ...] = ()
    large: bool = False
    until: UntilWhen = UntilWhen.NETWORK


# --- what the engine gives ---------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Letter:
    """Content to encrypt: a MIME entity, and headers of namespaces that travel inside the ciphertext (our ordering).

    `root` is the id under which people know it, equal to `message_id` unless it is sent again. `audience` empty: all
    members; else only receipts of these are waited for (it was asked for again).
    """

    message_id: MessageId
    root: MessageId
    headers: tuple[PacketHeader, ...]
    entity: bytes = field(repr=False)
    audience: tuple[Number, ...] = ()
