"""SIP framing over a stream: what comes out, what is refused, and what hostile sizes cost."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letterlock.codec.sip import (
    Headers,
    KeepAlive,
    Limits,
    Malformed,
    Request,
    Response,
    StreamParser,
    encode,
    parse_message,
)
from letterlock.errors import DecodeError, InputError, LimitExceeded

LIMITS = Limits(max_header_bytes=65_536, max_headers=200, max_line=8192, max_body=262_144)
SMALL = Limits(max_header_bytes=400, max_headers=6, max_line=100, max_body=50)

REQUEST = Request(
    "MESSAGE",
    "sip:+15550100@example.test;user=phone",
    Headers([("Via", "SIP/2.0/TCP a:1;branch=z9hG4bK1"), ("X-Unknown", "kept"), ("To", "<tel:+15550100>")]),
    b"\x00\r\n\r\n\xff body",
)


def feed(parser: StreamParser, pieces: Iterable[bytes]) -> list[object]:
    return [item for piece in pieces for item in parser.feed(piece)]


def with_length(message: Request | Response) -> Request | Response:
    headers = message.headers.with_("Content-Length", str(len(message.body)))
    if isinstance(message, Request):
        return Request(message.method, message.uri, headers, message.body)
    return Response(message.status, message.reason, headers, message.body)


def test_byte_by_byte_equals_at_once() -> None:
    data = encode(REQUEST) + b"\r\n" + encode(Response(200, "OK", Headers([("CSeq", "1 MESSAGE")])))
    at_once = StreamParser(LIMITS).feed(data)
    single = feed(StreamParser(LIMITS), (data[i : i + 1] for i in range(len(data))))
    assert at_once == single
    assert at_once[0] == with_length(REQUEST)
    assert at_once[1] is KeepAlive.PONG


def test_keep_alives() -> None:
    parser = StreamParser(LIMITS)
    assert parser.feed(b"\r\n\r\n") == [KeepAlive.PING]
    assert parser.feed(b"\r\n") == [KeepAlive.PONG]
    assert parser.feed(b"\r\n") == [KeepAlive.PING]  # the second half of a ping that was cut in two
    assert parser.feed(b"\r") == []
    assert parser.feed(b"\n") == [KeepAlive.PONG]
    assert parser.idle


def test_headers_keep_order_and_unknown_ones() -> None:
    data = b"OPTIONS sip:a SIP/2.0\r\nZ-Two: 2\r\nv: SIP/2.0/TCP h\r\nZ-One:1\r\nTO :\r\n <sip:x@y>\r\nl:0\r\n\r\n"
    (message,) = StreamParser(LIMITS).feed(data)
    assert isinstance(message, Request)
    assert list(message.headers) == [
        ("Z-Two", "2"),
        ("Via", "SIP/2.0/TCP h"),
        ("Z-One", "1"),
        ("TO", "<sip:x@y>"),
        ("Content-Length", "0"),
    ]
    assert message.headers.get("to") == message.headers.get("t") == "<sip:x@y>"


def test_utf8_is_kept_and_other_bytes_refused() -> None:
    good = "OPTIONS sip:a SIP/2.0\r\nSubject: Grüße 你好\r\nContent-Length: 0\r\n\r\n".encode()
    (message,) = StreamParser(LIMITS).feed(good)
    assert isinstance(message, Request)
    assert message.headers.get("s") == "Grüße 你好"
    assert encode(message) == good
    (bad,) = StreamParser(LIMITS).feed(good.replace("ü".encode(), b"\xfc"))
    assert isinstance(bad, Malformed)
    assert bad.error.code == "sip.utf8"


@pytest.mark.parametrize(
    "line",
    [
        b"Content-Length: -1",
        b"Content-Length: +5",
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length: 5\r\nl: 6",
        b"Content-Length: 5, 5",
        b"Content-Length: 0x5",
        b"Content-Length: 5_0",
        "Content-Length: ٥".encode(),
        b"Content-Length: 99999999999999999999999",
        b"Content-Length: 10000000000",
        b"Content-Length:",
        b"X: no length at all",
    ],
)
def test_a_lying_content_length_ends_the_stream(line: bytes) -> None:
    """SR-08: nobody may be made to wait for, or to misplace, the next message."""
    parser = StreamParser(LIMITS)
    with pytest.raises(DecodeError):
        parser.feed(b"OPTIONS sip:a SIP/2.0\r\n" + line + b"\r\n\r\nhello")
    with pytest.raises(DecodeError):  # and stays ended
        parser.feed(encode(REQUEST))


@pytest.mark.parametrize("length", [b"0", b"4", b"6", b"500000"])
def test_a_lying_content_length_of_a_whole_message(length: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_message(b"OPTIONS sip:a SIP/2.0\r\nContent-Length: " + length + b"\r\n\r\nhello", LIMITS)


def test_a_short_content_length_shows_the_rest_as_garbage() -> None:
    parser = StreamParser(LIMITS)
    with pytest.raises(DecodeError):
        parser.feed(b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 2\r\n\r\nhello\r\n\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"OPTIONS sip:a SIP/2.0\r\nX: a\nContent-Length: 0\r\n\r\n",
        b"OPTIONS sip:a SIP/2.0\r\nX: a\rContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
        b"OPTIONS sip:a SIP/2.0\r\nX: a\n\nOPTIONS sip:b SIP/2.0\r\nContent-Length: 0\r\n\r\n",
        b"OPTIONS sip:a SIP/2.0\nContent-Length: 0\n\nOPTIONS sip:b SIP/2.0\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_bare_line_feeds_end_the_stream(data: bytes) -> None:
    """Another hop may take a bare LF for a line end and see other messages than we do."""
    with pytest.raises(DecodeError):
        StreamParser(LIMITS).feed(data)


def test_a_malformed_message_is_stepped_over() -> None:
    bad = b"NOT A REQUEST LINE AT ALL SIP/2.0\r\nContent-Length: 5\r\n\r\nhello"
    items = StreamParser(LIMITS).feed(bad + encode(REQUEST))
    assert isinstance(items[0], Malformed)
    assert items[1] == with_length(REQUEST)


def test_limits_are_exact() -> None:
    def message(count: int, width: int, body: int) -> bytes:
        lines = b"".join(b"X: " + b"a" * width + b"\r\n" for _ in range(count - 1))
        return b"OPTIONS sip:a SIP/2.0\r\n" + lines + b"l: %d\r\n\r\n" % body + b"b" * body

    assert isinstance(parse_message(message(6, 10, 50), SMALL), Request)
    for data, code in [
        (message(7, 10, 0), "sip.limit.headers"),
        (message(2, 98, 0), "sip.limit.line"),
        (message(2, 10, 51), "sip.limit.body"),
        (message(6, 90, 0), "sip.limit.header_bytes"),
    ]:
        with pytest.raises(LimitExceeded) as caught:
            parse_message(data, SMALL)
        assert caught.value.code == code
    folded = b"OPTIONS sip:a SIP/2.0\r\nX: " + b"a" * 60 + b"\r\n " + b"a" * 60 + b"\r\nl: 0\r\n\r\n"
    with pytest.raises(LimitExceeded):
        parse_message(folded, SMALL)


# --- hostile sizes -----------------------------------------------------------------------------------
def peak_of(limits: Limits, data: bytes, step: int) -> tuple[int, Exception | None]:
    """Peak memory of feeding `data` in pieces, its own bytes not counted."""
    parser = StreamParser(limits)
    failure: Exception | None = None
    view = memoryview(data)
    tracemalloc.start()
    try:
        for at in range(0, len(data), step):
            items = parser.feed(view[at : at + step])
            for item in items:
                if isinstance(item, Malformed):
                    raise item.error
            del items
    except DecodeError as error:
        failure = error
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak, failure


BOUND = LIMITS.max_header_bytes + LIMITS.max_body


@pytest.mark.parametrize("step", [1 << 30, 65_536, 1_000])
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("one 10 MB header", b"OPTIONS sip:a SIP/2.0\r\nX: " + b"a" * 10_000_000),
        ("10 MB of headers", b"OPTIONS sip:a SIP/2.0\r\n" + b"X: 1\r\n" * 1_700_000),
        ("10,000 headers", b"OPTIONS sip:a SIP/2.0\r\n" + b"X: 1\r\n" * 10_000 + b"l: 0\r\n\r\n"),
        ("10,000 folds", b"OPTIONS sip:a SIP/2.0\r\nX: 1\r\n" + b" 1\r\n" * 10_000 + b"l: 0\r\n\r\n"),
        ("10 MB start line", b"O" * 10_000_000),
        ("10 MB body", b"OPTIONS sip:a SIP/2.0\r\nl: 10000000\r\n\r\n" + b"a" * 10_000_000),
        ("10 MB body of a malformed message", b"OPTIONS SIP/2.0\r\nl: 10000000\r\n\r\n" + b"a" * 10_000_000),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hostile_sizes_are_refused_within_twice_the_bound(name: str, data: bytes, step: int) -> None:
    """SR-08: the bound holds before memory is taken."""
    peak, failure = peak_of(LIMITS, data, step)
    assert isinstance(failure, LimitExceeded), name
    assert peak < 2 * BOUND


def test_hostile_sizes_of_a_whole_message() -> None:
    for data in (b"X" * 10_000_000, b"OPTIONS sip:a SIP/2.0\r\n" + b"X: 1\r\n" * 10_000 + b"\r\n"):
        tracemalloc.start()
        with pytest.raises(LimitExceeded):
            parse_message(data, LIMITS)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2 * LIMITS.max_header_bytes


def test_the_largest_legal_message_stays_within_twice_the_bound() -> None:
    body = b"b" * LIMITS.max_body
    data = encode(Request("MESSAGE", "sip:a", Headers([("X", "y" * 8000)] * 7), body))
    peak, failure = peak_of(LIMITS, data, 65_536)
    assert failure is None
    # The body is held twice for a moment: as received and as the message's own.
    assert peak < 2 * BOUND + 65_536


# --- properties ------------------------------------------------------------------------------------------
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9\-]{1,12}", fullmatch=True).filter(
    lambda name: name.lower() != "content-length"
)
VALUES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=40).map(
    lambda text: text.strip(" \t")
)
MESSAGES = st.one_of(
    st.builds(
        Request,
        st.sampled_from(["MESSAGE", "OPTIONS", "X-Odd"]),
        st.just("sip:a@b"),
        st.builds(Headers, st.lists(st.tuples(NAMES, VALUES), max_size=8)),
        st.binary(max_size=60),
    ),
    st.builds(
        Response,
        st.integers(100, 699),
        VALUES,
        st.builds(Headers, st.lists(st.tuples(NAMES, VALUES), max_size=8)),
        st.binary(max_size=60),
    ),
)


@given(st.lists(MESSAGES, max_size=4), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_what_is_encoded_is_parsed_again_in_any_pieces(messages: list[Request | Response], random: object) -> None:
    data = b"".join(encode(message) for message in messages)
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(5))  # type: ignore[attr-defined]
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert feed(StreamParser(LIMITS), pieces) == [with_length(message) for message in messages]
    for message in messages:
        assert parse_message(encode(message), LIMITS) == with_length(message)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_value_or_decode_error(data: bytes) -> None:
    """SR-09."""
    for prefix in (b"", b"OPTIONS sip:a SIP/2.0\r\n", b"SIP/2.0 200 OK\r\nl: 3\r\n"):
        with contextlib.suppress(DecodeError):
            parse_message(prefix + data, SMALL)
        with contextlib.suppress(DecodeError):
            StreamParser(SMALL).feed(prefix + data)


def test_every_byte_flip_gives_a_value_or_decode_error() -> None:
    """SR-09."""
    data = encode(REQUEST)
    for at in range(len(data)):
        for flip in (0x01, 0x20, 0x80, 0xFF):
            changed = bytearray(data)
            changed[at] ^= flip
            try:
                message = parse_message(bytes(changed), LIMITS)
            except DecodeError:
                continue
            parse_message(encode(message), LIMITS)


# --- writing -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "message",
    [
        Request("MESSAGE", "sip:a", Headers([("X", "a\r\nInjected: 1")])),
        Request("MESSAGE", "sip:a", Headers([("X\r\nY", "a")])),
        Request("MESSAGE", "sip:a SIP/2.0\r\nX: 1", Headers()),
        Request("MES SAGE", "sip:a", Headers()),
        Response(200, "OK\r\nX: 1", Headers()),
        Response(99, "OK", Headers()),
        Request("MESSAGE", "sip:a", Headers([("X", "\ud800")])),
    ],
)
def test_nothing_breaks_out_of_its_line(message: Request | Response) -> None:
    with pytest.raises(InputError):
        encode(message)


def test_content_length_is_always_true() -> None:
    message = Request("MESSAGE", "sip:a", Headers([("l", "999"), ("Content-Length", "3")]), b"hello")
    assert encode(message).count(b"Content-Length") == 1
    assert b"Content-Length: 5\r\n" in encode(message)


def test_bodies_are_not_in_the_repr() -> None:
    """SR-10."""
    assert "body" not in repr(REQUEST)
