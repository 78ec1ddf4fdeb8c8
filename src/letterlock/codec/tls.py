"""The TLS presentation language as RFC 9420 section 2.1 uses it: fixed integers and `opaque<V>`.

`<V>` vectors carry a variable-size length (RFC 9000 section 16) that must be in its shortest form.
Reading is bounded: a length is checked against what is left, and against the caller's limit, before
any copy is made.
"""

from __future__ import annotations

from ..errors import DecodeError, LimitExceeded

__all__ = ["Reader", "opaque", "u8", "u16", "u32", "u64", "varint"]


class Reader:
    """Reads one structure from a buffer. `end()` refuses trailing bytes."""

    __slots__ = ("_data", "_end", "_pos")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = 0
        self._end = len(data)

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
    raise ValueError("too long for a vector")


def opaque(value: bytes) -> bytes:
    """A `<V>` vector."""
    return varint(len(value)) + value
