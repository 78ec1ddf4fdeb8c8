"""The engine's records: values, keys and their stored form.

One kind per concept; values are frozen. The forms are compact because a busy device writes a few of
them for every message; a form that changes gets a new kind, so that old stores stay readable.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass, field

from ..codec import tls
from ..errors import DecodeError
from ..ids import AccountId, DeviceId, Instant, MessageId, Number
from ..seam import Key, Recipient, RecordKind
from ..trust.device_list import VerifiedDeviceList, from_store, recipient_of
from .carriage import Inbound
from .events import Recorded, decode_recorded, encode_recorded

__all__ = [
    "CHAT",
    "CONTACT",
    "DELIVERY",
    "EVENT",
    "EVENT_LOG",
    "FETCH",
    "HELD",
    "INBOX",
    "MATERIAL",
    "MESSAGE",
    "OUTBOX",
    "PARKED",
    "TROUBLE",
    "UPKEEP",
    "WAITING",
    "Chat",
    "Contact",
    "Delivery",
    "EventLog",
    "Fetch",
    "Gap",
    "Head",
    "HeldNote",
    "InboxEntry",
    "Message",
    "Parked",
    "Row",
    "Status",
    "Task",
    "Trouble",
    "Upkeep",
    "Waiting",
    "chat_key",
    "contact_key",
    "delivery_key",
    "event_key",
    "held_key",
    "inbox_key",
    "material_key",
    "message_key",
    "order_of",
    "order_parts",
    "outbox_key",
    "parked_key",
    "trouble_key",
    "waiting_key",
]

_U64 = struct.Struct(">Q")


# --- events --------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class EventLog:
    """The cursors that exist: `first` to `next` - 1."""

    first: int
    next: int


# --- chats ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Gap:
    """Messages of one device that were announced as missing. The marker stands at this Lamport time."""

    first: int
    last: int
    lamport: int


@dataclass(frozen=True, slots=True)
class Head:
    """How far one sending device has got in a chat: everything up to `sequence` was shown or is in `gaps`.

    Not told to others as seen before it passes `quiet`: they joined later.
    """

    account: AccountId
    device: DeviceId
    sequence: int
    gaps: tuple[Gap, ...] = ()
    quiet: int = 0


@dataclass(frozen=True, slots=True)
class HeldNote:
    """A message that is held back until what it follows has come. The message is in `held/`."""

    order: str
    account: AccountId
    device: DeviceId
    sequence: int
    causes: tuple[tuple[AccountId, DeviceId, int], ...]
    until: Instant


@dataclass(frozen=True, slots=True)
class Chat:
    """What the engine knows of one chat, beside its contact's keys."""

    number: Number
    sticky: bool = False
    """Was encrypted once; never becomes plain by itself (SR-01)."""
    accepted: bool = False
    """The user has written here."""
    lamport: int = 0
    sequence: int = 0
    """Of our own content in this chat."""
    base: int = 0
    """Our sequence when the devices that get our messages changed last; newcomers expect nothing before it."""
    audience: bytes = b""
    """Both list heads that `base` was made for."""
    heads: tuple[Head, ...] = ()
    held: tuple[HeldNote, ...] = ()
    waiting: int = 0
    """Messages in `waiting/`."""
    transition: int = 0
    nonce: bytes = field(default=b"", repr=False)
    """What the option of this transition must hold; empty when there is none (any more)."""
    plain: int = -1
    """The transition for which the user chose to send unencrypted."""
    absent_at: Instant = 0
    """When the directory last said that it knows no keys; 0 if it did not."""
    shown: str = ""
    """The security state that was told last."""
    typing_sent: Instant = 0
    typing_seen: Instant = 0
    """When the peer's typing was told last; 0 when idle."""


@dataclass(frozen=True, slots=True)
class Contact:
    """The pinned keys of a number; our own number has one too."""

    list: VerifiedDeviceList
    past_heads: tuple[bytes, ...] = ()
    """Heads of earlier lists of the same account, newest first: a message may still name one."""
    fetched_at: Instant = 0
    verified_at: Instant = 0
    """When the user compared codes; 0 if never for this key."""
    keys_new: bool = False
    """The participant key changed and the user has not yet said anything to it."""
    broken: bool = False
    """... and it had been verified: sending is paused."""
    recipient: Recipient = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "recipient", recipient_of(self.list))

    @property
    def account(self) -> AccountId:
        return self.list.account

    @property
    def head(self) -> bytes:
        return self.list.head


