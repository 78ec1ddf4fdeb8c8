"""The records of conversations: their stored forms, kinds and keys."""

from __future__ import annotations

import struct
from typing import TypeVar

from ...codec import tls
from ...conversation_seam import (
    ClaimKeyPackages,
    KeyState,
    Packet,
    PacketHeader,
    PublishKeyPackages,
    RenewCertificate,
    UntilWhen,
)
from ...errors import DecodeError
from ...ids import AccountId, ChatName, MessageId, Number
from ...seam import Key, RecordKind
from ..record_forms.basics import read_blob, read_chat, read_text, text
from .values import Again, Asked, Copy, Member, Membership, PacketRow, Participant, chat_of, conversation_of_chat

__all__ = [
    "AGAIN",
    "ASKED",
    "COPY",
    "MEMBERSHIP",
    "PACKET",
    "PARTICIPANT",
    "again_key",
    "asked_key",
    "copy_heard_key",
    "copy_key",
    "membership_key",
    "packet_key",
    "participant_key",
]


T = TypeVar("T")


# --- forms -----------------------------------------------------------------------------------------------------
def _members(members: tuple[Member, ...]) -> bytes:
    return tls.opaque(b"".join(text(member.number) + member.account for member in members))


def _read_members(reader: tls.Reader) -> tuple[Member, ...]:
    inner = tls.Reader(read_blob(reader))
    found = []
    while inner.more():
        found.append(Member(Number(read_text(inner)), AccountId(inner.take(16))))
    return tuple(found)


def _encode_membership(value: Membership) -> bytes:
    return b"".join(
        (
            tls.u8(value.healthy | value.ours << 1),
            text(value.chat),
            _members(value.members),
            _members(value.former),
            text(value.subject),
            tls.opaque(value.icon),
            tls.opaque(value.view),
        )
    )


def _decode_membership(data: bytes) -> Membership:
    reader = tls.Reader(data)
    flags, chat = reader.u8(), read_chat(reader)
    members, former = _read_members(reader), _read_members(reader)
    subject, icon, view = read_text(reader), read_blob(reader), read_blob(reader)
    reader.end()
    return Membership(chat, members, former, subject, icon, bool(flags & 1), bool(flags & 2), view)


_KEY_STATES = (KeyState.PINNED, KeyState.VERIFIED, KeyState.NEW, KeyState.BROKEN)
_UNTIL = (UntilWhen.ONCE, UntilWhen.NETWORK, UntilWhen.RECEIPTS)


def _encode_participant(value: Participant) -> bytes:
    return tls.u8(_KEY_STATES.index(value.state)) + tls.u64(value.verified_at) + value.spki


def _decode_participant(data: bytes) -> Participant:
    reader = tls.Reader(data)
    state, verified_at = reader.u8(), reader.u64()
    return Participant(reader.rest(), _choice(_KEY_STATES, state), verified_at)


_ROW = struct.Struct(">QQIQB")


def _encode_row(row: PacketRow) -> bytes:
    packet = row.packet
    flags = row.accepted | packet.large << 1
    return b"".join(
        (
            _ROW.pack(row.created, row.expires, row.attempts, row.next_at, flags),
            tls.u8(_UNTIL.index(packet.until)),
            text(row.order),
            text(row.root),
            _texts(row.pending),
            text(chat_of(packet.conversation) or ""),
            text(packet.to or ""),
            text(packet.message_id),
            text(packet.content_type),
            _texts(packet.dispositions),
            _texts(tuple(part for each in packet.headers for part in (each.namespace, each.name, each.value))),
            packet.body,
        )
    )


def _decode_row(data: bytes) -> PacketRow:
    created, expires, attempts, next_at, flags = _ROW.unpack(data[: _ROW.size])
    reader = tls.Reader(data[_ROW.size :])
    until, order, root = _choice(_UNTIL, reader.u8()), read_text(reader), MessageId(read_text(reader))
    pending = tuple(Number(number) for number in _read_texts(reader))
    chat, to = read_chat(reader), read_text(reader)
    message_id, content_type = MessageId(read_text(reader)), read_text(reader)
    dispositions, parts = _read_texts(reader), _read_texts(reader)
    headers = tuple(PacketHeader(*parts[at : at + 3]) for at in range(0, len(parts) - 2, 3))
    packet = Packet(
        conversation_of_chat(chat),
        Number(to) if to else None,
        message_id,
        content_type,
        headers,
        reader.rest(),
        dispositions,
        bool(flags & 2),
        until,
    )
    return PacketRow(packet, order, root, pending, created, expires, attempts, next_at, bool(flags & 1))


