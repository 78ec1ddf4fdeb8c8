"""codec/prekeys.py: uploads and bundles, whole and broken."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.codec.prekeys import (
    KemPreKey,
    OneTimePreKey,
    PreKeyBundle,
    PreKeyUpload,
    SignedPreKey,
    decode_bundle,
    decode_upload,
    encode_bundle,
    encode_upload,
)
from letterlock.errors import DecodeError, LimitExceeded
from letterlock.ids import DeviceId

SIGNED = SignedPreKey(7, b"\x05" + b"s" * 32, b"S" * 64)
KEM = KemPreKey(8, b"\x08" + b"k" * 1568, b"K" * 64)
ONE_TIME = OneTimePreKey(9, b"\x05" + b"o" * 32)
BUNDLE = PreKeyBundle(1234, DeviceId(2), b"\x05" + b"i" * 32, SIGNED, KEM, True, ONE_TIME)


def upload(count: int) -> PreKeyUpload:
    return PreKeyUpload(
        1234,
        SIGNED,
        KEM,
        tuple(OneTimePreKey(n, ONE_TIME.public) for n in range(1, count + 1)),
        tuple(KemPreKey(n + 100, KEM.public, KEM.signature) for n in range(count)),
    )


def test_round_trips() -> None:
    assert decode_upload(encode_upload(upload(3)), max_one_time=3) == upload(3)
    replacing = replace(upload(1), replaces=True)
    assert decode_upload(encode_upload(replacing), max_one_time=3) == replacing
    with pytest.raises(DecodeError, match="neither"):
        decode_upload(encode_upload(replacing)[:-1] + b"\x02", max_one_time=3)
    assert decode_bundle(encode_bundle(BUNDLE)) == BUNDLE
    without = PreKeyBundle(1, DeviceId(1), BUNDLE.identity_key, SIGNED, KEM, False, None)
    assert decode_bundle(encode_bundle(without)) == without


def test_sr_08_more_keys_than_allowed_are_refused() -> None:
    with pytest.raises(LimitExceeded):
        decode_upload(encode_upload(upload(4)), max_one_time=3)
    with pytest.raises(LimitExceeded):
        decode_upload(b"\x01" + bytes(10_000_000), max_one_time=3)


def test_sr_12_a_wrong_type_byte_is_refused() -> None:
    data = bytearray(encode_bundle(BUNDLE))
    at = data.index(KEM.public)
    data[at] = 0x05
    with pytest.raises(DecodeError) as caught:
        decode_bundle(bytes(data))
    assert caught.value.code == "prekeys.key_type"


def test_the_same_id_twice_is_refused() -> None:
    doubled = PreKeyUpload(1, SIGNED, KEM, (ONE_TIME, ONE_TIME), ())
    with pytest.raises(DecodeError, match="twice"):
        decode_upload(encode_upload(doubled), max_one_time=5)


@pytest.mark.parametrize("cut", [0, 1, 4, 5, 37, 38, 100, 101, 1700, -1])
def test_every_truncation_is_refused(cut: int) -> None:
    with pytest.raises(DecodeError):
        decode_bundle(encode_bundle(BUNDLE)[:cut])
    with pytest.raises(DecodeError):
        decode_upload(encode_upload(upload(2))[:cut], max_one_time=5)


def test_trailing_bytes_are_refused() -> None:
    with pytest.raises(DecodeError):
        decode_bundle(encode_bundle(BUNDLE) + b"\x00")
    with pytest.raises(DecodeError):
        decode_upload(encode_upload(upload(1)) + b"\x00", max_one_time=5)


@given(st.binary(max_size=3000))
def test_sr_09_any_bytes_give_a_value_or_a_decode_error(data: bytes) -> None:
    for decode in (decode_bundle, lambda d: decode_upload(d, max_one_time=3)):
        with contextlib.suppress(DecodeError):
            decode(data)


@given(st.integers(0, 1 << 30), st.integers(1, 255))
def test_sr_09_a_flipped_byte_gives_a_value_or_a_decode_error(position: int, flip: int) -> None:
    data = bytearray(encode_bundle(BUNDLE))
    data[position % len(data)] ^= flip
    with contextlib.suppress(DecodeError):
        assert decode_bundle(bytes(data)) != BUNDLE
