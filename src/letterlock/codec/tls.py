"""The TLS presentation language as RFC 9420 section 2.1 uses it: fixed integers and `opaque<V>`.

`<V>` vectors carry a variable-size length (RFC 9000 section 16) that must be in its shortest form.
Reading is bounded: a length is checked against what is left, and against the caller's limit, before
any copy is made.

`Reader.vector` and `Reader.skip` are written out by hand where `varint` and `take` would do: reading the
tree of a large MLS group is little else, and a call costs as much as the work in it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TypeVar

from ..errors import DecodeError, InputError, LimitExceeded

__all__ = ["Reader", "opaque", "optional", "u8", "u16", "u16_vector", "u32", "u32_vector", "u64", "varint", "whole"]


_T = TypeVar("_T")


class Reader:
    """Reads one structure from a buffer. `end()` refuses trailing bytes."""

    __slots__ = ("_data", "_end", "_pos")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = 0
        self._end = len(data)

    @property
    def position(self) -> int:
        """Where the next byte is read, counted in the whole buffer: for `slice`."""
        return self._pos

    def slice(self, start: int) -> bytes:
        """The bytes from an earlier `position` up to here, as they were read."""
        return self._data[start : self._pos]

    def take(self, n: int) -> bytes:
        """Exactly n bytes."""
        start = self._pos
        stop = start + n
        if stop > self._end:
            raise DecodeError("ends in the middle of a field", code="tls.truncated")
        self._pos = stop
        return self._data[start:stop]

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "big")

    def varint(self) -> int:
        """A variable-size length; refuses anything but the shortest form (RFC 9420 section 2.1.2)."""
        first = self.u8()
        prefix = first >> 6
        if prefix == 0:
            return first
        if prefix == 3:
            raise DecodeError("invalid length prefix", code="tls.varint")
        extra = 1 if prefix == 1 else 3
        value = (first & 0x3F) << (8 * extra) | int.from_bytes(self.take(extra), "big")
        if value < (1 << 6 if prefix == 1 else 1 << 14):
            raise DecodeError("length not in its shortest form", code="tls.varint")
        return value

    def opaque(self, limit: int) -> bytes:
        """A `<V>` vector of at most `limit` bytes."""
        n = self.varint()
        if n > limit:
            raise LimitExceeded(f"field of {n} bytes, at most {limit} allowed", code="tls.limit")
        return self.take(n)

    def vector(self) -> bytes:
        """A `<V>` vector of any length, which what is left bounds."""
        data = self._data
        start = self._pos + 1
        end = self._end
        if start < end:
            n = data[start - 1]
            if n >= 0x80:
                return self.take(self.varint())
            if n >= 0x40:
                n = (n & 0x3F) << 8 | data[start]
                if n < 0x40:
                    raise DecodeError("length not in its shortest form", code="tls.varint")
                start += 1
            stop = start + n
            if stop <= end:
                self._pos = stop
                return data[start:stop]
        return self.take(self.varint())

    def skip(self) -> None:
        """Passes over a `<V>` vector without a copy."""
        start = self._pos
        if start < self._end and (n := self._data[start]) < 0x40:
            stop = start + 1 + n
        else:
            n = self.varint()
            stop = self._pos + n
        if stop > self._end:
            raise DecodeError("ends in the middle of a field", code="tls.truncated")
        self._pos = stop

    def sub(self, limit: int | None = None) -> Reader:
        """A reader of what is inside a `<V>` vector, over the same buffer; this one goes on behind the vector."""
        n = self.varint()
        if limit is not None and n > limit:
            raise LimitExceeded(f"field of {n} bytes, at most {limit} allowed", code="tls.limit")
        start = self._pos
        stop = start + n
        if stop > self._end:
            raise DecodeError("ends in the middle of a field", code="tls.truncated")
        self._pos = stop
        inner = Reader(self._data)
        inner._pos = start
        inner._end = stop
        return inner

    def optional(self) -> bool:
        """The octet before an `optional<T>`: whether the value follows (RFC 9420 section 2.1.1)."""
        octet = self.u8()
        if octet > 1:
            raise DecodeError("neither present nor absent", code="tls.optional")
        return octet == 1

    def u16_vector(self) -> tuple[int, ...]:
        """`uint16 values<V>`."""
        return self._integers("H", 2)

    def u32_vector(self) -> tuple[int, ...]:
        """`uint32 values<V>`."""
        return self._integers("I", 4)

    def _integers(self, kind: str, width: int) -> tuple[int, ...]:
        raw = self.vector()
        if not raw:
            return ()
        count, left = divmod(len(raw), width)
        if left:
            raise DecodeError("vector ends in the middle of a number", code="tls.truncated")
        return struct.unpack(f">{count}{kind}", raw)

    def more(self) -> bool:
        """Whether anything is left."""
        return self._pos < self._end

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(self._end - self._pos)

    def end(self) -> None:
        """Raises DecodeError if anything is left."""
        if self._pos != self._end:
            raise DecodeError(f"{self._end - self._pos} bytes too many", code="tls.trailing")


def whole(data: bytes, read: Callable[[Reader], _T]) -> _T:
    """One structure that is all of `data`."""
    reader = Reader(data)
    value = read(reader)
    reader.end()
    return value


def u8(value: int) -> bytes:
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def varint(value: int) -> bytes:
    """A length in its shortest form, at most 2**30 - 1."""
    if value < 1 << 6:
        return value.to_bytes(1, "big")
    if value < 1 << 14:
        return (value | 1 << 14).to_bytes(2, "big")
    if value < 1 << 30:
        return (value | 2 << 30).to_bytes(4, "big")
    raise InputError("too long for a vector", code="tls.too_long")


def opaque(value: bytes) -> bytes:
    """A `<V>` vector."""
    return varint(len(value)) + value


def optional(value: bytes | None) -> bytes:
    """An `optional<T>` of an encoded value."""
    return b"\x00" if value is None else b"\x01" + value


def u16_vector(values: Sequence[int]) -> bytes:
    """`uint16 values<V>`."""
    return opaque(struct.pack(f">{len(values)}H", *values))


def u32_vector(values: Sequence[int]) -> bytes:
    """`uint32 values<V>`."""
    return opaque(struct.pack(f">{len(values)}I", *values))
