"""The stored form of the engine's records: compact, because a busy device writes a few of them for every message.

A form that changes gets a new kind, so that old stores stay readable. `decode_*` raise DecodeError (or
struct.error, for a record that is shorter than its fixed part) on damaged records only: the store has
authenticated every byte.
"""

from __future__ import annotations

import struct

from ..codec import tls
from ..errors import DecodeError
from ..ids import AccountId, DeviceId, MessageId, Number
from ..trust.device_list import from_store
from .carriage import Inbound
from .record_values import (
    Chat,
    Contact,
    Delivery,
    EventLog,
    Fetch,
    Gap,
    Head,
    HeldNote,
    InboxEntry,
    Message,
    Parked,
    Row,
    Status,
    Task,
    Trouble,
    Upkeep,
    Waiting,
)

__all__ = [
    "decode_chat",
    "decode_contact",
    "decode_delivery",
    "decode_fetch",
    "decode_inbox",
    "decode_log",
    "decode_message",
    "decode_parked",
    "decode_row",
    "decode_trouble",
    "decode_upkeep",
    "decode_waiting",
    "encode_chat",
    "encode_contact",
    "encode_delivery",
    "encode_fetch",
    "encode_inbox",
    "encode_log",
    "encode_message",
    "encode_parked",
    "encode_row",
    "encode_trouble",
    "encode_upkeep",
    "encode_waiting",
]

_U64 = struct.Struct(">Q")


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


def encode_chat(chat: Chat) -> bytes:
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


def decode_chat(data: bytes) -> Chat:
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


def encode_contact(contact: Contact) -> bytes:
    return b"".join(
        (
            struct.pack(">BQQ", contact.keys_new | contact.broken << 1, contact.fetched_at, contact.verified_at),
            tls.opaque(b"".join(contact.past_heads)),
            tls.opaque(contact.list.encoded),
        )
    )


def decode_contact(data: bytes) -> Contact:
    reader = tls.Reader(data)
    flags, fetched_at, verified_at = reader.u8(), reader.u64(), reader.u64()
    heads, encoded = _read_blob(reader), _read_blob(reader)
    reader.end()
    past = tuple(heads[at : at + 32] for at in range(0, len(heads), 32))
    return Contact(from_store(encoded), past, fetched_at, verified_at, bool(flags & 1), bool(flags & 2))


_MESSAGE = struct.Struct(">BBQQ")


def encode_message(message: Message) -> bytes:
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


def decode_message(data: bytes) -> Message:
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


def encode_row(row: Row) -> bytes:
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


def decode_row(data: bytes) -> Row:
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


def encode_inbox(entry: InboxEntry) -> bytes:
    return entry.digest + struct.pack(">BQQ", entry.displayed, entry.at, entry.receipt_at) + entry.order.encode()


def decode_inbox(data: bytes) -> InboxEntry:
    reader = tls.Reader(data)
    digest, displayed, at, receipt_at = reader.take(16), reader.u8(), reader.u64(), reader.u64()
    return InboxEntry(digest, reader.rest().decode(), at, receipt_at, bool(displayed))


def encode_delivery(delivery: Delivery) -> bytes:
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


def decode_delivery(data: bytes) -> Delivery:
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


def encode_waiting(waiting: Waiting) -> bytes:
    return b"".join(
        (
            struct.pack(">BB16sQQ", waiting.task, waiting.device, waiting.account, waiting.created, waiting.expires),
            _text(waiting.message_id),
            _text(waiting.order),
        )
    )


def decode_waiting(data: bytes) -> Waiting:
    reader = tls.Reader(data)
    task, device, account = Task(reader.u8()), reader.u8(), AccountId(reader.take(16))
    created, expires = reader.u64(), reader.u64()
    message_id, order = _read_text(reader), _read_text(reader)
    reader.end()
    return Waiting(task, MessageId(message_id), order, account, device, created, expires)


def encode_fetch(fetch: Fetch) -> bytes:
    return (
        fetch.account
        + struct.pack(">BIIQQ", fetch.device, fetch.since_serial, fetch.attempts, fetch.started, fetch.next_at)
        + fetch.number.encode()
    )


def decode_fetch(data: bytes) -> Fetch:
    reader = tls.Reader(data)
    account, device, since, attempts = AccountId(reader.take(16)), reader.u8(), reader.u32(), reader.u32()
    started, next_at = reader.u64(), reader.u64()
    return Fetch(Number(reader.rest().decode()), account, device, since, attempts, started, next_at)


def encode_parked(parked: Parked) -> bytes:
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


def decode_parked(data: bytes) -> Parked:
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


def encode_trouble(trouble: Trouble) -> bytes:
    counters = (trouble.hour, trouble.unreadable, trouble.total, trouble.requests, trouble.resends, trouble.reset_at)
    return _TROUBLE.pack(*counters) + b"".join(trouble.recent)


def decode_trouble(data: bytes) -> Trouble:
    hour, unreadable, total, requests, resends, reset_at = _TROUBLE.unpack(data[: _TROUBLE.size])
    recent = data[_TROUBLE.size :]
    digests = tuple(recent[at : at + 8] for at in range(0, len(recent), 8))
    return Trouble(hour, unreadable, total, requests, resends, digests, reset_at)


def encode_upkeep(upkeep: Upkeep) -> bytes:
    out = [struct.pack(">QQB", upkeep.prune_at, upkeep.self_check_at, len(upkeep.protocols))]
    out.extend(_text(name) + _U64.pack(at) for name, at in upkeep.protocols)
    out.append(tls.u8(len(upkeep.publishing)))
    out.extend(
        _text(name) + tls.opaque(payload) + struct.pack(">IQ", attempts, at)
        for name, payload, attempts, at in upkeep.publishing
    )
    return b"".join(out)


def decode_upkeep(data: bytes) -> Upkeep:
    reader = tls.Reader(data)
    prune_at, self_check_at = reader.u64(), reader.u64()
    protocols = tuple((_read_text(reader), reader.u64()) for _ in range(reader.u8()))
    publishing = tuple((_read_text(reader), _read_blob(reader), reader.u32(), reader.u64()) for _ in range(reader.u8()))
    reader.end()
    return Upkeep(protocols, prune_at, self_check_at, publishing)


def encode_log(log: EventLog) -> bytes:
    return struct.pack(">QQ", log.first, log.next)


def decode_log(data: bytes) -> EventLog:
    reader = tls.Reader(data)
    log = EventLog(reader.u64(), reader.u64())
    reader.end()
    return log
