"""What passes between the engine and a transport. A transport carries these and reads no content."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from .codec.cpim import CpimHeader
from .ids import ConversationId, GroupId, Instant, MessageId, Number, Peer, bot_of

__all__ = ["Conference", "ConferenceView", "Inbound", "Medium", "NetworkResult", "Outbound", "Peer"]


class Medium(enum.IntEnum):
    """What carries a message. SMS exists by a user's choice alone (SR-01). The numbers are stored."""

    RCS = 0
    SMS = 1

    @property
    def label(self) -> str:
        """Its stable name in JSON."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Outbound:
    """One thing to hand to the network; sent again unchanged on a retry.

    `body` is a frame (`content_type` application/vnd.letterlock.signal) or, for a chat that the user
    chose to leave unencrypted, text/plain or message/imdn+xml. `large` is the RCS large-message mode,
    for bodies over 1,300 bytes. `receipts` asks for plain IMDN and is only set on plain text. With a `group`
    it may go through the group's conference, to the member `to` alone; directly is just as well.

    A packet of a protocol that keeps the members itself (`rcc16`) goes through the conference of its `group` and no other
    way; `to` None is the conference itself. Its `dispositions` are the receipts that it asks for.
    """

    to: Peer | None
    message_id: MessageId
    conversation: ConversationId
    content_type: str
    body: bytes
    large: bool
    receipts: bool = False
    group: GroupId | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """Further CPIM headers, as they are to be written, namespace declarations included."""
    packet: bool = False
    dispositions: tuple[str, ...] = ()
    medium: Medium = Medium.RCS
    """SMS: `body` is text/plain in UTF-8, `to` a number; nothing of the rest is carried but the wish for a receipt."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """One thing from the network. Every field is a claim of the carrier. `sender` is None when not asserted,
    `group` when it did not come through a conference."""

    sender: Peer | None
    recipient: Number
    message_id: MessageId
    content_type: str
    body: bytes
    received_at: Instant
    group: GroupId | None = None
    headers: tuple[CpimHeader, ...] = ()
    """The CPIM headers that it came with, all of them."""
    medium: Medium = Medium.RCS
    """SMS: `body` is text/plain in UTF-8, or message/imdn+xml for a receipt of the SMSC's."""
    sender_name: str = ""
    """What an SMS calls its sender where that is no number: a name, or a short code."""

    @property
    def number(self) -> Number | None:
        """The sender, where it is a number: what may have keys, and is in groups. A chatbot never passes for one."""
        return None if self.sender is None or bot_of(self.sender) is not None else Number(self.sender)


@dataclass(frozen=True, slots=True)
class NetworkResult:
    """How the network answered: `accepted` only stops the fast retry, it never means delivered (SR-05)."""

    accepted: bool
    status: int = 0
    reason: str = ""
    retry_after_ms: int | None = None
    final: bool = False
    """The same bytes will get the same answer: said by transports whose `status` is not SIP's."""


@dataclass(frozen=True, slots=True)
class Conference:
    """What a group should look like at the carrier: drawn from the signed log, `members` without ourselves."""

    group: GroupId
    subject: str
    members: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class ConferenceView:
    """What the focus at the address `focus` claims of a group. Shown where it differs from the signed log, never believed."""

    group: GroupId
    focus: str
    subject: str
    members: tuple[Number, ...]
    encrypted_subject: str | None = None
    encrypted_icon: str | None = None
    """Where members keep the keys themselves (RCC.16): ciphertext in base64, the address of a ciphertext."""
