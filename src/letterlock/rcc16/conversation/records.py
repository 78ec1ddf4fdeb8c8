"""What is kept about a conversation, and under which keys (SR-06).

* `rcc16-chat/<chat>`: the `Chat`, one small record that every step reads first.
* `rcc16-people/<chat>`: its members and roster. A record of their own: every letter writes the chat, and in a group of
  a thousand these alone are 150 kB.
* `rcc16-row/<chat>/<group>/<row>`: one row of an MLS group. `<group>` counts the groups that a chat ever had, because
  two may be there at once: the one in force, and one of ours that nobody has accepted yet.
* `rcc16-packet/<chat>`: the packet of the pending operation; a retry sends these bytes again (rcc16.md 2.3).
* `rcc16-sent/<chat>/<message id>`, `rcc16-received/<chat>/<message id>/<sender>`: letters, for receipts and repeats.
* `rcc16-parked/<chat>/<number>`: packets that cannot be read yet.
* `rcc16-claim/<request>`: the chat for whose sake key packages were asked for.
* `rcc16-pin/<number>`: participant keys.
* `rcc16-swept/at`: when what is past its time was last looked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from ...conversation_seam import Conversation, Packet, PacketHeader, UntilWhen
from ...ids import Instant, Number, group_name
from ...seam import Key, RecordKind, Staged, State
from ..forms import BOOL, BYTES, TEXT, U64, choice, kind_of, many, maybe, record
from .chat import Chat, Device
from .chat_form import CHAT, CONVERSATION, DEVICE

__all__ = [
    "CHATS",
    "CLAIMS",
    "PACKETS",
    "PARKED",
    "PEOPLE",
    "PINS",
    "RECEIVED",
    "ROWS",
    "SENT",
    "SWEPT",
    "VERIFIED",
    "Parked",
    "People",
    "Pin",
    "Received",
    "Sent",
    "chat_key",
    "chat_text",
    "load_chat",
    "received_key",
    "row_key",
    "store_chat",
]


@dataclass(frozen=True, slots=True)
class People:
    """Who is in a conversation; these two fields of `Chat`."""

    members: tuple[Device, ...] = ()
    roster: tuple[Number, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A letter of ours: its packet, for a repeat of the same bytes (rcc16.md 4.3), and who has not answered."""

    root: str
    at: Instant
    era: int
    epoch: int
    waiting: tuple[Number, ...]
    packet: Packet | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A letter that was read: a repeat of it gets its receipt again, and nothing else."""

    device: bytes
    digest: bytes
    at: Instant
    era: int
    wants_display: bool
    displayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A packet that waits for a state in which it can be read."""

    packet: Packet
    sender: Number | None
    at: Instant
    era: int
    epoch: int
    failed: bool
    """It was tried, and could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A number's participant key. `spki` is the one that counts; `seen` another one that somebody has shown since."""

    spki: bytes
    verified: bool = False
    seen: bytes = b""


def chat_text(conversation: Conversation) -> str:
    """What a conversation is called in keys."""
    return group_name(conversation.group) if conversation.group is not None else str(conversation.peer)


def chat_key(conversation: Conversation) -> Key[Chat]:
    return CHATS.key(chat_text(conversation))


def load_chat(state: State, conversation: Conversation) -> Chat | None:
    """The record with its people."""
    chat = state.get(chat_key(conversation))
    if chat is None:
        return None
    people = state.get(PEOPLE.key(chat_text(conversation))) or People()
    if chat.members is people.members and chat.roster is people.roster:
        return chat
    return replace(chat, members=people.members, roster=people.roster)


def store_chat(staged: Staged, chat: Chat, before: Chat | None) -> None:
    """What of it has changed."""
    if chat != before:
        staged.put(chat_key(chat.conversation), chat)
    if before is None or chat.members != before.members or chat.roster != before.roster:
        staged.put(PEOPLE.key(chat_text(chat.conversation)), People(chat.members, chat.roster))


def received_key(conversation: Conversation, sender: Number, message_id: str) -> Key[Received]:
    """The ids of each sender are its own: nobody's letter takes the place of another one's (SR-05)."""
    return RECEIVED.key(chat_text(conversation), message_id, sender)


def row_key(conversation: Conversation, group: int, row: str) -> Key[bytes]:
    return ROWS.key(chat_text(conversation), f"{group:08d}", row)


_HEADER = record(PacketHeader, namespace=TEXT, name=TEXT, value=TEXT)
_PACKET = record(
    Packet,
    conversation=CONVERSATION,
    to=maybe(TEXT),
    message_id=TEXT,
    content_type=TEXT,
    headers=many(_HEADER),
    body=BYTES,
    dispositions=many(TEXT),
    large=BOOL,
    until=choice(UntilWhen),
)
_PEOPLE = record(People, members=many(DEVICE), roster=many(TEXT))
_SENT = record(Sent, root=TEXT, at=U64, era=U64, epoch=U64, waiting=many(TEXT), packet=maybe(_PACKET))
_RECEIVED = record(Received, device=BYTES, digest=BYTES, at=U64, era=U64, wants_display=BOOL, displayed=BOOL)
_PARKED = record(Parked, packet=_PACKET, sender=maybe(TEXT), at=U64, era=U64, epoch=U64, failed=BOOL)
_PIN = record(Pin, spki=BYTES, verified=BOOL, seen=BYTES)

CHATS: Final = kind_of("rcc16-chat", CHAT)
PEOPLE: Final = kind_of("rcc16-people", _PEOPLE)
ROWS: Final[RecordKind[bytes]] = RecordKind("rcc16-row", bytes, bytes)
PACKETS: Final = kind_of("rcc16-packet", _PACKET)
SENT: Final = kind_of("rcc16-sent", _SENT)
RECEIVED: Final = kind_of("rcc16-received", _RECEIVED)
PARKED: Final = kind_of("rcc16-parked", _PARKED)
CLAIMS: Final = kind_of("rcc16-claim", CONVERSATION)
PINS: Final = kind_of("rcc16-pin", _PIN)
SWEPT: Final = Key(kind_of("rcc16-swept", U64), "rcc16-swept/at")
VERIFIED: Final = Key(kind_of("rcc16-verified", many(TEXT)), "rcc16-verified/numbers")
"""Numbers whose key was verified: few, so that not every pin of a large group is looked at with every letter."""
