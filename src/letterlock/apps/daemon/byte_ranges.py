"""The Range header (RFC 9110, 14): which bytes of a file a player wants."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Span", "Unsatisfiable", "wanted_span"]

_ONE = re.compile(r"bytes[ \t]*=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.ASCII | re.IGNORECASE)


class Unsatisfiable(Exception):
    """The range begins behind the end, or asks for no bytes at all: 416."""


@dataclass(frozen=True, slots=True)
class Span:
    """`length` bytes from `start` on, of `size`; `partial`: 206, and not the whole because nothing else was asked for."""

    start: int
    length: int
    size: int
    partial: bool

    @property
    def content_range(self) -> str:
        return f"bytes {self.start}-{self.start + self.length - 1}/{self.size}"


def wanted_span(header: str | None, size: int) -> Span:
    """What to send of a file of this size. Raises Unsatisfiable.

    A header that is malformed, of another unit, or of several ranges is as none: "a server MAY ignore the Range header
    field" (14.2), and no player asks for several. `bytes=100-` goes to the end, `bytes=-100` is the last hundred.
    """
    found = _ONE.fullmatch(header) if header is not None else None
    if found is None or not (found[1] or found[2]):
        return Span(0, size, size, partial=False)
    if not found[1]:
        last = min(int(found[2]), size)
        if last == 0:
            raise Unsatisfiable
        return Span(size - last, last, size, partial=True)
    start = int(found[1])
    end = int(found[2]) if found[2] else size - 1
    if found[2] and end < start:
        return Span(0, size, size, partial=False)  # "invalid", so ignored (14.1.1)
    if start >= size:
        raise Unsatisfiable
    return Span(start, min(end, size - 1) - start + 1, size, partial=True)