# --- messages ----------------------------------------------------------------------------------------------
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


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat, or the marker of a gap. Its place is `order`."""

    order: str
    message_id: MessageId
    sender: Number
    mine: bool
    encrypted: bool
    status: Status
    sent_at: Instant
    at: Instant
    content_type: str
    text: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """That a message id was met from an authenticated device, and in which frame bytes (their hash)."""

    digest: bytes
    order: str
    """Empty for receipts and other control."""
    at: Instant
    receipt_at: Instant
    displayed: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is known of a message of ours, kept after its outbox rows are gone."""

    chat: Number
    order: str
    """Empty when the receipt was faster than another own device's copy."""
    delivered: tuple[tuple[AccountId, DeviceId], ...] = ()
    displayed: tuple[tuple[AccountId, DeviceId], ...] = ()
    resends: tuple[tuple[AccountId, DeviceId, int], ...] = ()
    at: Instant = 0


# --- outgoing ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Row:
    """One frame on its way to one account. Its bytes never change (SR-06)."""

    chat: Number
    to: Number
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


# --- incoming --------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Parked:
    """A frame that waits for a device list."""

    inbound: Inbound
    at: Instant


@dataclass(frozen=True, slots=True)
class Trouble:
    """Bounded counters of one peer, or of all strangers together (SR-07)."""

    hour: int
    unreadable: int
    total: int
    requests: int
    resends: int
    recent: tuple[bytes, ...] = ()
    """Starts of hashes of what was unreadable lately: told once, however often it comes."""
    reset_at: Instant = 0
    """When a session with this contact was last retired because of it."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """When the engine's regular work is due."""

    protocols: tuple[tuple[str, Instant], ...] = ()
    prune_at: Instant = 0
    self_check_at: Instant = 0
    publishing: tuple[tuple[str, bytes, int, Instant], ...] = ()
    """(protocol, payload, attempts, next attempt) of uploads that were not confirmed yet."""


# --- keys ------------------------------------------------------------------------------------------------------
def chat_key(number: Number) -> Key[Chat]:
    return Key(CHAT, "chat/" + number)


def contact_key(number: Number) -> Key[Contact]:
    return Key(CONTACT, "contact/" + number)


def message_key(chat: Number, order: str) -> Key[Message]:
    return Key(MESSAGE, f"message/{chat}/{order}")


def held_key(chat: Number, order: str) -> Key[Message]:
    return Key(HELD, f"held/{chat}/{order}")


def inbox_key(chat: Number, message_id: str, account: AccountId, device: int) -> Key[InboxEntry]:
    return Key(INBOX, f"inbox/{chat}/{message_id}/{account.hex()}.{device}")


def delivery_key(message_id: str) -> Key[Delivery]:
    return Key(DELIVERY, "delivery/" + message_id)


def outbox_key(message_id: str, account: AccountId, device: int = 0) -> Key[Row]:
    """The row of a frame for all devices of an account, or of a later copy for one."""
    return Key(OUTBOX, f"outbox/{message_id}/{account.hex()}" + (f".{device}" if device else ""))


def waiting_key(chat: Number, waiting: Waiting) -> Key[Waiting]:
    """Content in the order of its sequence, and after it what is sent again."""
    place = f"{order_parts(waiting.order)[3]:08x}" if waiting.task is Task.CONTENT else "~"
    return Key(
        WAITING, f"waiting/{chat}/{place}.{waiting.message_id}.{waiting.task}.{waiting.account.hex()}.{waiting.device}"
    )


def material_key(account: AccountId, device: int) -> Key[bytes]:
    return Key(MATERIAL, f"material/{account.hex()}.{device}")


def parked_key(number: Number, digest: bytes) -> Key[Parked]:
    return Key(PARKED, f"parked/{number}/{digest.hex()}")


def trouble_key(name: str) -> Key[Trouble]:
    return Key(TROUBLE, "trouble/" + name)


def event_key(cursor: int) -> Key[Recorded]:
    return Key(EVENT, f"event/{cursor:020d}")


def order_of(lamport: int, account: AccountId, device: int, sequence: int) -> str:
    """The place of a message in its chat, as text that sorts: Lamport time, sender, sequence."""
    return f"{lamport:016x}.{account.hex()}.{device:02x}.{sequence:08x}"


def order_parts(order: str) -> tuple[int, AccountId, DeviceId, int]:
    """Lamport time, account, device and sequence of a place."""
    lamport, account, device, sequence = order.split(".")
    return int(lamport, 16), AccountId(bytes.fromhex(account)), DeviceId(int(device, 16)), int(sequence, 16)


# --- forms -------------------------------------------------------------------------------------------------------
def _text(value: str) -> bytes:
    return tls.opaque(value.encode())


