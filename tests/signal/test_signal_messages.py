"""The protobuf subset and the two messages: bounds, order, unknown fields."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.codec import protobuf
from letterlock.errors import DecodeError, Downgrade, LimitExceeded, MalformedMessage
from letterlock.signal.messages import (
    decode_prekey_message,
    decode_signal_message,
    encode_prekey_message,
    encode_signal_body,
)

U64 = st.integers(0, 2**64 - 1)
NUMBERS = st.integers(1, 0x1FFFFFFF)


@given(NUMBERS, U64, st.binary(max_size=300), st.integers(0, 2**32 - 1))
def test_fields_round_trip(number: int, value: int, chunk: bytes, short: int) -> None:
    data = (
        protobuf.varint_field(number, value)
        + protobuf.bytes_field(number, chunk)
        + protobuf.fixed64_field(number, value)
        + protobuf.fixed32_field(number % 1000 + 1, short)
    )
    fields = protobuf.decode(b"xx" + data + b"yy", 2, 2 + len(data))
    assert fields.varints == {number: value} and fields.chunks == {number: chunk}
    assert fields.fixed == {number: value} | {number % 1000 + 1: short}


def test_the_last_of_a_repeated_field_counts_and_unknown_ones_are_skipped() -> None:
    data = protobuf.varint_field(2, 1) + protobuf.varint_field(2, 2) + protobuf.bytes_field(999, b"?")
    assert protobuf.decode(data).varints == {2: 2}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x08", "protobuf.truncated"),
        (b"\x08\x80", "protobuf.truncated"),
        (b"\x0a\x05abc", "protobuf.truncated"),
        (b"\x09\x00", "protobuf.truncated"),
        (b"\x0d\x00", "protobuf.truncated"),
        (b"\x0b", "protobuf.wire_type"),
        (b"\x0f\x00", "protobuf.wire_type"),
        (b"\x00\x00", "protobuf.number"),
        (b"\x80\x80\x80\x80\x10\x00", "protobuf.number"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "protobuf.varint"),
        (b"\x08" + b"\xff" * 9 + b"\x7f", "protobuf.varint"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "protobuf.truncated"),
    ],
)
def test_each_malformation_has_its_code(data: bytes, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        protobuf.decode(data)
    assert caught.value.code == code


def test_sr_08_a_flood_of_fields_is_refused() -> None:
    assert protobuf.decode(b"\x08\x00" * protobuf.MAX_FIELDS).varints == {1: 0}
    with pytest.raises(LimitExceeded):
        protobuf.decode(b"\x08\x00" * 1_000_000)


@given(st.binary(max_size=300))
def test_sr_09_any_bytes_give_fields_or_a_decode_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        protobuf.decode(data)
    for candidate in (data, b"\x44" + data):
        for decode in (decode_signal_message, decode_prekey_message):
            with contextlib.suppress(DecodeError, MalformedMessage, Downgrade):
                decode(candidate, 250)


def signal_message(**changes: bytes) -> bytes:
    parts = {
        "key": protobuf.bytes_field(1, b"\x05" + bytes(32)),
        "counter": protobuf.varint_field(2, 3),
        "ciphertext": protobuf.bytes_field(4, bytes(16)),
        "pq_ratchet": protobuf.bytes_field(5, b"\x01\x01\x01\x00"),
        **changes,
    }
    return b"\x44" + b"".join(parts.values()) + bytes(8)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"key": b""}, MalformedMessage),
        ({"key": protobuf.bytes_field(1, bytes(33))}, MalformedMessage),
        ({"key": protobuf.bytes_field(1, b"\x05" + bytes(31))}, MalformedMessage),
        ({"counter": b""}, MalformedMessage),
        ({"counter": protobuf.varint_field(2, 2**32)}, MalformedMessage),
        ({"ciphertext": b""}, MalformedMessage),
        ({"pq_ratchet": b""}, Downgrade),
        ({"addresses": protobuf.bytes_field(6, bytes(35))}, MalformedMessage),
    ],
)
def test_a_missing_or_senseless_field_of_a_signal_message(changes: dict[str, bytes], error: type[Exception]) -> None:
    decode_signal_message(signal_message(), 1000)
    with pytest.raises(error):
        decode_signal_message(signal_message(**changes), 1000)


def test_encoders_and_decoders_agree() -> None:
    body = encode_signal_body(b"r" * 32, 300, 4, b"c" * 32, b"p" * 40, b"a" * 36)
    message = decode_signal_message(body + b"MACMACMA", 1000)
    assert message == (b"r" * 32, 300, b"c" * 32, b"p" * 40, b"a" * 36, body, b"MACMACMA")
    for one_time_id in (None, 0, 7):
        data = encode_prekey_message(9, one_time_id, 8, 1 << 20, b"k" * 1568, b"b" * 32, b"i" * 32, body + b"MACMACMA")
        assert decode_prekey_message(data, 4000) == (
            9,
            one_time_id,
            8,
            1 << 20,
            b"k" * 1568,
            b"b" * 32,
            b"i" * 32,
            message,
        )
    with pytest.raises(LimitExceeded):
        decode_prekey_message(data, 1000)


@pytest.mark.parametrize(("byte", "error"), [(0x33, Downgrade), (0x34, Downgrade), (0x54, MalformedMessage)])
def test_versions(byte: int, error: type[Exception]) -> None:
    for decode in (decode_signal_message, decode_prekey_message):
        with pytest.raises(error):
            decode(bytes((byte,)) + signal_message()[1:], 1000)
