"""The TLS presentation language: lengths at their borders, bounds before copies, one error."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letterlock.codec.tls import (
    Reader,
    opaque,
    optional,
    u8,
    u16,
    u16_vector,
    u32,
    u32_vector,
    u64,
    varint,
    whole,
)
from letterlock.errors import DecodeError, InputError, LimitExceeded

LONGEST = (1 << 30) - 1


def contents(read: Callable[[Reader], bytes]) -> Callable[[bytes], tuple[bytes, int]]:
    """What one way of reading a vector makes of the bytes, and where it stops."""

    def run(raw: bytes) -> tuple[bytes, int]:
        reader = Reader(raw)
        value = read(reader)
        return value, reader.position

    return run


def _skipped(reader: Reader) -> bytes:
    start = reader.position
    reader.skip()
    return whole(reader.slice(start), lambda inner: inner.opaque(LONGEST))


READS: dict[str, Callable[[Reader], bytes]] = {
    "opaque": lambda reader: reader.opaque(LONGEST),
    "vector": Reader.vector,
    "skip": _skipped,
    "sub": lambda reader: reader.sub().rest(),
    "sub with a limit": lambda reader: reader.sub(LONGEST).rest(),
}
WAYS = {name: contents(read) for name, read in READS.items()}
each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())


def refused(code: str, run: Callable[[], Any]) -> None:
    with pytest.raises(DecodeError) as raised:
        run()
    assert raised.value.code == code


# --- lengths -----------------------------------------------------------------------------------
BORDERS = {
    0: "00",
    1: "01",
    63: "3f",
    64: "4040",
    65: "4041",
    16_382: "7ffe",
    16_383: "7fff",
    16_384: "80004000",
    LONGEST - 1: "bffffffe",
    LONGEST: "bfffffff",
}


@pytest.mark.parametrize(("value", "encoded"), BORDERS.items())
def test_lengths_at_their_borders(value: int, encoded: str) -> None:
    """0x3fff is the last that fits in two bytes; taking it for one too many is a known mistake."""
    assert varint(value).hex() == encoded
    assert whole(bytes.fromhex(encoded), Reader.varint) == value


@pytest.mark.parametrize("encoded", ["4000", "4001", "403f", "80000000", "8000003f", "80000040", "80003fff"])
@each_way
def test_lengths_not_in_their_shortest_form(way: Callable[[bytes], Any], encoded: str) -> None:
    refused("tls.varint", lambda: whole(bytes.fromhex(encoded), Reader.varint))
    refused("tls.varint", lambda: way(bytes.fromhex(encoded) + bytes(20_000)))


@pytest.mark.parametrize("first", range(0xC0, 0x100))
@each_way
def test_a_length_of_eight_bytes(way: Callable[[bytes], Any], first: int) -> None:
    refused("tls.varint", lambda: way(bytes([first]) + bytes(100)))


@pytest.mark.parametrize("n", [0, 1, 62, 63, 64, 65, 255, 256, 16_382, 16_383, 16_384, 16_385])
@each_way
def test_vectors_at_the_borders(way: Callable[[bytes], Any], n: int) -> None:
    value = bytes(i & 0xFF for i in range(n))
    encoded = opaque(value)
    assert way(encoded) == (value, len(encoded))
    assert way(encoded + b"behind") == (value, len(encoded))
    for end in {0, 1, 2, 3, 4, len(encoded) // 2, len(encoded) - 1} & set(range(len(encoded))):
        refused("tls.truncated", lambda end=end: way(encoded[:end]))


@settings(max_examples=500, deadline=None, database=None)
@given(
    st.binary(max_size=80)
    | st.tuples(st.sampled_from(("3f", "4040", "4041", "7fff")), st.binary()).map(
        lambda parts: bytes.fromhex(parts[0]) + parts[1]
    )
)
def test_the_ways_to_read_a_vector_agree(raw: bytes) -> None:
    def outcome(read: Callable[[Reader], bytes], reader: Reader) -> Any:
        try:
            return read(reader), reader.position
        except DecodeError as error:
            return error.code

    assert len({outcome(read, Reader(raw)) for read in READS.values()}) == 1
    # And inside a vector, with bytes behind it that are not theirs.
    assert len({outcome(read, Reader(opaque(raw) + b"\x7f" * 80).sub()) for read in READS.values()}) == 1


@each_way
def test_a_length_is_checked_before_memory_is_taken(way: Callable[[bytes], Any]) -> None:
    for header in ("bfffffff", "80100000"):
        raw = bytes.fromhex(header) + bytes(100)
        tracemalloc.start()
        refused("tls.truncated", lambda raw=raw: way(raw))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 100_000


def test_a_limit() -> None:
    raw = opaque(bytes(10))
    assert Reader(raw).opaque(10) == bytes(10)
    assert Reader(raw).sub(10).rest() == bytes(10)
    for read in (lambda: Reader(raw).opaque(9), lambda: Reader(raw).sub(9)):
        with pytest.raises(LimitExceeded):
            read()


def test_a_vector_that_is_too_long_to_write() -> None:
    with pytest.raises(InputError):
        varint(1 << 30)


# --- parts of a buffer -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    "read",
    [
        Reader.u8,
        Reader.u16,
        Reader.u32,
        Reader.u64,
        Reader.varint,
        Reader.vector,
        Reader.skip,
        Reader.sub,
        Reader.optional,
        Reader.u16_vector,
        Reader.u32_vector,
        lambda reader: reader.opaque(LONGEST),
        lambda reader: reader.take(1),
    ],
)
def test_inside_a_vector_nothing_behind_it_is_read(read: Callable[[Reader], Any]) -> None:
    """The buffer goes on, so that a missing check would find bytes."""
    for inside in ("", "40", "80", "8000", "05"):
        inner = Reader(opaque(bytes.fromhex(inside)) + bytes(100)).sub()
        try:
            read(inner)
        except DecodeError:
            continue
        assert inner.position <= 1 + len(inside) // 2


def test_sub_goes_on_behind_the_vector() -> None:
    reader = Reader(opaque(u8(1) + opaque(b"in")) + u16(9))
    inner = reader.sub()
    assert reader.u16() == 9
    reader.end()
    assert (inner.u8(), inner.more(), inner.vector(), inner.more()) == (1, True, b"in", False)
    inner.end()


def test_slice_gives_the_bytes_that_were_read() -> None:
    reader = Reader(u8(1) + opaque(b"abc") + u32(5) + u8(2))
    reader.u8()
    start = reader.position
    assert (reader.vector(), reader.u32()) == (b"abc", 5)
    assert (start, reader.slice(start), reader.slice(reader.position)) == (1, b"\x03abc\x00\x00\x00\x05", b"")
    inner = Reader(opaque(b"xyz")).sub()
    start = inner.position
    inner.take(2)
    assert inner.slice(start) == b"xy"


def test_whole() -> None:
    assert whole(u64(7), Reader.u64) == 7
    refused("tls.trailing", lambda: whole(u64(7) + b"\x00", Reader.u64))
    refused("tls.truncated", lambda: whole(u64(7)[:-1], Reader.u64))


# --- values ------------------------------------------------------------------------------------------
def test_optional() -> None:
    assert (optional(None), optional(b"v")) == (b"\x00", b"\x01v")
    assert Reader(b"\x00").optional() is False
    assert Reader(b"\x01").optional() is True
    for octet in range(2, 256):
        refused("tls.optional", lambda octet=octet: Reader(bytes([octet])).optional())


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(st.integers(0, 0xFFFF)))
def test_vectors_of_16_bits(values: list[int]) -> None:
    encoded = u16_vector(values)
    assert encoded == opaque(b"".join(map(u16, values)))
    assert whole(encoded, Reader.u16_vector) == tuple(values)


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(st.integers(0, 0xFFFF_FFFF)))
def test_vectors_of_32_bits(values: list[int]) -> None:
    encoded = u32_vector(values)
    assert encoded == opaque(b"".join(map(u32, values)))
    assert whole(encoded, Reader.u32_vector) == tuple(values)


def test_vectors_that_end_inside_a_number() -> None:
    refused("tls.truncated", lambda: Reader(opaque(bytes(3))).u16_vector())
    for n in (1, 2, 3, 5, 6, 7):
        refused("tls.truncated", lambda n=n: Reader(opaque(bytes(n))).u32_vector())