def _read_text(reader: tls.Reader) -> str:
    try:
        return reader.opaque(1 << 29).decode()
    except UnicodeDecodeError:
        raise DecodeError("text in a record is not UTF-8", code="record.text") from None


def _read_blob(reader: tls.Reader) -> bytes:
    return reader.opaque(1 << 29)


_CHAT = struct.Struct(">BQIIIqqQQQ")


def _encode_chat(chat: Chat) -> bytes:
    out = [
        _CHAT.pack(
            chat.sticky | chat.accepted << 1,
            chat.lamport,
            chat.sequence,
            chat.base,
            chat.waiting,
            chat.transition,
            chat.plain,
            chat.absent_at,
            chat.typing_sent,
            chat.typing_seen,
        ),
        _text(chat.number),
        tls.opaque(chat.audience),
        tls.opaque(chat.nonce),
        _text(chat.shown),
        tls.varint(len(chat.heads)),
    ]
    for head in chat.heads:
        out.append(head.account + struct.pack(">BIIB", head.device, head.sequence, head.quiet, len(head.gaps)))
        out.extend(struct.pack(">IIQ", gap.first, gap.last, gap.lamport) for gap in head.gaps)
    out.append(tls.varint(len(chat.held)))
    for note in chat.held:
        out.append(_text(note.order) + note.account)
        out.append(struct.pack(">BIQB", note.device, note.sequence, note.until, len(note.causes)))
        out.extend(account + struct.pack(">BI", device, sequence) for account, device, sequence in note.causes)
    return b"".join(out)


def _decode_chat(data: bytes) -> Chat:
    flags, lamport, sequence, base, waiting, transition, plain, absent_at, typing_sent, typing_seen = _CHAT.unpack(
        data[: _CHAT.size]
    )
    reader = tls.Reader(data[_CHAT.size :])
    number = Number(_read_text(reader))
    audience, nonce, shown = _read_blob(reader), _read_blob(reader), _read_text(reader)
    heads = []
    for _ in range(reader.varint()):
        account, device = AccountId(reader.take(16)), DeviceId(reader.u8())
        seen, quiet = reader.u32(), reader.u32()
        gaps = tuple(Gap(reader.u32(), reader.u32(), reader.u64()) for _ in range(reader.u8()))
        heads.append(Head(account, device, seen, gaps, quiet))
    held = []
    for _ in range(reader.varint()):
        order, account, device = _read_text(reader), AccountId(reader.take(16)), DeviceId(reader.u8())
        number_in_order, until = reader.u32(), reader.u64()
        causes = tuple((AccountId(reader.take(16)), DeviceId(reader.u8()), reader.u32()) for _ in range(reader.u8()))
        held.append(HeldNote(order, account, device, number_in_order, causes, until))
    reader.end()
    return Chat(
        number=number,
        sticky=bool(flags & 1),
        accepted=bool(flags & 2),
        lamport=lamport,
        sequence=sequence,
        base=base,
        audience=audience,
        heads=tuple(heads),
        held=tuple(held),
        waiting=waiting,
        transition=transition,
        nonce=nonce,
        plain=plain,
        absent_at=absent_at,
        shown=shown,
        typing_sent=typing_sent,
        typing_seen=typing_seen,
    )


def _encode_contact(contact: Contact) -> bytes:
    return b"".join(
        (
            struct.pack(">BQQ", contact.keys_new | contact.broken << 1, contact.fetched_at, contact.verified_at),
            tls.opaque(b"".join(contact.past_heads)),
            tls.opaque(contact.list.encoded),
        )
    )


def _decode_contact(data: bytes) -> Contact:
    reader = tls.Reader(data)
    flags, fetched_at, verified_at = reader.u8(), reader.u64(), reader.u64()
    heads, encoded = _read_blob(reader), _read_blob(reader)
    reader.end()
    past = tuple(heads[at : at + 32] for at in range(0, len(heads), 32))
    return Contact(from_store(encoded), past, fetched_at, verified_at, bool(flags & 1), bool(flags & 2))


_MESSAGE = struct.Struct(">BBQQ")


def _encode_message(message: Message) -> bytes:
    text = message.text
    return b"".join(
        (
            _MESSAGE.pack(
                message.mine | message.encrypted << 1 | (text is not None) << 2,
                message.status,
                message.sent_at,
                message.at,
            ),
            _text(message.order),
            _text(message.message_id),
            _text(message.sender),
            _text(message.content_type),
            (text or "").encode(),
        )
    )


