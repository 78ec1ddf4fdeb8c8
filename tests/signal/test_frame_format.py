"""docs/spec/frame.md: its vectors, written out by hand where that is short, and the rules of the frame."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import frame_vectors
from letterlock.codec.frame import FrameCopy, WireFrame, decode_frame, encode_frame
from letterlock.codec.prekeys import decode_bundle, decode_upload
from letterlock.errors import DecodeError, LimitExceeded
from letterlock.ids import AccountId, DeviceId
from letterlock.signal.inner import decode_inner

STORED = json.loads(frame_vectors.FILE.read_text())
BOUNDS = {"max_frame": 1 << 20, "max_list": 10_000, "max_copies": 20}


def test_the_vectors_are_what_the_code_makes_and_reads() -> None:
    assert frame_vectors.build() == STORED
    assert decode_frame(bytes.fromhex(STORED["frame"]), **BOUNDS) == frame_vectors.FRAME
    assert decode_inner(bytes.fromhex(STORED["inner"]), 1 << 20) == frame_vectors.CONTENT
    assert decode_upload(bytes.fromhex(STORED["upload"]), max_one_time=1) == frame_vectors.UPLOAD
    assert decode_bundle(bytes.fromhex(STORED["bundle"])) == frame_vectors.BUNDLE


def test_the_frame_vector_by_hand() -> None:
    """Every octet as the document says, without the encoder."""
    copies = b"\x01\x03\x40\x64\x44" + bytes(99) + b"\x7f\x02\x02\x44\x01"
    expected = b"\x01" + bytes(range(16)) + b"\x01" + bytes(range(16, 32)) + b"\x11the sender's list"
    assert bytes.fromhex(STORED["frame"]) == expected + (0x4000 | len(copies)).to_bytes(2, "big") + copies


def test_the_inner_vector_by_hand() -> None:
    expected = b"".join(
        (
            b"\x01",
            b"\x09+15550100" + bytes(range(16)) + b"\x01",
            b"\x09+15550101" + bytes(range(16, 32)) + b"\x7f",
            b"conversation id ",
            b"\x243f2b8c6e-0000-4000-8000-000000000001",
            (258).to_bytes(8, "big") + (3).to_bytes(8, "big"),
            b"\x32" + bytes(range(16, 32)) + b"\x01" + (7).to_bytes(8, "big"),
            bytes(range(16, 32)) + b"\x7f" + (1).to_bytes(8, "big"),
            b"\xaa" * 32 + b"\xbb" * 32,
            b"\x21Content-Type: text/plain\r\n\r\nhello",
        )
    )
    inner = bytes.fromhex(STORED["inner"])
    assert inner == expected + bytes(320 - len(expected)) and len(inner) == 320


@given(
    st.binary(max_size=200),
    st.lists(
        st.tuples(st.integers(1, 127), st.integers(0, 255), st.binary(max_size=300)),
        max_size=10,
        unique_by=lambda t: t[0],
    ),
)
def test_frames_round_trip(device_list: bytes, copies: list[tuple[int, int, bytes]]) -> None:
    frame = WireFrame(
        AccountId(b"a" * 16),
        DeviceId(3),
        AccountId(b"b" * 16),
        device_list,
        tuple(FrameCopy(DeviceId(device), kind, data) for device, kind, data in sorted(copies)),
    )
    assert decode_frame(encode_frame(frame), **BOUNDS) == frame


@pytest.mark.parametrize("devices", [(2, 1), (1, 1)])
def test_copies_out_of_order_are_refused(devices: tuple[int, int]) -> None:
    copies = tuple(FrameCopy(DeviceId(device), 2, b"x") for device in devices)
    data = encode_frame(WireFrame(AccountId(bytes(16)), DeviceId(1), AccountId(bytes(16)), b"", copies))
    with pytest.raises(DecodeError) as caught:
        decode_frame(data, **BOUNDS)
    assert caught.value.code == "frame.order"


def test_sr_08_each_bound_of_a_frame_holds() -> None:
    data = bytes.fromhex(STORED["frame"])
    for bounds in ({"max_frame": len(data) - 1}, {"max_list": 16}, {"max_copies": 1}):
        with pytest.raises(LimitExceeded):
            decode_frame(data, **{**BOUNDS, **bounds})
    decode_frame(data, max_frame=len(data), max_list=17, max_copies=2)


def test_sr_09_every_truncation_and_extension_of_a_frame_is_refused() -> None:
    data = bytes.fromhex(STORED["frame"])
    for size in range(len(data)):
        with pytest.raises(DecodeError):
            decode_frame(data[:size], **BOUNDS)
    with pytest.raises(DecodeError):
        decode_frame(data + b"\x00", **BOUNDS)


def test_sr_09_every_flipped_byte_of_a_frame_gives_another_value_or_a_decode_error() -> None:
    data = bytes.fromhex(STORED["frame"])
    for position in range(len(data)):
        broken = bytearray(data)
        broken[position] ^= 0x81
        with contextlib.suppress(DecodeError):
            assert decode_frame(bytes(broken), **BOUNDS) != frame_vectors.FRAME
