"""DER (X.690) as certificates use it: a strict, bounded reader, and the writers that go with it.

Every value has one spelling: lengths and integers in their shortest form, TRUE as FF, no unused bits that are set,
times in UTC with seconds. What has another one is refused, so that two readers of a certificate cannot differ.
`DerReader` goes over one buffer without copies; it descends only where its caller does, and never below `max_depth`.
Object identifiers are their dotted text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, TypeVar

from ..errors import DecodeError, InputError, LimitExceeded
from ..ids import Instant
from .ft_http import instant_of, iso8601

__all__ = [
    "BIT_STRING",
    "BOOLEAN",
    "GENERALIZED_TIME",
    "INTEGER",
    "OBJECT_IDENTIFIER",
    "OCTET_STRING",
    "SEQUENCE",
    "SET",
    "UTC_TIME",
    "UTF8_STRING",
    "DerReader",
    "bit_string",
    "boolean",
    "context",
    "integer",
    "named_bits",
    "object_identifier",
    "octet_string",
    "sequence",
    "set_of",
    "tagged",
    "time",
    "utf8_string",
    "whole",
]

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OBJECT_IDENTIFIER: Final = 0x06
UTF8_STRING: Final = 0x0C
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31

_T = TypeVar("_T")
_MAX_LENGTH_BYTES: Final = 4
_MAX_OID_BYTES: Final = 64
_UTC: Final = re.compile(rb"[0-9]{12}Z")
_GENERALIZED: Final = re.compile(rb"[0-9]{14}Z")
_YEAR_2050: Final = 2_524_608_000_000
_YEAR_10000: Final = 253_402_300_800_000


class DerReader:
    """Reads elements one after the other; `end()` refuses what is left. Raises DecodeError, also as LimitExceeded."""

    __slots__ = ("_data", "_depth", "_end", "_position")

    def __init__(self, data: bytes, *, max_bytes: int, max_depth: int) -> None:
        if len(data) > max_bytes:
            raise LimitExceeded(f"{len(data)} bytes of DER, at most {max_bytes} allowed", code="der.limit")
        self._data = data
        self._position = 0
        self._end = len(data)
        self._depth = max_depth

    def more(self) -> bool:
        """Whether anything is left."""
        return self._position < self._end

    def end(self) -> None:
        """Raises DecodeError if anything is left."""
        if self._position != self._end:
            raise DecodeError(f"{self._end - self._position} bytes too many", code="der.trailing")

    def next_is(self, tag: int) -> bool:
        """Whether an element with this tag follows."""
        return self._position < self._end and self._data[self._position] == tag

    def contents(self, tag: int) -> bytes:
        """What is in the next element, which must have this tag."""
        start, end = self._field(tag)
        return self._data[start:end]

    def element(self, tag: int | None = None) -> bytes:
        """The next element as it is written, tag and length included; any if `tag` is None."""
        begin = self._position
        if tag is None:
            tag = self._tag()
        _, end = self._field(tag)
        return self._data[begin:end]

    def inside(self, tag: int) -> DerReader:
        """A reader of what is in the next element; this one goes on behind it."""
        if self._depth == 0:
            raise LimitExceeded("DER that is nested too deep", code="der.depth")
        start, end = self._field(tag)
        inner = DerReader.__new__(DerReader)
        inner._data, inner._position, inner._end, inner._depth = self._data, start, end, self._depth - 1
        return inner

    def sequence(self) -> DerReader:
        return self.inside(SEQUENCE)

    def any(self) -> tuple[int, bytes]:
        """Tag and contents of the next element, whatever it is."""
        tag = self._tag()
        return tag, self.contents(tag)

    def boolean(self) -> bool:
        value = self.contents(BOOLEAN)
        if value not in (b"\xff", b"\x00"):
            raise DecodeError("a BOOLEAN is FF or 00", code="der.boolean")
        return value == b"\xff"

    def integer(self, tag: int = INTEGER) -> int:
        return int.from_bytes(self.integer_octets(tag), "big", signed=True)

    def integer_octets(self, tag: int = INTEGER) -> bytes:
        """The contents of an INTEGER: two's complement in as few octets as possible."""
        value = self.contents(tag)
        if not value or (len(value) > 1 and (value[0] == 0x00, value[0] == 0xFF)[value[1] >> 7]):
            raise DecodeError("an INTEGER is in its shortest form", code="der.integer")
        return value

    def object_identifier(self) -> str:
        return _oid_text(self.contents(OBJECT_IDENTIFIER))

    def octet_string(self) -> bytes:
        return self.contents(OCTET_STRING)

    def bit_string(self) -> bytes:
        """The octets of a BIT STRING that is made of whole octets: a key, a signature."""
        value = self.contents(BIT_STRING)
        if value[:1] != b"\x00":
            raise DecodeError("a BIT STRING of whole octets has no unused bits", code="der.bit_string")
        return value[1:]

    def named_bits(self) -> frozenset[int]:
        """The numbers of the bits that are set in a BIT STRING with named bits, whose last one must be set."""
        value = self.contents(BIT_STRING)
        unused = value[0] if value else 8
        bits = value[1:]
        if unused > 7 or (unused and not bits) or len(bits) > 64:
            raise DecodeError("a BIT STRING that is none", code="der.bit_string")
        if bits and (bits[-1] & ((1 << unused + 1) - 1)) != 1 << unused:
            raise DecodeError("named bits end with one that is set", code="der.bit_string")
        return frozenset(n for n in range(8 * len(bits)) if bits[n >> 3] & 0x80 >> (n & 7))

    def time(self) -> Instant:
        """UTCTime through 2049, GeneralizedTime from then on (RFC 5280 section 4.1.2.5)."""
        tag, text = self.any()
        if tag == UTC_TIME and _UTC.fullmatch(text):
            century = b"20" if text < b"50" else b"19"
            return _instant(century + text)
        if tag == GENERALIZED_TIME and _GENERALIZED.fullmatch(text):
            instant = _instant(text)
            if instant >= _YEAR_2050:
                return instant
        raise DecodeError("not a time as certificates have it", code="der.time")

    def _tag(self) -> int:
        if self._position >= self._end:
            raise DecodeError("ends where an element is due", code="der.truncated")
        return self._data[self._position]

    def _field(self, tag: int) -> tuple[int, int]:
        """(start, end) of the contents of the next element; the position moves behind it."""
        data, at, limit = self._data, self._position, self._end
        if at + 2 > limit:
            raise DecodeError("ends where an element is due", code="der.truncated")
        if data[at] != tag:
            raise DecodeError(f"an element {data[at]:02x} where {tag:02x} is due", code="der.tag")
        if tag & 0x1F == 0x1F:
            raise DecodeError("no tag above 30 occurs", code="der.tag")
        length, start = data[at + 1], at + 2
        if length >= 0x80:
            size = length & 0x7F
            if size == 0 or size > _MAX_LENGTH_BYTES:
                raise DecodeError("a length that is indefinite or too long", code="der.length")
            if start + size > limit:
                raise DecodeError("ends in the middle of a length", code="der.truncated")
            length, start = int.from_bytes(data[start : start + size], "big"), start + size
            if length < 0x80 or length >> 8 * (size - 1) == 0:
                raise DecodeError("a length that is not in its shortest form", code="der.length")
        end = start + length
        if end > limit:
            raise DecodeError("ends in the middle of an element", code="der.truncated")
        self._position = end
        return start, end


