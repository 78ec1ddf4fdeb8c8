"""MSRP on the wire: addresses compared as RFC 4975 section 6.1 says, heads written and read, and a stream that may be
cut anywhere (SR-09)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letterlock.codec.msrp import (
    Body,
    ByteRange,
    End,
    FailureReport,
    Flag,
    Item,
    Limits,
    Lost,
    Malformed,
    MsrpParser,
    MsrpUri,
    Request,
    Response,
    Status,
    encode_end,
    encode_head,
    encode_response,
)
from letterlock.errors import DecodeError, InputError

_LIMITS = Limits(1024, 16, 6)
_BOB = MsrpUri.parse("msrp://bob.example.com:8888/9di4eae923wzd;tcp")
_ALICE = MsrpUri.parse("msrp://alicepc.example.com:7777/iau39soe2843z;tcp")


def _joined(items: list[Item]) -> list[Item | bytes]:
    """The items with a body's pieces put together: where it was cut is no difference."""
    out: list[Item | bytes] = []
    for item in items:
        if not isinstance(item, Body):
            out.append(item)
        elif out and isinstance(out[-1], bytes):
            out[-1] += bytes(item.data)
        else:
            out.append(bytes(item.data))
    return out


def _comparable(items: list[Item]) -> list[object]:
    """Errors compare by code."""
    return [(type(item), item.error.code) if isinstance(item, (Lost, Malformed)) else item for item in _joined(items)]


def _send(body: bytes | None, *, transaction: str = "d93kswow", flag: Flag = Flag.COMPLETE) -> bytes:
    head = Request(
        transaction, "SEND", (_BOB,), (_ALICE,), "12339sdqwer", content_type=None if body is None else "text/plain"
    )
    return encode_head(head) + (body or b"") + encode_end(transaction, flag, after_body=body is not None)


# --- addresses ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("msrp://a.test:1/x;tcp", "MSRP://A.TEST:1/x;TCP", True),
        ("msrp://a.test:1/x;tcp", "msrps://a.test:1/x;tcp", False),
        ("msrp://a.test:1/x;tcp", "msrp://a.test:2/x;tcp", False),
        ("msrp://a.test:1/x;tcp", "msrp://a.test/x;tcp", False),
        ("msrp://a.test:1/x;tcp", "msrp://a.test:1/X;tcp", False),
        ("msrp://a.test:1/x;tcp", "msrp://a.test:1;tcp", False),
        ("msrp://a.test:1/x;tcp", "msrp://a.test:1/x;sctp", False),
        ("msrp://a.test:1/x;tcp", "msrp://ana@a.test:1/x;tcp", True),
        ("msrp://a.test:1/x;tcp", "msrp://%61.test:1/x;tcp", True),
        ("msrp://a.test:1/x;tcp", "msrp://a.test:1/x;tcp;p=1", True),
        ("msrp://[2001:db8::1]:1/x;tcp", "msrp://[2001:DB8:0:0:0:0:0:1]:1/x;tcp", True),
        ("msrp://[2001:db8::1]:1/x;tcp", "msrp://[2001:db8::2]:1/x;tcp", False),
        ("msrp://192.0.2.1:1/x;tcp", "msrp://192.0.2.1:1/x;tcp", True),
    ],
)
def test_addresses_are_compared_by_the_rules_of_section_6_1(one: str, other: str, same: bool) -> None:
    assert MsrpUri.parse(one).same_as(MsrpUri.parse(other)) is same


def test_an_address_is_written_as_it_was_read() -> None:
    for text in (
        "msrp://host.example.com:8493/asfd34;tcp",
        "msrps://alice@intra.example.com;tcp",
        "msrps://[2001:db8::1]:2855/a/b=c+d~e;tcp;x;y=z",
    ):
        assert MsrpUri.parse(text).encode() == text


