"""The SPQR message: `01 || epoch || key index || type || [chunk index || 32 bytes]`, integers as varints.

A varint carries 7 bits per byte, lowest first, in its shortest form. Bytes after the message are allowed
(later versions may add fields) and ignored; the session's MAC covers them.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from ...errors import Downgrade, MalformedMessage
from .erasure import CHUNK

__all__ = ["VERSION", "Message", "MessageType", "decode", "encode", "varint"]

VERSION = 1


class MessageType(IntEnum):
    """What the payload is (ML-KEM Braid section 2.3); the numbers are those on the wire."""

    NONE = 0
    HEADER = 1
    EK = 2
    EK_CT1_ACK = 3
    CT1_ACK = 4
    CT1 = 5
    CT2 = 6


class Message(NamedTuple):
    """One decoded message. `chunk` is empty for the types that carry none."""

    epoch: int
    key_index: int
    type: int
    chunk_index: int
    chunk: bytes


_WITHOUT_CHUNK = (MessageType.NONE, MessageType.CT1_ACK)
_SMALL = tuple(i.to_bytes(1, "big") for i in range(128))


def varint(value: int) -> bytes:
    """A non-negative integer in its shortest form."""
    if value < 128:
        return _SMALL[value]
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode(message: Message) -> bytes:
    """The bytes of a message."""
    head = b"\x01" + varint(message.epoch) + varint(message.key_index) + _SMALL[message.type]
    return head + varint(message.chunk_index) + message.chunk if message.chunk else head


def decode(data: bytes) -> Message:
    """Read a message. Raises Downgrade for no message or another version, else MalformedMessage (SR-09)."""
    if not data or data[0] != VERSION:
        raise Downgrade("no post-quantum ratchet message of version 1", code="spqr.version")
    try:
        # Nearly always each of the numbers fits one byte.
        epoch, at = (data[1], 2) if data[1] < 128 else _varint(data, 1, 64)
        index, at = (data[at], at + 1) if data[at] < 128 else _varint(data, at, 32)
        kind = data[at]
        if kind in _WITHOUT_CHUNK:
            chunk_index, chunk = 0, b""
        else:
            at += 1
            chunk_index, at = (data[at], at + 1) if data[at] < 128 else _varint(data, at, 16)
            chunk = data[at : at + CHUNK]
            if len(chunk) != CHUNK:
                raise IndexError
    except IndexError:
        raise MalformedMessage("post-quantum ratchet message is too short", code="spqr.truncated") from None
    if kind > MessageType.CT2:
        raise MalformedMessage("unknown post-quantum ratchet message type", code="spqr.type")
    if epoch == 0 or index == 0:
        raise MalformedMessage("epochs and keys are counted from 1", code="spqr.zero")
    return Message(epoch, index, kind, chunk_index, chunk)


def _varint(data: bytes, at: int, bits: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
        if shift >= bits:
            raise MalformedMessage("number too long", code="spqr.varint")
    if value >> bits or not byte:
        raise MalformedMessage("number out of range or not in its shortest form", code="spqr.varint")
    return value, at