def whole(data: bytes, read: Callable[[DerReader], _T], *, max_bytes: int, max_depth: int) -> _T:
    """One structure that is all of `data`."""
    reader = DerReader(data, max_bytes=max_bytes, max_depth=max_depth)
    value = read(reader)
    reader.end()
    return value


# --- writing -------------------------------------------------------------------------------------------------
def tagged(tag: int, contents: bytes) -> bytes:
    """One element."""
    length = len(contents)
    if length < 0x80:
        return bytes((tag, length)) + contents
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + contents


def sequence(*parts: bytes) -> bytes:
    return tagged(SEQUENCE, b"".join(parts))


def set_of(parts: Iterable[bytes]) -> bytes:
    """A SET OF: sorted by how its members are written (X.690 section 11.6)."""
    return tagged(SET, b"".join(sorted(parts)))


def context(number: int, contents: bytes, *, constructed: bool) -> bytes:
    """A context-specific tag."""
    return tagged((0xA0 if constructed else 0x80) | number, contents)


def boolean(value: bool) -> bytes:
    return tagged(BOOLEAN, b"\xff" if value else b"\x00")


def integer(value: int) -> bytes:
    bits = (value if value >= 0 else ~value).bit_length() + 1
    return tagged(INTEGER, value.to_bytes((bits + 7) // 8, "big", signed=True))


def object_identifier(dotted: str) -> bytes:
    """Raises InputError for a text that is no object identifier."""
    return tagged(OBJECT_IDENTIFIER, _oid_octets(dotted))


def octet_string(value: bytes) -> bytes:
    return tagged(OCTET_STRING, value)


def bit_string(value: bytes) -> bytes:
    """Of whole octets."""
    return tagged(BIT_STRING, b"\x00" + value)


def named_bits(numbers: Iterable[int]) -> bytes:
    """A BIT STRING in which the bits with these numbers are set."""
    wanted = sorted(set(numbers))
    if not wanted:
        return tagged(BIT_STRING, b"\x00")
    size = wanted[-1] // 8 + 1
    value = sum(1 << 8 * size - 1 - number for number in wanted)
    return tagged(BIT_STRING, bytes((7 - wanted[-1] % 8,)) + value.to_bytes(size, "big"))


def utf8_string(text: str) -> bytes:
    return tagged(UTF8_STRING, text.encode())


def time(instant: Instant) -> bytes:
    """In whole seconds, never later than `instant`. Raises InputError before 1970 and after 9999."""
    if not 0 <= instant < _YEAR_10000:
        raise InputError("certificates have times from 1970 to 9999", code="input.time")
    text = re.sub(r"[-:T]", "", iso8601(instant)).encode()
    return tagged(UTC_TIME, text[2:]) if instant < _YEAR_2050 else tagged(GENERALIZED_TIME, text)


# --- the parts of both directions ------------------------------------------------------------------------------
def _instant(digits: bytes) -> Instant:
    text = digits.decode("ascii")
    instant = None
    if text[12:14] != "60":  # a leap second has no place in a certificate
        instant = instant_of(f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}Z")
    if instant is None:
        raise DecodeError("not a time as certificates have it", code="der.time")
    return instant


@lru_cache(maxsize=256)
def _oid_text(octets: bytes) -> str:
    if not octets or octets[-1] & 0x80 or len(octets) > _MAX_OID_BYTES:
        raise DecodeError("not an object identifier", code="der.object_identifier")
    arcs: list[int] = []
    value, fresh = 0, True
    for octet in octets:
        if fresh and octet == 0x80:
            raise DecodeError("an arc that is not in its shortest form", code="der.object_identifier")
        value, fresh = value << 7 | octet & 0x7F, not octet & 0x80
        if fresh:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


@lru_cache(maxsize=256)
def _oid_octets(dotted: str) -> bytes:
    if not re.fullmatch(r"[0-2](\.(0|[1-9][0-9]{0,38}))+", dotted, re.ASCII):
        raise InputError(f"not an object identifier: {dotted[:64]!r}", code="input.object_identifier")
    first, second, *others = map(int, dotted.split("."))
    if first < 2 and second > 39:
        raise InputError(f"not an object identifier: {dotted[:64]!r}", code="input.object_identifier")
    encoded = bytearray()
    for arc in (40 * first + second, *others):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        encoded += bytes(reversed(groups))
    if len(encoded) > _MAX_OID_BYTES:
        raise InputError("an object identifier that is too long", code="input.object_identifier")
    return bytes(encoded)