def _encode_copy(value: Copy) -> bytes:
    return tls.u64(value.at) + text(value.chat) + value.root.encode()


def _decode_copy(data: bytes) -> Copy:
    reader = tls.Reader(data)
    at, chat = reader.u64(), read_chat(reader)
    return Copy(chat, MessageId(reader.rest().decode()), at)


def _encode_again(value: Again) -> bytes:
    return tls.u64(value.expires) + text(value.root) + text(value.order) + value.member.encode()


def _decode_again(data: bytes) -> Again:
    reader = tls.Reader(data)
    expires, root, order = reader.u64(), MessageId(read_text(reader)), read_text(reader)
    return Again(root, order, Number(reader.rest().decode()), expires)


def _encode_asked(value: Asked) -> bytes:
    request = value.request
    match request:
        case ClaimKeyPackages():
            kind, parts = 1, tuple(number.encode() for number in request.numbers)
        case PublishKeyPackages():
            kind, parts = 2, request.packages
        case RenewCertificate():
            kind, parts = 3, ()
    body = b"".join(tls.opaque(part) for part in parts)
    return tls.u8(kind) + tls.u64(value.next_at) + text(value.protocol) + text(request.request) + body


def _decode_asked(data: bytes) -> Asked:
    reader = tls.Reader(data)
    kind, next_at, protocol, name = reader.u8(), reader.u64(), read_text(reader), read_text(reader)
    parts = []
    while reader.more():
        parts.append(read_blob(reader))
    if kind == 1:
        return Asked(protocol, ClaimKeyPackages(name, tuple(Number(part.decode()) for part in parts)), next_at)
    if kind == 2:
        return Asked(protocol, PublishKeyPackages(name, tuple(parts)), next_at)
    return Asked(protocol, RenewCertificate(name), next_at)


def _texts(values: tuple[str, ...]) -> bytes:
    return tls.opaque(b"".join(text(value) for value in values))


def _read_texts(reader: tls.Reader) -> tuple[str, ...]:
    inner = tls.Reader(read_blob(reader))
    found = []
    while inner.more():
        found.append(read_text(inner))
    return tuple(found)


def _choice(values: tuple[T, ...], at: int) -> T:
    if at >= len(values):
        raise DecodeError("a record names what there is not", code="record.choice")
    return values[at]


# --- kinds and keys ----------------------------------------------------------------------------------------------
MEMBERSHIP: RecordKind[Membership] = RecordKind("membership", _encode_membership, _decode_membership)
PARTICIPANT: RecordKind[Participant] = RecordKind("participant", _encode_participant, _decode_participant)
PACKET: RecordKind[PacketRow] = RecordKind("packet", _encode_row, _decode_row)
COPY: RecordKind[Copy] = RecordKind("copy", _encode_copy, _decode_copy)
AGAIN: RecordKind[Again] = RecordKind("again", _encode_again, _decode_again)
ASKED: RecordKind[Asked] = RecordKind("asked", _encode_asked, _decode_asked)


def membership_key(chat: ChatName) -> Key[Membership]:
    return Key(MEMBERSHIP, "membership/" + chat)


def participant_key(number: Number) -> Key[Participant]:
    return Key(PARTICIPANT, "participant/" + number)


def packet_key(message_id: str, to: Number | None) -> Key[PacketRow]:
    """The row of a packet to the whole conversation, or to one member."""
    return Key(PACKET, f"packet/{message_id}/{to or 'all'}")


def copy_key(message_id: str) -> Key[Copy]:
    """One of ours, under an id that we have drawn."""
    return Key(COPY, "copy/" + message_id)


def copy_heard_key(chat: ChatName, message_id: str, device: bytes) -> Key[Copy]:
    """One of somebody else's leaf. The ids are its own choice, so it says nothing about letters of others (SR-05)."""
    return Key(COPY, f"copy/{chat}/{message_id}/{device.hex()}")


def again_key(chat: ChatName, root: str, member: Number) -> Key[Again]:
    return Key(AGAIN, f"again/{chat}/{root}/{member}")


def asked_key(protocol: str, request: str) -> Key[Asked]:
    """A request's name is the protocol's own and may hold what a key may not."""
    return Key(ASKED, f"asked/{protocol}/{request.encode().hex()}")
