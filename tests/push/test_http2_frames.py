"""GOAWAY is taken out of the stream of frames, and nothing else."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
import pytest
from hyperframe.frame import DataFrame, GoAwayFrame, PingFrame, SettingsFrame
from hypothesis import given

from letterlock.errors import DecodeError, LimitExceeded
from letterlock.services.push.exchange import Answer, retry_after_ms
from letterlock.services.push.http2_frames import MAX_FRAME, Goaway, split

FRAMES = st.lists(
    st.one_of(
        st.builds(lambda data: DataFrame(1, data=data).serialize(), st.binary(max_size=50)),
        st.builds(
            lambda last: GoAwayFrame(0, last_stream_id=last, error_code=2).serialize(), st.integers(0, 2**31 - 1)
        ),
        st.just(PingFrame(0, opaque_data=b"12345678").serialize()),
        st.just(SettingsFrame(0).serialize()),
    ),
    max_size=8,
)


@given(frames=FRAMES, cuts=st.lists(st.integers(0, 200), max_size=5))
def test_whatever_pieces_it_comes_in(frames: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frames)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    found: list[bytes | Goaway] = []
    rest = b""
    for start, end in itertools.pairwise(edges):
        items, rest = split(rest + stream[start:end])
        found += items
    assert rest == b""
    assert b"".join(item for item in found if isinstance(item, bytes)) == b"".join(
        frame for frame in frames if frame[3] != 7
    )
    goaways = [int.from_bytes(frame[9:13], "big") for frame in frames if frame[3] == 7]
    assert [item.last_stream for item in found if isinstance(item, Goaway)] == goaways


@pytest.mark.parametrize(
    "frame", [b"\x00\x00\x04\x07\x00\x00\x00\x00\x00abcd", b"\x00\x00\x08\x07\x00\x00\x00\x00\x01abcdefgh"]
)
def test_a_goaway_that_is_none(frame: bytes) -> None:
    with pytest.raises(DecodeError):
        split(frame)


def test_a_frame_that_is_too_long_is_refused_before_it_is_there() -> None:
    with pytest.raises(LimitExceeded):
        split((MAX_FRAME + 1).to_bytes(3, "big") + bytes(6))


@pytest.mark.parametrize(
    ("text", "wait_ms"),
    [
        ("", None), ("7", 7000), (" 7 ", 7000), ("-1", None), ("soon", None), ("1" * 50, 111_111_111_000),
        ("Mon, 23 Nov 2026 10:00:05 GMT", 5000), ("Mon, 23 Nov 2026 09:00:00 GMT", 0), ("\u0667", None),
        ("Mon, 23 Nov 2026 10:00:05", 5000), ("Mon, 23 Nov 9999999 10:00:05 GMT", None),
    ],
)  # fmt: skip
def test_when_to_come_again(text: str, wait_ms: int | None) -> None:
    assert retry_after_ms(Answer(429, {"retry-after": text}, b""), 1_795_428_000_000) == wait_ms
