"""The values of conversations: who is in them as last reported, packets on their way, requests nobody has answered."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...conversation_seam import Conversation, KeyState, Packet, Request
from ...ids import AccountId, ChatName, GroupId, Instant, MessageId, Number, group_name, group_of

__all__ = [
    "Again",
    "Asked",
    "Copy",
    "Member",
    "Membership",
    "PacketRow",
    "Participant",
    "chat_of",
    "conversation_of_chat",
]


@dataclass(frozen=True, slots=True)
class Member:
    """One other number, as the protocol last reported it."""

    number: Number
    account: AccountId
    """Of its participant key; of zeros while that is not known."""


@dataclass(frozen=True, slots=True)
class Membership:
    """What the protocol last reported of a chat, so that no message has to ask it."""

    chat: ChatName
    members: tuple[Member, ...] = ()
    """Without ourselves. Before the conversation is encrypted: whom the user wants in it."""
    former: tuple[Member, ...] = ()
    """Who is out, the last ones: letters of theirs may still come."""
    subject: str = ""
    icon: bytes = field(default=b"", repr=False)
    """An IconPointer; empty without one."""
    healthy: bool = True
    """False while it is being repaired."""
    ours: bool = False
    """The conference at the carrier was made from here: a group that the user created."""
    view: bytes = b""
    """Hash of the carrier's claimed roster that was told last."""

    def account(self, number: Number) -> AccountId | None:
        """The account of a number that is or was a member."""
        return next((each.account for each in (*self.members, *self.former) if each.number == number), None)


@dataclass(frozen=True, slots=True)
class Participant:
    """The participant key of a number, as the user and we think of it."""

    spki: bytes
    state: KeyState
    verified_at: Instant = 0


@dataclass(frozen=True, slots=True)
class PacketRow:
    """A packet on its way; its bytes never change (SR-06). `pending`: of whom a signed receipt is waited for."""

    packet: Packet
    order: str
    """Of the message that it carries; empty for what is no letter."""
    root: MessageId
    pending: tuple[Number, ...]
    created: Instant
    expires: Instant
    attempts: int
    next_at: Instant
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """A letter that went, or came, once more under another id than people know it by."""

    chat: ChatName
    root: MessageId
    at: Instant


@dataclass(frozen=True, slots=True)
class Again:
    """A member could not read a message: it is to be encrypted again for it."""

    root: MessageId
    order: str
    member: Number
    expires: Instant


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of the protocol that has no answer yet. It is asked for again at `next_at`: the process may have died."""

    protocol: str
    request: Request
    next_at: Instant


def chat_of(conversation: Conversation) -> ChatName | None:
    """The chat of a conversation; None for one that names nothing."""
    if conversation.group is not None:
        return group_name(conversation.group)
    return conversation.peer


def conversation_of_chat(chat: ChatName) -> Conversation:
    """The other way."""
    group = group_of(chat)
    return Conversation(peer=Number(chat)) if group is None else Conversation(group=GroupId(group))