# --- heads ----------------------------------------------------------------------------------------
_IDENT = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.\-+%=]{3,31}", fullmatch=True)
_URI = st.builds(
    MsrpUri,
    st.sampled_from(["msrp", "msrps"]),
    st.sampled_from(["a.test", "[2001:db8::1]", "192.0.2.1"]),
    st.integers(1, 65_535),
    st.none() | st.from_regex(r"[A-Za-z0-9\-._~+=]{1,30}", fullmatch=True),
)
_PATH = st.lists(_URI, min_size=1, max_size=4).map(tuple)
_VALUE = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=30).map(str.strip)
_HEADERS = st.lists(st.tuples(st.from_regex(r"X-[A-Za-z]{1,8}", fullmatch=True), _VALUE), max_size=4).map(tuple)


@st.composite
def _requests(draw: st.DrawFn) -> Request:
    report = draw(st.booleans())
    start = draw(st.integers(1, 1000))
    length = draw(st.integers(0, 1000))
    end = draw(st.none() | st.just(start - 1 + length))
    total = draw(st.none() | st.integers(start - 1 + length, 3000))
    return Request(
        draw(_IDENT),
        "REPORT" if report else "SEND",
        draw(_PATH),
        draw(_PATH),
        draw(_IDENT),
        draw(st.none() | st.just(ByteRange(start, end, total))),
        False if report else draw(st.booleans()),
        FailureReport.YES if report else draw(st.sampled_from(FailureReport)),
        Status(draw(st.integers(0, 999)), draw(_VALUE)) if report else None,
        draw(st.sampled_from([None, "text/plain", 'message/cpim;x="a;b"'])),
        draw(_HEADERS),
    )


@given(_requests(), st.binary(max_size=40))
def test_a_request_is_read_as_it_was_written(request: Request, body: bytes) -> None:
    has_body = request.content_type is not None
    data = encode_head(request) + (body if has_body else b"")
    items = _joined(MsrpParser(_LIMITS).feed(data + encode_end(request.transaction, Flag.COMPLETE, has_body)))
    assert items == [request, *([body] if has_body and body else []), End(Flag.COMPLETE)]


@given(_IDENT, st.integers(0, 999), _PATH, _PATH, _VALUE, _HEADERS)
def test_a_response_is_read_as_it_was_written(
    transaction: str,
    status: int,
    to_path: tuple[MsrpUri, ...],
    from_path: tuple[MsrpUri, ...],
    comment: str,
    headers: tuple[tuple[str, str], ...],
) -> None:
    response = Response(transaction, status, to_path, from_path, comment, headers)
    assert MsrpParser(_LIMITS).feed(encode_response(response)) == [response]


@pytest.mark.parametrize("value", ["a\r\nTo-Path: x", "a\nb", "a\x00b", "a\rb"])
def test_a_value_cannot_break_out_of_its_line(value: str) -> None:
    with pytest.raises(InputError):
        encode_head(Request("d93kswow", "SEND", (_BOB,), (_ALICE,), headers=(("X-A", value),)))
    with pytest.raises(InputError):
        encode_response(Response("d93kswow", 200, (_BOB,), (_ALICE,), value))


# --- streams --------------------------------------------------------------------------------------
_STREAM = (
    _send(b"")
    + _send(b"\r\n-------d93kswo\r\n-------d93kswowX\r\n--\r\n\r\n", transaction="d93kswow")
    + encode_response(Response("d93kswow", 200, (_BOB,), (_ALICE,), "OK"))
    + _send(None, transaction="aaaa")
    + b"\r\n"
    + _send(b"x" * 60, transaction="bbbb", flag=Flag.CONTINUED).replace(b"Message-ID", b"Message ID")
    + _send(b"\r", transaction="cccc", flag=Flag.ABORTED)
    + b"MSRP bad\r\n"
)


def test_one_cut_anywhere_changes_nothing() -> None:
    whole = _comparable(MsrpParser(_LIMITS).feed(_STREAM))
    assert whole[-1] == (Lost, "msrp.start")
    for at in range(len(_STREAM) - 1):
        parser = MsrpParser(_LIMITS)
        assert _comparable(parser.feed(_STREAM[:at]) + parser.feed(_STREAM[at:])) == whole, at


