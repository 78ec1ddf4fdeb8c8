"""The subset of protobuf that Signal's messages use: varint, fixed64, length-delimited and fixed32 fields.

No schema and no runtime: a decoder asks for the field numbers it knows. Unknown fields are skipped;
of a field that comes twice the last one counts, as protobuf wants; a known number with an unexpected
wire type is an unknown field. Reading takes time linear in the input and raises DecodeError only (SR-09).
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import DecodeError, LimitExceeded

__all__ = [
    "Fields",
    "bytes_field",
    "decode",
    "decode_repeated",
    "fixed32_field",
    "fixed64_field",
    "varint",
    "varint_field",
]

MAX_FIELDS = 64
"""More fields than any message has; a flood of empty ones stops here (SR-08)."""


class Fields(NamedTuple):
    """The fields of one message by number: varints, length-delimited, and fixed-width integers."""

    varints: dict[int, int]
    chunks: dict[int, bytes]
    fixed: dict[int, int]


def decode(data: bytes, start: int = 0, end: int | None = None, *, max_fields: int = MAX_FIELDS) -> Fields:
    """The fields in `data[start:end]`. Raises DecodeError, or LimitExceeded for more than `max_fields`."""
    stop = len(data) if end is None else end
    varints: dict[int, int] = {}
    chunks: dict[int, bytes] = {}
    fixed: dict[int, int] = {}
    position = start
    count = 0
    while position < stop:
        count += 1
        if count > max_fields:
            raise LimitExceeded(f"more than {max_fields} fields", code="protobuf.limit")
        tag = data[position]
        position += 1
        if tag > 0x7F:
            tag, position = _long_varint(data, position, stop, tag)
        wire_type = tag & 7
        number = tag >> 3
        if not 1 <= number <= 0x1FFFFFFF:
            raise DecodeError("not a field number", code="protobuf.number")
        if wire_type == 2 or wire_type == 0:
            if position >= stop:
                raise DecodeError("ends in the middle of a field", code="protobuf.truncated")
            value = data[position]
            position += 1
            if value > 0x7F:
                value, position = _long_varint(data, position, stop, value)
            if wire_type == 0:
                varints[number] = value
                continue
            upto = position + value
            if upto > stop:
                raise DecodeError("ends in the middle of a field", code="protobuf.truncated")
            chunks[number] = data[position:upto]
            position = upto
        elif wire_type == 1 or wire_type == 5:
            upto = position + (8 if wire_type == 1 else 4)
            if upto > stop:
                raise DecodeError("ends in the middle of a field", code="protobuf.truncated")
            fixed[number] = int.from_bytes(data[position:upto], "little")
            position = upto
        else:
            raise DecodeError(f"wire type {wire_type}", code="protobuf.wire_type")
    return Fields(varints, chunks, fixed)


def decode_repeated(data: bytes, number: int, *, max_values: int, max_fields: int = MAX_FIELDS) -> tuple[bytes, ...]:
    """Every length-delimited value of one repeated field, in order; other fields are skipped.

    Raises DecodeError, or LimitExceeded for more than `max_values` of it or `max_fields` in all.
    """
    found: list[bytes] = []
    position = count = 0
    while position < len(data):
        count += 1
        if count > max_fields:
            raise LimitExceeded(f"more than {max_fields} fields", code="protobuf.limit")
        tag, position = _varint_at(data, position)
        wire_type = tag & 7
        if not 1 <= tag >> 3 <= 0x1FFFFFFF:
            raise DecodeError("not a field number", code="protobuf.number")
        if wire_type == 0:
            _, position = _varint_at(data, position)
            continue
        if wire_type == 2:
            length, position = _varint_at(data, position)
        elif wire_type in (1, 5):
            length = 8 if wire_type == 1 else 4
        else:
            raise DecodeError(f"wire type {wire_type}", code="protobuf.wire_type")
        if position + length > len(data):
            raise DecodeError("ends in the middle of a field", code="protobuf.truncated")
        if wire_type == 2 and tag >> 3 == number:
            if len(found) == max_values:
                raise LimitExceeded(f"more than {max_values} values of field {number}", code="protobuf.limit")
            found.append(data[position : position + length])
        position += length
    return tuple(found)


def _varint_at(data: bytes, position: int) -> tuple[int, int]:
    if position >= len(data):
        raise DecodeError("ends in the middle of a field", code="protobuf.truncated")
    first = data[position]
    return (first, position + 1) if first < 0x80 else _long_varint(data, position + 1, len(data), first)


def varint(value: int) -> bytes:
    """The bytes of an unsigned integer below 2**64."""
    if value < 0x80:
        return _ONE_BYTE[value]
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint_field(number: int, value: int) -> bytes:
    """A varint field with its tag."""
    return varint(number << 3) + varint(value)


def bytes_field(number: int, value: bytes) -> bytes:
    """A length-delimited field with its tag."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def fixed64_field(number: int, value: int) -> bytes:
    """A fixed64 field with its tag."""
    return varint(number << 3 | 1) + value.to_bytes(8, "little")


def fixed32_field(number: int, value: int) -> bytes:
    """A fixed32 field with its tag."""
    return varint(number << 3 | 5) + value.to_bytes(4, "little")


_ONE_BYTE = tuple(bytes((n,)) for n in range(0x80))


def _long_varint(data: bytes, position: int, stop: int, first: int) -> tuple[int, int]:
    """Continue a varint whose first byte had its high bit set: (value, position behind it)."""
    value = first & 0x7F
    shift = 7
    while True:
        if position >= stop:
            raise DecodeError("ends in the middle of an integer", code="protobuf.truncated")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise DecodeError("integer of more than ten bytes", code="protobuf.varint")
    if value >> 64:
        raise DecodeError("integer over 64 bits", code="protobuf.varint")
    return value, position
