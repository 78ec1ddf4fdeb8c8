"""The plaintext inside a `signal` ciphertext: inner header, body, padding (docs/spec/frame.md).

libsignal's MAC takes no data from its caller, so whatever must be authenticated beside the body rides
here (SR-03). The padding leaves of a message's length only its bucket.
"""

from __future__ import annotations

from ..codec import tls
from ..errors import DecodeError, InputError, LimitExceeded
from ..ids import AccountId, ConversationId, DeviceId, message_id, number
from ..seam import Content, Header, Party, Seen

__all__ = ["MAX_SEEN", "decode_inner", "encode_inner", "padded_size"]

MAX_SEEN = 256
"""Entries of `seen`: more devices than one conversation has."""

_VERSION = 1
_BLOCK = 160
_SMALL = 25 * _BLOCK
_SEEN_SIZE = 16 + 1 + 8
_MAX_NUMBER = 16
_MAX_MESSAGE_ID = 64


def encode_inner(content: Content) -> bytes:
    """Header and body, padded. Raises InputError when `seen` has more than 256 entries."""
    header = content.header
    if len(header.seen) > MAX_SEEN:
        raise InputError(f"more than {MAX_SEEN} devices seen", code="input.seen")
    data = b"".join(
        (
            b"\x01",
            _encode_party(header.sender),
            _encode_party(header.recipient),
            header.conversation,
            tls.opaque(header.message_id.encode()),
            header.lamport.to_bytes(8, "big"),
            header.sequence.to_bytes(8, "big"),
            tls.opaque(
                b"".join(seen.account + tls.u8(seen.device) + seen.sequence.to_bytes(8, "big") for seen in header.seen)
            ),
            header.sender_list_head,
            header.recipient_list_head,
            tls.opaque(content.body),
        )
    )
    return data.ljust(padded_size(len(data)), b"\x00")


def decode_inner(data: bytes, max_size: int) -> Content:
    """Read header and body. Raises DecodeError, or LimitExceeded over `max_size`."""
    if len(data) > max_size:
        raise LimitExceeded(f"content of {len(data)} bytes", code="inner.limit")
    reader = tls.Reader(data)
    version = reader.u8()
    if version != _VERSION:
        raise DecodeError(
            f"inner header version {version}",
            code="inner.version",
            hint="the sender runs a newer Letterlock; update this one",
        )
    sender = _decode_party(reader)
    recipient = _decode_party(reader)
    conversation = ConversationId(reader.take(16))
    name = _text(reader.opaque(_MAX_MESSAGE_ID))
    lamport = reader.u64()
    sequence = reader.u64()
    seen = _decode_seen(reader.opaque(MAX_SEEN * _SEEN_SIZE))
    sender_list_head = reader.take(32)
    recipient_list_head = reader.take(32)
    body = reader.opaque(max_size)
    padding = reader.rest()
    if padding.count(0) != len(padding):
        raise DecodeError("padding is zero bytes", code="inner.padding")
    try:
        checked_id = message_id(name)
    except InputError as error:
        raise DecodeError("not a message id", code="inner.message_id") from error
    header = Header(
        sender,
        recipient,
        conversation,
        checked_id,
        lamport,
        sequence,
        seen,
        sender_list_head,
        recipient_list_head,
    )
    return Content(header, body)


def padded_size(size: int) -> int:
    """The size of the bucket: multiples of 160 up to 4000 bytes, Padmé above (at most 12 % more)."""
    if size <= _SMALL:
        return -(-size // _BLOCK) * _BLOCK
    exponent = size.bit_length() - 1
    step = 1 << exponent - exponent.bit_length()
    return -(-size // step) * step


def _encode_party(party: Party) -> bytes:
    return b"".join((tls.opaque(party.number.encode()), party.account, tls.u8(party.device)))


def _decode_party(reader: tls.Reader) -> Party:
    text = _text(reader.opaque(_MAX_NUMBER))
    try:
        checked = number(text)
    except InputError as error:
        raise DecodeError("not a phone number", code="inner.number") from error
    return Party(checked, AccountId(reader.take(16)), _decode_device(reader))


def _decode_seen(data: bytes) -> tuple[Seen, ...]:
    reader = tls.Reader(data)
    seen: list[Seen] = []
    while reader.more():
        seen.append(Seen(AccountId(reader.take(16)), _decode_device(reader), reader.u64()))
    return tuple(seen)


def _decode_device(reader: tls.Reader) -> DeviceId:
    device = reader.u8()
    if not 1 <= device <= 127:
        raise DecodeError(f"device id {device}", code="inner.device")
    return DeviceId(device)


def _text(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise DecodeError("not ASCII", code="inner.text") from error
