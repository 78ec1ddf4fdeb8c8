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

import enum
from dataclasses import dataclass, field, replace
from typing import Final

from ...conversation_seam import Conversation, Packet, PacketHeader, UntilWhen
from ...ids import GroupId, Instant, MessageId, Number, group_name
from ...mls.wire.extensions import Extension
from ...seam import Key, RecordKind, Staged, State
from ..forms import BOOL, BYTES, TEXT, U64, Form, choice, kind_of, many, maybe, nested, record
from ..health.budgets import Ledger, decode_ledger, encode_ledger
from ..health.ending import Backoff
from ..health.states import State as HealthState
from ..health.transitions import Health, Moment, seed

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
    "Again",
    "Chat",
    "Device",
    "Heal",
    "HeldGroup",
    "Kind",
    "Metadata",
    "Operation",
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


_NEW: Final = seed(HealthState.INITIALIZING)
_EMPTY: Final = Ledger()
_NONE: Final = Backoff()
_NOWHERE: Final = Moment(0, 0)


class Kind(enum.IntEnum):
    """What a pending operation is; 1 to 8 as deployed (rcc16.md 5.5), the rest ours. One per conversation."""

    ERA_ADVANCE = 2
    END_MLS = 3
    REVIVE = 4
    REVIVE_IN_NEW_ERA = 5
    PHOENIX = 6
    COMMIT_PROPOSALS = 7
    METADATA = 8
    """The subject."""
    CREATE = 9
    ADD = 10
    REMOVE = 11
    REFRESH = 12
    EXTERNAL = 13
    ICON = 14
    ASK_KEYS = 15
    GIVE_KEYS = 16

    @property
    def makes_group(self) -> bool:
        """Whether it leads to a group of its own, which replaces the one in force when it is accepted."""
        return self in _MAKES_GROUP


_MAKES_GROUP: Final = frozenset({Kind.CREATE, Kind.ERA_ADVANCE, Kind.REVIVE_IN_NEW_ERA, Kind.PHOENIX, Kind.EXTERNAL})


@dataclass(frozen=True, slots=True)
class HeldGroup:
    """One MLS group in the store. `stamp` is fresh with every change: a group in memory with another one is stale."""

    number: int
    era: int
    stamp: bytes


@dataclass(frozen=True, slots=True)
class Device:
    """One leaf of the group in force: whose it is, told apart by a digest of its key, and its participant key."""

    number: Number
    device: bytes
    spki: bytes
    since_epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What we are about: claiming for it, or waiting for its commit to be accepted."""

    kind: Kind
    started_at: Instant
    numbers: tuple[Number, ...] = ()
    attempts: int = 0
    next_at: Instant = 0
    """When something is done about silence; 0 never."""
    request: str = ""
    """The claim that was asked for and not answered."""
    control_id: str = ""
    """The commit that was sent; empty before."""
    era: int = 0
    epoch: int = 0
    """What it leads to."""
    authenticator: bytes = b""
    candidate: HeldGroup | None = None
    asked: bool = False
    """Whether the order was asked about it since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heal:
    """A repair: what was tried so far (rcc16.md 5.5)."""

    since: Instant
    cause: str
    from_future: bool = False
    begun: bool = False
    """State 1 was reached."""
    spent: bool = False
    """It was charged."""
    looks: int = 0
    next_at: Instant = 0
    asked: bool = False
    """A pull is out."""
    not_found: bool = False
    """The order has no such group."""
    election_waits: int = -1
    replay_failed: bool = False
    external_failed: bool = False
    advance_failed: bool = False
    mismatched: bool = False
    """The order has refused a new era of ours because its tree would not be the RCS roster."""


@dataclass(frozen=True, slots=True)
class Again:
    """A letter that a member asked for again, and will get when it is its turn."""

    message_id: MessageId
    member: Number
    signed: bool
    at: Instant

    @property
    def subject(self) -> str:
        """Whose allowance it uses: what nobody signed has one of its own, so that forged ones do not use up what the
        member itself may ask for (SR-05)."""
        return self.member if self.signed else f"{self.member} unsigned"


@dataclass(frozen=True, slots=True)
class Metadata:
    """A group's subject: the key that opens it (FileInfo's entry), what it opens, and what that says."""

    key: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)
    text: str
    at: Instant