def _decode_message(data: bytes) -> Message:
    flags, status, sent_at, at = _MESSAGE.unpack(data[: _MESSAGE.size])
    reader = tls.Reader(data[_MESSAGE.size :])
    order, message_id, sender, content_type = (_read_text(reader) for _ in range(4))
    text = reader.rest().decode() if flags & 4 else None
    return Message(
        order,
        MessageId(message_id),
        Number(sender),
        bool(flags & 1),
        bool(flags & 2),
        Status(status),
        sent_at,
        at,
        content_type,
        text,
    )


_ROW = struct.Struct(">BQQQI16s")


def _encode_row(row: Row) -> bytes:
    return b"".join(
        (
            _ROW.pack(row.accepted, row.created, row.expires, row.next_at, row.attempts, row.account),
            _text(row.chat),
            _text(row.to),
            _text(row.message_id),
            _text(row.order),
            _text(row.content_type),
            tls.opaque(bytes(row.pending)),
            row.body,
        )
    )


def _decode_row(data: bytes) -> Row:
    accepted, created, expires, next_at, attempts, account = _ROW.unpack(data[: _ROW.size])
    reader = tls.Reader(data[_ROW.size :])
    chat, to, message_id, order, content_type = (_read_text(reader) for _ in range(5))
    pending = tuple(DeviceId(n) for n in _read_blob(reader))
    return Row(
        Number(chat),
        Number(to),
        AccountId(account),
        MessageId(message_id),
        order,
        content_type,
        reader.rest(),
        pending,
        created,
        expires,
        attempts,
        next_at,
        bool(accepted),
    )


def _encode_inbox(entry: InboxEntry) -> bytes:
    return entry.digest + struct.pack(">BQQ", entry.displayed, entry.at, entry.receipt_at) + entry.order.encode()


def _decode_inbox(data: bytes) -> InboxEntry:
    reader = tls.Reader(data)
    digest, displayed, at, receipt_at = reader.take(16), reader.u8(), reader.u64(), reader.u64()
    return InboxEntry(digest, reader.rest().decode(), at, receipt_at, bool(displayed))


def _encode_delivery(delivery: Delivery) -> bytes:
    return b"".join(
        (
            _U64.pack(delivery.at),
            _text(delivery.chat),
            _text(delivery.order),
            tls.opaque(b"".join(account + tls.u8(device) for account, device in delivery.delivered)),
            tls.opaque(b"".join(account + tls.u8(device) for account, device in delivery.displayed)),
            tls.opaque(b"".join(account + tls.u8(device) + tls.u8(n) for account, device, n in delivery.resends)),
        )
    )


def _decode_delivery(data: bytes) -> Delivery:
    reader = tls.Reader(data)
    at, chat, order = reader.u64(), Number(_read_text(reader)), _read_text(reader)
    delivered, displayed, resends = (_read_blob(reader) for _ in range(3))
    reader.end()
    return Delivery(
        chat,
        order,
        _addresses(delivered),
        _addresses(displayed),
        tuple(
            (AccountId(resends[at : at + 16]), DeviceId(resends[at + 16]), resends[at + 17])
            for at in range(0, len(resends), 18)
        ),
        at,
    )


def _addresses(data: bytes) -> tuple[tuple[AccountId, DeviceId], ...]:
    return tuple((AccountId(data[at : at + 16]), DeviceId(data[at + 16])) for at in range(0, len(data), 17))


def _encode_waiting(waiting: Waiting) -> bytes:
    return b"".join(
        (
            struct.pack(">BB16sQQ", waiting.task, waiting.device, waiting.account, waiting.created, waiting.expires),
            _text(waiting.message_id),
            _text(waiting.order),
        )
    )


def _decode_waiting(data: bytes) -> Waiting:
    reader = tls.Reader(data)
    task, device, account = Task(reader.u8()), reader.u8(), AccountId(reader.take(16))
    created, expires = reader.u64(), reader.u64()
    message_id, order = _read_text(reader), _read_text(reader)
    reader.end()
    return Waiting(task, MessageId(message_id), order, account, device, created, expires)


def _encode_fetch(fetch: Fetch) -> bytes:
    return (
        fetch.account
        + struct.pack(">BIIQQ", fetch.device, fetch.since_serial, fetch.attempts, fetch.started, fetch.next_at)
        + fetch.number.encode()
    )


def _decode_fetch(data: bytes) -> Fetch:
    reader = tls.Reader(data)
    account, device, since, attempts = AccountId(reader.take(16)), reader.u8(), reader.u32(), reader.u32()
    started, next_at = reader.u64(), reader.u64()
    return Fetch(Number(reader.rest().decode()), account, device, since, attempts, started, next_at)


