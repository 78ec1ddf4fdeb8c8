"""Bytes of the wire log to whole frames: SIP messages, MSRP chunks, HTTP messages, each with its bytes as they went.

It reads what was there, and refuses nothing: what it cannot take apart is a frame of its own. It shares no code with
the parsers of `codec`, so that a mistake of theirs is not hidden here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Framing", "RawFrame", "framing_of"]

_LENGTH = re.compile(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*([0-9]{1,9})[ \t]*\r?$")
_MSRP = re.compile(rb"MSRP ([^ \r\n]{1,64}) [^\r\n]*\r\n")
_MOST_WHOLE = 1 << 17
"""An HTTP message over this many bytes is shown as pieces, as it comes."""


@dataclass(frozen=True, slots=True)
class RawFrame:
    """`how` is `sip`, `msrp`, `http`, `piece` (of a longer HTTP body) or `ping`; `head` is how long its header is."""

    how: str
    data: bytes
    head: int


class Framing:
    """One direction of one connection."""

    def __init__(self, how: str) -> None:
        self._how = how
        self._buffer = bytearray()
        self._body_left = 0

    @property
    def within_body(self) -> bool:
        """Whether pieces of a body follow."""
        return self._body_left > 0

    def feed(self, data: bytes) -> Iterator[RawFrame]:
        """What is whole now."""
        self._buffer += data
        while self._buffer:
            frame = {"sip": self._sip, "msrp": self._msrp, "http": self._http}[self._how]()
            if frame is None:
                return
            del self._buffer[: len(frame.data)]
            yield frame

    def _sip(self) -> RawFrame | None:
        blank = re.match(rb"(?:\r\n)+", self._buffer)
        if blank is not None:
            return RawFrame("ping", blank[0], len(blank[0]))
        return self._with_length("sip")

    def _msrp(self) -> RawFrame | None:
        start = _MSRP.match(self._buffer)
        if start is None:
            return None
        line = re.search(rb"-------" + re.escape(start[1]) + rb"[$+#]\r\n", self._buffer)
        if line is None:
            return None
        data = bytes(self._buffer[: line.end()])
        head = data.find(b"\r\n\r\n")
        return RawFrame("msrp", data, head + 4 if head >= 0 else len(data))

    def _http(self) -> RawFrame | None:
        if self._body_left:
            data = bytes(self._buffer[: self._body_left])
            self._body_left -= len(data)
            return RawFrame("piece", data, 0)
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self._buffer[: end + 4])
        length = _LENGTH.search(head)
        size = int(length[1]) if length else 0
        if size > _MOST_WHOLE:
            self._body_left = size
            return RawFrame("http", head, len(head))
        if length is None and re.search(rb"(?i)transfer-encoding:[ \t]*chunked", head):
            return self._chunked(len(head))
        return self._with_length("http")

    def _chunked(self, head: int) -> RawFrame | None:
        end = self._buffer.find(b"\r\n0\r\n\r\n", head - 2)
        return None if end < 0 else RawFrame("http", bytes(self._buffer[: end + 7]), head)

    def _with_length(self, how: str) -> RawFrame | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        length = _LENGTH.search(self._buffer[: end + 2])
        whole = end + 4 + (int(length[1]) if length else 0)
        if len(self._buffer) < whole:
            return None
        return RawFrame(how, bytes(self._buffer[:whole]), end + 4)


def framing_of(label: bytes, passage: bool) -> str:
    """What is spoken on a connection, by what the log calls it."""
    return "http" if passage else "msrp" if label.endswith(b" msrp") else "sip"
