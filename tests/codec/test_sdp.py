"""Session descriptions: the table of cases, round trips, bounds, injection."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance_cases import Case, load_cases
from decoders import mutated
from letterlock.codec.sdp import (
    Attribute,
    Connection,
    Media,
    Origin,
    SdpLimits,
    SessionDescription,
    decode_sdp,
    encode_sdp,
)
from letterlock.errors import DecodeError, InputError, LimitExceeded, ProtocolError
from letterlock.sip.msrp_media import read_offer

LIMITS = SdpLimits(max_size=8192, max_lines=128, max_media=8)


@pytest.mark.parametrize("case", load_cases("sdp"), ids=str)
def test_cases(case: Case) -> None:
    data = case.data.replace(b"\r\n", b"\n") if case.options.get("line_ends") == "lf" else case.data
    try:
        description = decode_sdp(data, LIMITS)
        assert encode_sdp(description) == case.data
        read_offer(description)
    except (DecodeError, ProtocolError) as error:
        assert error.code == case.code
    else:
        assert case.code == ""


TOKEN = st.text("abcXYZ019-.!*+", min_size=1, max_size=8)
VALUE = st.text(st.characters(exclude_characters="\r\n\x00", exclude_categories=["Cs"]), min_size=1, max_size=20)
ADDRESS = st.builds(Connection, st.sampled_from(["192.0.2.1", "host.example", "2001:db8::1"]))
ATTRIBUTES = st.lists(st.builds(Attribute, TOKEN, st.none() | VALUE), max_size=4).map(tuple)
MEDIA = st.builds(
    Media,
    TOKEN,
    st.integers(0, 65535),
    st.sampled_from(["TCP/MSRP", "TCP/TLS/MSRP", "RTP/AVP"]),
    st.lists(TOKEN, min_size=1, max_size=3).map(tuple),
    st.none() | ADDRESS,
    ATTRIBUTES,
    st.none() | st.integers(0, 99999),
)
DESCRIPTIONS = st.builds(
    SessionDescription,
    st.builds(Origin, TOKEN, st.integers(0, 10**19), st.integers(0, 10**19), ADDRESS),
    st.lists(MEDIA, max_size=3).map(tuple),
    VALUE,
    ADDRESS,
    ATTRIBUTES,
)


@given(DESCRIPTIONS)
def test_what_is_written_is_read(description: SessionDescription) -> None:
    assert decode_sdp(encode_sdp(description), LIMITS) == description


def test_lines_that_mean_nothing_here_are_kept() -> None:
    text = b"v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\ni=x\r\nu=y\r\ne=a@b\r\np=+1\r\nc=IN IP4 h\r\nb=AS:1\r\nt=1 2\r\nr=1 2 3\r\nt=0 0\r\nk=prompt\r\na=x\r\nm=message 9 TCP/MSRP *\r\ni=z\r\nb=CT:9\r\na=y:1\r\n"
    assert encode_sdp(decode_sdp(text, LIMITS)) == text


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "x\r\na=evil"},
        {"name": ""},
        {"attributes": (Attribute("path", "x\na=evil"),)},
        {"attributes": (Attribute("x", "\x00"),)},
        {"connection": Connection("h\r\n")},
        {"lines": (("q", "x"),)},
        {"name": "\ud800"},
    ],
)
def test_a_value_cannot_break_out_of_its_line(changes: dict[str, object]) -> None:
    values = {"origin": Origin("-", 1, 1, Connection("h")), "connection": Connection("h"), **changes}
    with pytest.raises(InputError):
        encode_sdp(SessionDescription(**values))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"v=0\r\n" + b"a" * 9000, "sdp.limit.size"),
        (b"v=0\r\n" * 200, "sdp.limit.lines"),
        (b"v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 h\r\nt=0 0\r\n" + b"m=x 1 y z\r\n" * 9, "sdp.limit.media"),
    ],
)
def test_bounds(data: bytes, code: str) -> None:
    """SR-08."""
    with pytest.raises(LimitExceeded) as caught:
        decode_sdp(data, LIMITS)
    assert caught.value.code == code


@pytest.mark.parametrize("seed", range(200))
def test_anything_is_read_or_refused(seed: int) -> None:
    """SR-09, up to the meaning of the media."""
    example = next(case.data for case in load_cases("sdp") if case.id == "sdp-rcs-offer")
    with contextlib.suppress(DecodeError, ProtocolError):
        read_offer(decode_sdp(mutated(example, random.Random(seed)), LIMITS))