def _encode_parked(parked: Parked) -> bytes:
    inbound = parked.inbound
    return b"".join(
        (
            struct.pack(">QQ", parked.at, inbound.received_at),
            _text(inbound.sender or ""),
            _text(inbound.recipient),
            _text(inbound.message_id),
            _text(inbound.content_type),
            inbound.body,
        )
    )


def _decode_parked(data: bytes) -> Parked:
    reader = tls.Reader(data)
    at, received_at = reader.u64(), reader.u64()
    sender, recipient, message_id, content_type = (_read_text(reader) for _ in range(4))
    return Parked(
        Inbound(
            Number(sender) if sender else None,
            Number(recipient),
            MessageId(message_id),
            content_type,
            reader.rest(),
            received_at,
        ),
        at,
    )


_TROUBLE = struct.Struct(">QIQIIQ")


def _encode_trouble(trouble: Trouble) -> bytes:
    counters = (trouble.hour, trouble.unreadable, trouble.total, trouble.requests, trouble.resends, trouble.reset_at)
    return _TROUBLE.pack(*counters) + b"".join(trouble.recent)


def _decode_trouble(data: bytes) -> Trouble:
    hour, unreadable, total, requests, resends, reset_at = _TROUBLE.unpack(data[: _TROUBLE.size])
    recent = data[_TROUBLE.size :]
    digests = tuple(recent[at : at + 8] for at in range(0, len(recent), 8))
    return Trouble(hour, unreadable, total, requests, resends, digests, reset_at)


def _encode_upkeep(upkeep: Upkeep) -> bytes:
    out = [struct.pack(">QQB", upkeep.prune_at, upkeep.self_check_at, len(upkeep.protocols))]
    out.extend(_text(name) + _U64.pack(at) for name, at in upkeep.protocols)
    out.append(tls.u8(len(upkeep.publishing)))
    out.extend(
        _text(name) + tls.opaque(payload) + struct.pack(">IQ", attempts, at)
        for name, payload, attempts, at in upkeep.publishing
    )
    return b"".join(out)


def _decode_upkeep(data: bytes) -> Upkeep:
    reader = tls.Reader(data)
    prune_at, self_check_at = reader.u64(), reader.u64()
    protocols = tuple((_read_text(reader), reader.u64()) for _ in range(reader.u8()))
    publishing = tuple((_read_text(reader), _read_blob(reader), reader.u32(), reader.u64()) for _ in range(reader.u8()))
    reader.end()
    return Upkeep(protocols, prune_at, self_check_at, publishing)


def _encode_log(log: EventLog) -> bytes:
    return struct.pack(">QQ", log.first, log.next)


def _decode_log(data: bytes) -> EventLog:
    reader = tls.Reader(data)
    log = EventLog(reader.u64(), reader.u64())
    reader.end()
    return log


# --- kinds -------------------------------------------------------------------------------------------------------
EVENT: RecordKind[Recorded] = RecordKind("event", encode_recorded, decode_recorded)
CHAT: RecordKind[Chat] = RecordKind("chat", _encode_chat, _decode_chat)
CONTACT: RecordKind[Contact] = RecordKind("contact", _encode_contact, _decode_contact)
MESSAGE: RecordKind[Message] = RecordKind("message", _encode_message, _decode_message)
HELD: RecordKind[Message] = RecordKind("held", _encode_message, _decode_message)
OUTBOX: RecordKind[Row] = RecordKind("outbox", _encode_row, _decode_row)
INBOX: RecordKind[InboxEntry] = RecordKind("inbox", _encode_inbox, _decode_inbox)
DELIVERY: RecordKind[Delivery] = RecordKind("delivery", _encode_delivery, _decode_delivery)
WAITING: RecordKind[Waiting] = RecordKind("waiting", _encode_waiting, _decode_waiting)
FETCH: RecordKind[Fetch] = RecordKind("fetch", _encode_fetch, _decode_fetch)
MATERIAL: RecordKind[bytes] = RecordKind("material", bytes, bytes)
PARKED: RecordKind[Parked] = RecordKind("parked", _encode_parked, _decode_parked)
TROUBLE: RecordKind[Trouble] = RecordKind("trouble", _encode_trouble, _decode_trouble)
EVENT_LOG: Key[EventLog] = RecordKind("event-log", _encode_log, _decode_log).key("log")
UPKEEP: Key[Upkeep] = RecordKind("upkeep", _encode_upkeep, _decode_upkeep).key("upkeep")