_FRAGMENTS = st.sampled_from(
    [
        b"\r\n",
        b"-------",
        b"d93kswow",
        b"\r\n-------d93kswow",
        b"$",
        b"+\r\n",
        b"\r",
        b"\n",
        b"MSRP d93kswow SEND\r\n",
        b"To-Path: msrp://b.test:1/s;tcp\r\nFrom-Path: msrp://a.test:1/t;tcp\r\n",
        b"Message-ID: 12339sdqwer\r\n",
        b"Content-Type: text/plain\r\n\r\n",
        b"X: " + b"y" * 1100,
        b"text",
    ]
)


@settings(max_examples=300)
@given(st.lists(_FRAGMENTS | st.binary(max_size=6), max_size=14).map(b"".join), st.data())
def test_any_cuts_give_the_same_events(data: bytes, draw: st.DataObject) -> None:
    """RFC 4975 section 7.3.1: whatever stands in the stream, and wherever TCP divides it."""
    whole = _comparable(MsrpParser(_LIMITS).feed(data))
    parser, items, pos = MsrpParser(_LIMITS), [], 0
    while pos < len(data) and not any(isinstance(item, Lost) for item in items):
        size = draw.draw(st.integers(1, max(1, len(data) - pos)))
        items += parser.feed(data[pos : pos + size])
        pos += size
    assert _comparable(items) == whole


@given(st.binary(max_size=300), st.sampled_from(Flag))
def test_a_body_arrives_as_it_is(body: bytes, flag: Flag) -> None:
    items = _joined(MsrpParser(_LIMITS).feed(_send(body, flag=flag)))
    assert items[1:] == [*([body] if body else []), End(flag)]


def test_after_the_framing_is_lost_nothing_more_is_read() -> None:
    parser = MsrpParser(_LIMITS)
    assert isinstance(parser.feed(b"HTTP/1.1 200 OK\r\n")[-1], Lost)
    with pytest.raises(DecodeError):
        parser.feed(_send(b"hello"))


def test_memory_does_not_grow_with_the_body_nor_with_what_never_ends() -> None:
    """SR-08."""
    parser = MsrpParser(_LIMITS)
    parser.feed(_send(b"", transaction="aaaa")[: -len("\r\n-------aaaa$\r\n")])
    for _ in range(200):
        parser.feed(b"\r\n-------aaa" * 100)
        assert parser.buffered < 64
    endless = MsrpParser(_LIMITS)
    for _ in range(2000):
        items = endless.feed(b"x")
        assert endless.buffered <= 1026
        if items:
            break
    assert isinstance(items[0], Lost)
    assert items[0].error.code == "msrp.limit.line"


def test_the_body_of_a_report_is_bounded() -> None:
    """RFC 4975 section 7.1: 10240 octets."""
    head = Request(
        "d93kswow", "REPORT", (_BOB,), (_ALICE,), "12339sdqwer", status=Status(200), content_type="text/plain"
    )
    end = encode_end("d93kswow", Flag.COMPLETE, after_body=True)
    assert isinstance(MsrpParser(_LIMITS).feed(encode_head(head) + b"x" * 10_240 + end)[-1], End)
    lost = MsrpParser(_LIMITS).feed(encode_head(head) + b"x" * 10_241 + end)[-1]
    assert isinstance(lost, Lost)
    assert lost.error.code == "msrp.limit.body"


def _seconds(data: bytes, step: int) -> float:
    parser = MsrpParser(_LIMITS)
    start = time.process_time()
    for at in range(0, len(data), step):
        parser.feed(data[at : at + step])
    return time.process_time() - start


@pytest.mark.parametrize(
    ("unit", "step"),
    [
        (b"\r\n-------d93kswo", 1 << 20),
        (b"\r\n-------d93kswowX", 1 << 20),
        (b"\r", 1),
        (_send(b"x", transaction="aaaa"), 1 << 20),
        (_send(b"x", transaction="aaaa"), 7),
    ],
)
def test_the_work_is_linear(unit: bytes, step: int) -> None:
    """SR-09: four times the input takes about four times as long, also when it is built to be searched again."""
    start = b"" if unit.startswith(b"MSRP") else _send(b"")[: -len("\r\n-------d93kswow$\r\n")]
    count = 40_000 // len(unit)
    small = min(_seconds(start + unit * count, step) for _ in range(3))
    large = min(_seconds(start + unit * count * 4, step) for _ in range(2))
    assert large < small * 10 + 0.02
