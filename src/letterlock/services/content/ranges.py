"""Byte ranges: which part of a file a request wants (RFC 9110 section 14), and which part of an upload it brings."""

from __future__ import annotations

import re
from typing import NamedTuple

from ...errors import ContentError

__all__ = ["ContentRange", "Span", "content_range", "wanted"]

_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.ASCII | re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"bytes[ \t]+([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", re.ASCII | re.IGNORECASE)


class Span(NamedTuple):
    """The bytes from `start` up to, and not including, `stop`."""

    start: int
    stop: int


class ContentRange(NamedTuple):
    """What a PUT says that it carries: the bytes of a span, of a file of `total` bytes."""

    span: Span
    total: int


def wanted(header: str | None, size: int) -> Span | None:
    """The span that a Range header asks for; None for the whole file.

    A header that is no single range of bytes is passed over, as section 14.2 permits. Raises ContentError with
    status 416 when there is nothing in the range.
    """
    found = _RANGE.fullmatch(header.strip()) if header is not None and len(header) <= 128 else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, stop = max(0, size - int(found[2])), size
        empty = int(found[2]) == 0 or size == 0
    else:
        start, stop = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
        if found[2] and int(found[2]) < int(found[1]):
            return None  # not a range at all (section 14.1.1)
        empty = start >= size
    if empty:
        raise ContentError("there is nothing in this range", code="content.range", status=416)
    return Span(start, stop)


def content_range(header: str | None) -> ContentRange:
    """The Content-Range of a PUT. Raises ContentError with status 400."""
    found = _CONTENT_RANGE.fullmatch((header or "").strip()[:128])
    if found is None or not int(found[1]) <= int(found[2]) < int(found[3]):
        raise ContentError("the rest of an upload has a Content-Range", code="content.range", status=400)
    return ContentRange(Span(int(found[1]), int(found[2]) + 1), int(found[3]))
