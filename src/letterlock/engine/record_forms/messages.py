"""The stored form of messages and of what is known about them."""

from __future__ import annotations

import struct

from ...carriage import Medium
from ...codec import tls
from ...ids import AccountId, DeviceId, MessageId, Number
from ..record_values import Delivery, InboxEntry, Message, Status
from ..thread import Edited, Mark, Place, Thread
from .basics import U64, read_blob, read_chat, read_text, text

__all__ = [
    "decode_delivery",
    "decode_inbox",
    "decode_message",
    "decode_place",
    "decode_thread",
    "encode_delivery",
    "encode_inbox",
    "encode_message",
    "encode_place",
    "encode_thread",
]

_MESSAGE = struct.Struct(">BBQQ")
_MINE, _ENCRYPTED, _TEXT, _MORE, _CHANGE, _SMS = 1, 2, 4, 8, 16, 32


def encode_message(message: Message) -> bytes:
    body = message.text
    more = bool(message.entity or message.reply_to)
    head = _MESSAGE.pack(
        message.mine
        | message.encrypted << 1
        | (body is not None) << 2
        | more << 3
        | message.change << 4
        | message.medium << 5,
        message.status,
        message.sent_at,
        message.at,
    )
    pieces = [head, text(message.order), text(message.message_id), text(message.sender), text(message.content_type)]
    if more:
        pieces += (text(message.reply_to), text(message.reply_author), tls.opaque(message.entity))
    pieces.append((body or "").encode())
    return b"".join(pieces)


def decode_message(data: bytes) -> Message:
    flags, status, sent_at, at = _MESSAGE.unpack(data[: _MESSAGE.size])
    reader = tls.Reader(data[_MESSAGE.size :])
    order, message_id, sender, content_type = (read_text(reader) for _ in range(4))
    reply_to, reply_author, entity = "", "", b""
    if flags & _MORE:
        reply_to, reply_author, entity = read_text(reader), read_text(reader), read_blob(reader)
    return Message(
        order=order,
        message_id=MessageId(message_id),
        sender=Number(sender),
        mine=bool(flags & _MINE),
        encrypted=bool(flags & _ENCRYPTED),
        status=Status(status),
        sent_at=sent_at,
        at=at,
        content_type=content_type,
        text=reader.rest().decode() if flags & _TEXT else None,
        entity=entity,
        reply_to=reply_to,
        reply_author=reply_author,
        change=bool(flags & _CHANGE),
        medium=Medium.SMS if flags & _SMS else Medium.RCS,
    )


def encode_place(place: Place) -> bytes:
    return U64.pack(place.cursor) + place.order.encode()


def decode_place(data: bytes) -> Place:
    return Place(data[8:].decode(), *U64.unpack(data[:8]))


def encode_thread(thread: Thread) -> bytes:
    out = [tls.u8(thread.edited is not None), text(thread.deleted)]
    if (edited := thread.edited) is not None:
        out += (text(edited.order), text(edited.message_id), text(edited.text))
        out.append(struct.pack(">QQ", edited.sent_at, edited.cursor))
    out.append(tls.varint(len(thread.marks)))
    for mark in thread.marks:
        out += (mark.account, tls.u8(mark.present), text(mark.sender), text(mark.emoji), text(mark.order))
    return b"".join(out)


def decode_thread(data: bytes) -> Thread:
    reader = tls.Reader(data)
    has_edit, deleted = reader.u8(), read_text(reader)
    edited = None
    if has_edit:
        order, message_id, body = (read_text(reader) for _ in range(3))
        edited = Edited(order, MessageId(message_id), body, reader.u64(), reader.u64())
    marks = []
    for _ in range(reader.varint()):
        account, present = AccountId(reader.take(16)), bool(reader.u8())
        sender, emoji, order = (read_text(reader) for _ in range(3))
        marks.append(Mark(account, Number(sender), emoji, order, present))
    reader.end()
    return Thread(edited, deleted, tuple(marks))


def encode_inbox(entry: InboxEntry) -> bytes:
    flags = entry.displayed | entry.wants_display << 1 | entry.letter << 2
    return entry.digest + struct.pack(">BQQ", flags, entry.at, entry.receipt_at) + entry.order.encode()


def decode_inbox(data: bytes) -> InboxEntry:
    reader = tls.Reader(data)
    digest, flags, at, receipt_at = reader.take(16), reader.u8(), reader.u64(), reader.u64()
    order = reader.rest().decode()
    return InboxEntry(digest, order, at, receipt_at, bool(flags & 1), bool(flags & 2), bool(flags & 4))


def encode_delivery(delivery: Delivery) -> bytes:
    return b"".join(
        (
            U64.pack(delivery.at),
            text(delivery.chat),
            text(delivery.order),
            tls.opaque(b"".join(account + tls.u8(device) for account, device in delivery.delivered)),
            tls.opaque(b"".join(account + tls.u8(device) for account, device in delivery.displayed)),
            tls.opaque(b"".join(account + tls.u8(device) + tls.u8(n) for account, device, n in delivery.resends)),
            tls.varint(delivery.members) if delivery.members else b"",
        )
    )


def decode_delivery(data: bytes) -> Delivery:
    reader = tls.Reader(data)
    at, chat, order = reader.u64(), read_chat(reader), read_text(reader)
    delivered, displayed, resends = (read_blob(reader) for _ in range(3))
    members = reader.varint() if reader.more() else 0
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
        members,
    )


def _addresses(data: bytes) -> tuple[tuple[AccountId, DeviceId], ...]:
    return tuple((AccountId(data[at : at + 16]), DeviceId(data[at + 16])) for at in range(0, len(data), 17))
