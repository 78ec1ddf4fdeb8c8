"""The inner header: round trips, padding, and every wrong byte."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.errors import DecodeError, InputError, LimitExceeded
from letterlock.ids import AccountId, ConversationId, DeviceId, MessageId, Number
from letterlock.seam import Content, Header, Party, Seen
from letterlock.signal.inner import MAX_SEEN, decode_inner, encode_inner, padded_size

HEADER = Header(
    Party(Number("+15550100"), AccountId(b"a" * 16), DeviceId(1)),
    Party(Number("+15550101"), AccountId(b"b" * 16), DeviceId(2)),
    ConversationId(b"c" * 16),
    MessageId("0123-abc"),
    7,
    3,
    (Seen(AccountId(b"b" * 16), DeviceId(2), 9),),
    b"s" * 32,
    b"r" * 32,
)
CONTENT = Content(HEADER, b"Content-Type: text/plain\r\n\r\nhi")


@given(
    st.binary(max_size=3000),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.lists(
        st.builds(Seen, st.binary(min_size=16, max_size=16), st.integers(1, 127), st.integers(0, 2**64 - 1)), max_size=8
    ),
)
def test_round_trip(body: bytes, lamport: int, sequence: int, seen: list[Seen]) -> None:
    content = Content(replace(HEADER, lamport=lamport, sequence=sequence, seen=tuple(seen)), body)
    data = encode_inner(content)
    assert decode_inner(data, 1 << 20) == content
    assert len(data) == padded_size(len(data))


def test_padding_leaves_a_bucket_only() -> None:
    assert len({len(encode_inner(Content(HEADER, bytes(n)))) for n in range(100)}) == 1
    sizes = sorted({padded_size(n) for n in range(1, 100_000)})
    assert sizes[:4] == [160, 320, 480, 640]
    assert len(sizes) < 120
    for n in range(1, 100_000, 7):
        assert n <= padded_size(n) <= max(n + 159, n * 1.12 + 1)
        assert padded_size(padded_size(n)) == padded_size(n)


def test_sr_09_every_truncation_of_the_unpadded_part_is_refused() -> None:
    data = encode_inner(CONTENT).rstrip(b"\x00")
    for size in range(len(data)):
        with pytest.raises(DecodeError):
            decode_inner(data[:size], 1 << 20)


def test_sr_09_every_flipped_byte_gives_another_value_or_a_decode_error() -> None:
    data = encode_inner(CONTENT)
    for position in range(len(data)):
        for flip in (1, 0x80):
            broken = bytearray(data)
            broken[position] ^= flip
            with contextlib.suppress(DecodeError):
                assert decode_inner(bytes(broken), 1 << 20) != CONTENT


@given(st.binary(max_size=500))
def test_sr_09_any_bytes_give_a_value_or_a_decode_error(data: bytes) -> None:
    for candidate in (data, b"\x01" + data):
        with contextlib.suppress(DecodeError):
            decode_inner(candidate, 400)


def test_sr_08_limits() -> None:
    with pytest.raises(LimitExceeded):
        decode_inner(encode_inner(CONTENT), 100)
    too_many = (Seen(AccountId(b"b" * 16), DeviceId(2), 9),) * (MAX_SEEN + 1)
    with pytest.raises(InputError):
        encode_inner(Content(replace(HEADER, seen=too_many), b""))


@pytest.mark.parametrize("code", ["inner.version", "inner.padding", "inner.number", "inner.message_id", "inner.device"])
def test_each_wrong_field_has_its_code(code: str) -> None:
    data = bytearray(encode_inner(CONTENT))
    number_at = data.index(b"+15550100")
    position, value = {
        "inner.version": (0, 2),
        "inner.padding": (len(data) - 1, 1),
        "inner.number": (number_at, ord("-")),
        "inner.message_id": (data.index(b"0123-abc"), ord("/")),
        "inner.device": (number_at + 9 + 16, 0),
    }[code]
    data[position] = value
    with pytest.raises(DecodeError) as caught:
        decode_inner(bytes(data), 1 << 20)
    assert caught.value.code == code