@dataclass(frozen=True, slots=True)
class People:
    """Who is in a conversation; these two fields of `Chat`."""

    members: tuple[Device, ...] = ()
    roster: tuple[Number, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """One conversation. See the module of each field's family for its rules."""

    conversation: Conversation
    mls_id: str = ""
    groups: int = 0
    """How many MLS groups it had."""
    group: HeldGroup | None = None
    epoch: int = 0
    authenticator: bytes = b""
    members: tuple[Device, ...] = ()
    """The leaves of the group in force, ourselves among them; what they were when it was lost."""
    roster: tuple[Number, ...] = ()
    """The others in the RCS conversation: as we were told, and since the last accepted commit as the group has them."""
    leaving: tuple[bytes, ...] = ()
    """Devices that have proposed to leave, and are still in the group."""
    latched: bool = False
    left: bool = False
    ended: str = ""
    """Why encryption is ended; empty if it is not."""
    ended_by: str = ""
    blocked: str = ""
    """Why it could not be made encrypted; empty if nothing is known against it."""
    health: Health = _NEW
    ledger: Ledger = _EMPTY
    backoff: Backoff = _NONE
    era_seen: int = 0
    """The highest era that we held, or that the order has spoken of."""
    held: Moment = _NOWHERE
    """The latest moment that we were in: we never go back before it, whatever the order shows us."""
    context: tuple[Extension, ...] = ()
    """The GroupContext's extensions when last seen: a new era takes them over, known or not."""
    strangers: tuple[Number, ...] = ()
    """Who stood in a group that we did not enter, as it was told."""
    runs: int = 0
    stalled: str = ""
    rejoin: bool = False
    """What we hold is an old copy: no key of it is used any more."""
    operation: Operation | None = None
    heal: Heal | None = None
    # What is wanted, done one after the other as the operation slot is free:
    wants: bool = False
    """Encryption."""
    adds: tuple[Number, ...] = ()
    removes: tuple[Number, ...] = ()
    ends: str = ""
    revives: bool = False
    refreshes: bool = False
    subject_wish: str | None = None
    icon_wish: bytes | None = field(default=None, repr=False)
    """As `icon`; empty to take it away."""
    asks_keys: bool = False
    """We came back, and lack keys of subject or icon."""
    gives_keys_at: Instant = 0
    """When we answer who asked for them, if nobody did; 0: nobody asks."""
    again: tuple[Again, ...] = ()
    refusals: int = 0
    """Commits of ours that were refused since the group last went on."""
    commit_at: Instant = 0
    """When proposals of others are committed by us, if nobody did; 0: none wait."""
    refreshed_at: Instant = 0
    sends: int = 0
    """Letters since our last path."""
    parked: int = 0
    """The number of the next one."""
    accepted: tuple[tuple[str, int, int, bytes], ...] = ()
    """Commits of the peer that we accepted lately: control id, era, epoch, authenticator."""
    continuity: bytes = field(default=b"", repr=False)
    """The token of the conversation's groups; empty while nobody has told us one."""
    subject: Metadata | None = None
    keys: tuple[bytes, ...] = ()
    """Entries of FileInfo for subject and icon, the newest last, which members or a Welcome gave us."""
    described_subject: bytes = b""
    described_icon: str = ""
    """What the conference says of them."""
    next_subject: Metadata | None = None
    """Ours, whose commit was not accepted yet."""
    icon: bytes = field(default=b"", repr=False)
    """An IconPointer; empty without one."""

    @property
    def moment(self) -> Moment:
        """Where the group in force is; (0, 0) without one."""
        return Moment(self.group.era, self.epoch) if self.group is not None else Moment(0, 0)


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


# --- forms -------------------------------------------------------------------------------------------
def _group(text: str) -> GroupId | None:
    return GroupId(bytes.fromhex(text)) if text else None


_CONVERSATION: Form[Conversation] = Form(
    lambda value: TEXT.write(value.peer or "") + TEXT.write("" if value.group is None else value.group.hex()),
    lambda reader: Conversation(TEXT.read(reader) or None, _group(TEXT.read(reader))),
)
_HEADER = record(PacketHeader, namespace=TEXT, name=TEXT, value=TEXT)
_PACKET = record(
    Packet,
    conversation=_CONVERSATION,
    to=maybe(TEXT),
    message_id=TEXT,
    content_type=TEXT,
    headers=many(_HEADER),
    body=BYTES,
    dispositions=many(TEXT),
    large=BOOL,
    until=choice(UntilWhen),
)
_HELD = record(HeldGroup, number=U64, era=U64, stamp=BYTES)
_DEVICE = record(Device, number=TEXT, device=BYTES, spki=BYTES, since_epoch=U64)
_KIND: Form[Kind] = Form(U64.write, lambda reader: Kind(reader.u64()))
_STATE: Form[HealthState] = Form(U64.write, lambda reader: HealthState(reader.u64()))
_MOMENT = record(Moment, era=U64, epoch=U64)
_HEALTH = record(Health, state=_STATE, recovered_at=maybe(_MOMENT), last_healthy=maybe(U64), request=TEXT)
_BACKOFF = record(Backoff, count=U64, last=U64)
_OPERATION = record(
    Operation,
    kind=_KIND,
    started_at=U64,
    numbers=many(TEXT),
    attempts=U64,
    next_at=U64,
    request=TEXT,
    control_id=TEXT,
    era=U64,
    epoch=U64,
    authenticator=BYTES,
    candidate=maybe(_HELD),
    asked=BOOL,
)
_HEAL = record(
    Heal,
    since=U64,
    cause=TEXT,
    from_future=BOOL,
    begun=BOOL,
    spent=BOOL,
    looks=U64,
    next_at=U64,
    asked=BOOL,
    not_found=BOOL,
    election_waits=Form(lambda value: U64.write(value + 1), lambda reader: reader.u64() - 1),
    replay_failed=BOOL,
    external_failed=BOOL,
    advance_failed=BOOL,
    mismatched=BOOL,
)
_EXTENSION = record(Extension, extension_type=U64, extension_data=BYTES)
_METADATA = record(Metadata, key=BYTES, ciphertext=BYTES, text=TEXT, at=U64)
_ACCEPTED: Form[tuple[str, int, int, bytes]] = Form(
    lambda value: TEXT.write(value[0]) + U64.write(value[1]) + U64.write(value[2]) + BYTES.write(value[3]),
    lambda reader: (TEXT.read(reader), reader.u64(), reader.u64(), reader.vector()),
)
_CHAT = record(
    Chat,
    conversation=_CONVERSATION,
    mls_id=TEXT,
    groups=U64,
    group=maybe(_HELD),
    epoch=U64,
    authenticator=BYTES,
    leaving=many(BYTES),
    latched=BOOL,
    left=BOOL,
    ended=TEXT,
    ended_by=TEXT,
    blocked=TEXT,
    health=_HEALTH,
    ledger=nested(encode_ledger, decode_ledger),
    backoff=_BACKOFF,
    era_seen=U64,
    held=_MOMENT,
    context=many(_EXTENSION),
    strangers=many(TEXT),
    runs=U64,
    stalled=TEXT,
    rejoin=BOOL,
    operation=maybe(_OPERATION),
    heal=maybe(_HEAL),
    wants=BOOL,
    adds=many(TEXT),
    removes=many(TEXT),
    ends=TEXT,
    revives=BOOL,
    refreshes=BOOL,
    subject_wish=maybe(TEXT),
    icon_wish=maybe(BYTES),
    asks_keys=BOOL,
    gives_keys_at=U64,
    again=many(record(Again, message_id=TEXT, member=TEXT, signed=BOOL, at=U64)),
    refusals=U64,
    commit_at=U64,
    refreshed_at=U64,
    sends=U64,
    parked=U64,
    accepted=many(_ACCEPTED),
    continuity=BYTES,
    subject=maybe(_METADATA),
    keys=many(BYTES),
    described_subject=BYTES,
    described_icon=TEXT,
    next_subject=maybe(_METADATA),
    icon=BYTES,
)
_PEOPLE = record(People, members=many(_DEVICE), roster=many(TEXT))
_SENT = record(Sent, root=TEXT, at=U64, era=U64, epoch=U64, waiting=many(TEXT), packet=maybe(_PACKET))
_RECEIVED = record(Received, device=BYTES, digest=BYTES, at=U64, era=U64, wants_display=BOOL, displayed=BOOL)
_PARKED = record(Parked, packet=_PACKET, sender=maybe(TEXT), at=U64, era=U64, epoch=U64, failed=BOOL)
_PIN = record(Pin, spki=BYTES, verified=BOOL, seen=BYTES)

CHATS: Final = kind_of("rcc16-chat", _CHAT)
PEOPLE: Final = kind_of("rcc16-people", _PEOPLE)
ROWS: Final[RecordKind[bytes]] = RecordKind("rcc16-row", bytes, bytes)
PACKETS: Final = kind_of("rcc16-packet", _PACKET)
SENT: Final = kind_of("rcc16-sent", _SENT)
RECEIVED: Final = kind_of("rcc16-received", _RECEIVED)
PARKED: Final = kind_of("rcc16-parked", _PARKED)
CLAIMS: Final = kind_of("rcc16-claim", _CONVERSATION)
PINS: Final = kind_of("rcc16-pin", _PIN)
SWEPT: Final = Key(kind_of("rcc16-swept", U64), "rcc16-swept/at")
VERIFIED: Final = Key(kind_of("rcc16-verified", many(TEXT)), "rcc16-verified/numbers")
"""Numbers whose key was verified: few, so that not every pin of a large group is looked at with every letter."""
