"""The two messages of a session as libsignal writes them: SignalMessage and PreKeySignalMessage, version 4.

A message is the version byte, a protobuf, and for SignalMessage the first eight bytes of an HMAC over
(both identity keys, version byte, protobuf). Reading one proves nothing; `Session` checks the MAC.
"""

from __future__ import annotations

from typing import NamedTuple

from ..codec import protobuf
from ..errors import DecodeError, Downgrade, LimitExceeded, MalformedMessage

__all__ = [
    "ADDRESSES_SIZE",
    "MAC_SIZE",
    "PREKEY_TYPE",
    "SIGNAL_TYPE",
    "PreKeySignalMessage",
    "SignalMessage",
    "decode_prekey_message",
    "decode_signal_message",
    "encode_prekey_message",
    "encode_signal_body",
]

SIGNAL_TYPE = 2
"""CiphertextMessage type of a SignalMessage, also in our frames."""

PREKEY_TYPE = 3
"""CiphertextMessage type of a PreKeySignalMessage."""

MAC_SIZE = 8

ADDRESSES_SIZE = 36
"""Service id (17) and device (1) of the sender, then of the recipient."""

_VERSION = 4
_VERSION_BYTE = b"\x44"
_KEM_SIZE = 1569
_U32 = 0xFFFFFFFF


class SignalMessage(NamedTuple):
    """A parsed, unauthenticated SignalMessage. Keys are raw, without their type byte.

    `addresses` is empty when the sender left it out. `authenticated` is what the MAC covers.
    """

    ratchet_key: bytes
    counter: int
    ciphertext: bytes
    pq_ratchet: bytes
    addresses: bytes
    authenticated: bytes
    mac: bytes


class PreKeySignalMessage(NamedTuple):
    """A parsed, unauthenticated PreKeySignalMessage. Keys and the KEM ciphertext are raw, without their type byte."""

    registration_id: int
    one_time_id: int | None
    signed_id: int
    kem_id: int
    kem_ciphertext: bytes
    base_key: bytes
    identity_key: bytes
    message: SignalMessage


def encode_signal_body(
    ratchet_key: bytes, counter: int, previous_counter: int, ciphertext: bytes, pq_ratchet: bytes, addresses: bytes
) -> bytes:
    """Version byte and protobuf of a SignalMessage; the MAC over it goes behind."""
    varint = protobuf.varint
    return b"".join(
        (
            b"\x44\x0a\x21\x05",  # version; field 1, 33 bytes, key type
            ratchet_key,
            b"\x10",
            varint(counter),
            b"\x18",
            varint(previous_counter),
            b"\x22",
            varint(len(ciphertext)),
            ciphertext,
            b"\x2a",
            varint(len(pq_ratchet)),
            pq_ratchet,
            b"\x32\x24" + addresses if addresses else b"",
        )
    )


def decode_signal_message(data: bytes, max_size: int) -> SignalMessage:
    """Parse one. Raises DecodeError (LimitExceeded over `max_size`), MalformedMessage or Downgrade."""
    size = len(data)
    if size > max_size:
        raise LimitExceeded(f"message of {size} bytes", code="signal.message.limit")
    if size <= MAC_SIZE:
        raise DecodeError("too short for a message", code="signal.message.truncated")
    _check_version(data[0])
    varints, chunks, _ = protobuf.decode(data, 1, size - MAC_SIZE)
    try:
        ratchet_key = chunks[1]
        counter = varints[2]
        ciphertext = chunks[4]
    except KeyError:
        raise MalformedMessage("a field is missing", code="signal.message.field") from None
    if len(ratchet_key) != 33 or ratchet_key[0] != 5:
        raise MalformedMessage("the ratchet key is not a Curve25519 key", code="signal.message.key")
    if counter >= _U32:
        raise MalformedMessage("counter out of range", code="signal.message.counter")
    if 5 not in chunks or not chunks[5]:
        # Sessions without the post-quantum ratchet are a thing of the past: nobody honest sends one.
        raise Downgrade("no post-quantum ratchet in the message", code="protocol.downgrade.pq_ratchet")
    addresses = chunks.get(6, b"")
    if 6 in chunks and len(addresses) != ADDRESSES_SIZE:
        raise MalformedMessage("addresses are 36 bytes", code="signal.message.addresses")
    return SignalMessage(ratchet_key[1:], counter, ciphertext, chunks[5], addresses, data[:-MAC_SIZE], data[-MAC_SIZE:])


def encode_prekey_message(
    registration_id: int,
    one_time_id: int | None,
    signed_id: int,
    kem_id: int,
    kem_ciphertext: bytes,
    base_key: bytes,
    identity_key: bytes,
    message: bytes,
) -> bytes:
    """The bytes of a PreKeySignalMessage around a finished SignalMessage. Keys are raw."""
    field = protobuf.varint_field
    return b"".join(
        (
            _VERSION_BYTE,
            b"" if one_time_id is None else field(1, one_time_id),
            b"\x12\x21\x05",
            base_key,
            b"\x1a\x21\x05",
            identity_key,
            protobuf.bytes_field(4, message),
            field(5, registration_id),
            field(6, signed_id),
            field(7, kem_id),
            protobuf.bytes_field(8, b"\x08" + kem_ciphertext),
        )
    )


def decode_prekey_message(data: bytes, max_size: int) -> PreKeySignalMessage:
    """Parse one and the SignalMessage in it. Raises DecodeError (LimitExceeded), MalformedMessage or Downgrade."""
    if len(data) > max_size:
        raise LimitExceeded(f"message of {len(data)} bytes", code="signal.message.limit")
    if not data:
        raise DecodeError("too short for a message", code="signal.message.truncated")
    _check_version(data[0])
    varints, chunks, _ = protobuf.decode(data, 1)
    if 7 not in varints or 8 not in chunks:
        raise Downgrade("no post-quantum key agreement in the message", code="protocol.downgrade.x3dh")
    try:
        base_key, identity_key, inner = chunks[2], chunks[3], chunks[4]
        signed_id = varints[6]
    except KeyError:
        raise MalformedMessage("a field is missing", code="signal.message.field") from None
    for key in (base_key, identity_key):
        if len(key) != 33 or key[0] != 5:
            raise MalformedMessage("not a Curve25519 key", code="signal.message.key")
    kem_ciphertext = chunks[8]
    if len(kem_ciphertext) != _KEM_SIZE or kem_ciphertext[0] != 8:
        raise MalformedMessage("not a Kyber1024 ciphertext", code="signal.message.kem")
    registration_id = varints.get(5, 0)
    one_time_id = varints.get(1)
    kem_id = varints[7]
    if max(registration_id, signed_id, kem_id, one_time_id or 0) > _U32:
        raise MalformedMessage("id out of range", code="signal.message.id")
    message = decode_signal_message(inner, max_size)
    return PreKeySignalMessage(
        registration_id, one_time_id, signed_id, kem_id, kem_ciphertext[1:], base_key[1:], identity_key[1:], message
    )


def _check_version(byte: int) -> None:
    # Only the high nibble names the version of the message; the low one is the sender's newest, and under the MAC.
    version = byte >> 4
    if version < _VERSION:
        raise Downgrade(f"message version {version}", code="protocol.downgrade.version")
    if version > _VERSION:
        raise MalformedMessage(
            f"message version {version}", code="signal.message.version", hint="the sender runs newer software"
        )
