"""The Range header, against the words of RFC 9110 written down a second time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.apps.daemon.byte_ranges import Span, Unsatisfiable, wanted_span


@pytest.mark.parametrize(
    ("header", "start", "length"),
    [
        ("bytes=0-", 0, 1000),  # what Chromium asks first
        ("bytes=0-499", 0, 500),  # the examples of RFC 9110, 14.1.2, for 1000 bytes
        ("bytes=500-999", 500, 500),
        ("bytes=-500", 500, 500),
        ("bytes=500-", 500, 500),
        ("bytes=0-0", 0, 1),
        ("bytes=999-5000", 999, 1),
        ("bytes=-5000", 0, 1000),
        ("BYTES = 1-2 ", 1, 2),
    ],
)
def test_a_range_of_a_thousand_bytes(header: str, start: int, length: int) -> None:
    span = wanted_span(header, 1000)
    assert span == Span(start, length, 1000, partial=True)
    assert span.content_range == f"bytes {start}-{start + length - 1}/1000"


@pytest.mark.parametrize(
    "header",
    (
        *(None, "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=0-1,5-6", "items=0-5", "bytes=-+5"),
        *("bytes=١-٢", "bytes=0-" + "9" * 19, "bytes=0x1-2", "bytes=--5", "0-5", "bytes=0-5\n"),
    ),
)
def test_what_is_no_range_gives_the_whole(header: str | None) -> None:
    assert wanted_span(header, 1000) == Span(0, 1000, 1000, partial=False)


@pytest.mark.parametrize(("header", "size"), [("bytes=1000-", 1000), ("bytes=1000-2000", 1000), ("bytes=-0", 1000)])
def test_what_is_behind_the_end_is_refused(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        wanted_span(header, size)


def test_an_empty_file_has_no_range() -> None:
    assert wanted_span(None, 0) == Span(0, 0, 0, partial=False)
    for header in ("bytes=0-", "bytes=-1"):
        with pytest.raises(Unsatisfiable):
            wanted_span(header, 0)


_number = st.integers(0, 40)


@given(st.none() | _number, st.none() | _number, _number)
def test_the_bytes_are_those_that_were_asked_for(first: int | None, last: int | None, size: int) -> None:
    content = bytes(range(size))
    if first is None and last is None:
        expected: bytes | None = content
    elif first is None:
        assert last is not None
        expected = content[-last:] if last and size else None
    elif last is not None and last < first:
        expected = content
    else:
        expected = content[first : size if last is None else last + 1] if first < size else None
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    try:
        span = wanted_span(header, size)
    except Unsatisfiable:
        assert expected is None
    else:
        assert content[span.start : span.start + span.length] == expected
        assert span.length == len(expected)


@given(st.text(max_size=30) | st.from_regex(r"bytes ?=[0-9, -]{0,20}", fullmatch=True), st.integers(0, 1 << 40))
def test_any_header_is_a_span_in_the_file_or_refused(header: str, size: int) -> None:
    """SR-09."""
    try:
        span = wanted_span(header, size)
    except Unsatisfiable:
        return
    assert 0 <= span.start <= size and 0 <= span.length <= size - span.start
