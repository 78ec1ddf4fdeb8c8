"""The stored form of chats and contacts."""

from __future__ import annotations

import struct

from ...carriage import Medium
from ...codec import tls
from ...ids import AccountId, DeviceId
from ...trust.device_list import from_store
from ..record_values import Chat, Contact, Gap, Head, HeldNote, Standing
from .basics import read_blob, read_chat, read_text, text

__all__ = ["decode_chat", "decode_contact", "encode_chat", "encode_contact"]

_CHAT = struct.Struct(">BQIIIqqQQQ")


def encode_chat(chat: Chat) -> bytes:
    keeps = chat.kept == chat.transition
    out = [
        _CHAT.pack(
            chat.sticky
            | chat.accepted << 1
            | bool(chat.pending) << 2
            | bool(chat.protocol) << 3
            | chat.medium << 4
            | bool(chat.floor) << 5
            | keeps << 6
            | bool(chat.claimed_at) << 7,
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
        text(chat.number),
        tls.opaque(chat.audience),
        tls.opaque(chat.nonce),
        text(chat.shown),
        tls.varint(len(chat.heads)),
    ]
    for head in chat.heads:
        out.append(
            head.account
            + struct.pack(">BIIB", head.device, head.sequence, head.quiet, len(head.gaps) | bool(head.floor) << 7)
        )
        out.append(tls.u64(head.floor) if head.floor else b"")
        out.extend(struct.pack(">IIQ", gap.first, gap.last, gap.lamport) for gap in head.gaps)
    out.append(tls.varint(len(chat.held)))
    for note in chat.held:
        out.append(text(note.order) + note.account)
        out.append(struct.pack(">BIQB", note.device, note.sequence, note.until, len(note.causes)))
        out.extend(account + struct.pack(">BI", device, sequence) for account, device, sequence in note.causes)
    if chat.pending:
        out.append(tls.varint(chat.pending))
    if chat.protocol:
        out.append(text(chat.protocol) + tls.u8(chat.standing))
    if chat.floor:
        out.append(tls.u64(chat.floor))
    if chat.claimed_at:
        out.append(tls.u64(chat.claimed_at))
    return b"".join(out)


def decode_chat(data: bytes) -> Chat:
    flags, lamport, sequence, base, waiting, transition, plain, absent_at, typing_sent, typing_seen = _CHAT.unpack(
        data[: _CHAT.size]
    )
    reader = tls.Reader(data[_CHAT.size :])
    number = read_chat(reader)
    audience, nonce, shown = read_blob(reader), read_blob(reader), read_text(reader)
    heads = []
    for _ in range(reader.varint()):
        account, device = AccountId(reader.take(16)), DeviceId(reader.u8())
        seen, quiet = reader.u32(), reader.u32()
        marks = reader.u8()
        floor = reader.u64() if marks & 0x80 else 0
        gaps = tuple(Gap(reader.u32(), reader.u32(), reader.u64()) for _ in range(marks & 0x7F))
        heads.append(Head(account, device, seen, gaps, quiet, floor))
    held = []
    for _ in range(reader.varint()):
        order, account, device = read_text(reader), AccountId(reader.take(16)), DeviceId(reader.u8())
        number_in_order, until = reader.u32(), reader.u64()
        causes = tuple((AccountId(reader.take(16)), DeviceId(reader.u8()), reader.u32()) for _ in range(reader.u8()))
        held.append(HeldNote(order, account, device, number_in_order, causes, until))
    pending = reader.varint() if flags & 4 else 0
    protocol, standing = (read_text(reader), Standing(reader.u8())) if flags & 8 else ("", Standing.NONE)
    floor = reader.u64() if flags & 32 else 0
    claimed_at = reader.u64() if flags & 128 else 0
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
        pending=pending,
        protocol=protocol,
        standing=standing,
        medium=Medium(flags >> 4 & 1),
        floor=floor,
        kept=transition if flags & 64 else -1,
        claimed_at=claimed_at,
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
    heads, encoded = read_blob(reader), read_blob(reader)
    reader.end()
    past = tuple(heads[at : at + 32] for at in range(0, len(heads), 32))
    return Contact(from_store(encoded), past, fetched_at, verified_at, bool(flags & 1), bool(flags & 2))
