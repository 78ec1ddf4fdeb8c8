"""Messages out of a TCP or TLS byte stream: framing by Content-Length, CRLF keep-alives (RFC 5626 section 4.4.1).

Memory is bounded by the Limits however large the pieces fed are, and the work is linear in the bytes.
An error in the framing ends the stream: nobody knows where the next message starts. A message that
is framed but does not parse is handed out as `Malformed`, so that a peer behind a proxy cannot
cut the connection of another. What is not even meant to be SIP ends it: a request smuggled into the body
of another protocol's message must not come out of it (SR-14, SR-17).
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from ...errors import DecodeError, LimitExceeded
from .message import Head, Limits, Request, Response, content_length, parse_head

__all__ = ["KeepAlive", "Malformed", "StreamParser"]

_LENGTH_LINES = re.compile(rb"[\r\n](?:content-length|l)[ \t]*:", re.IGNORECASE)
_BARE_BREAK = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_LENGTH_LINE = re.compile(rb"\r\n(?:content-length|l)[ \t]*:[ \t]*([0-9]{1,20})[ \t]*(?=\r\n[^ \t]|$)", re.IGNORECASE)


class KeepAlive(enum.Enum):
    """Empty lines between messages. Two PONGs in a row are told as a PING: only the client knows that it pinged twice."""

    PING = "two empty lines: answer with one CRLF"
    PONG = "one empty line: the answer to our ping"


@dataclass(frozen=True, slots=True)
class Malformed:
    """A framed message that did not parse; the stream goes on behind it."""

    error: DecodeError


Item = Request | Response | KeepAlive | Malformed


class StreamParser:
    """Feed it what the socket gives; it returns what is complete. After an error it refuses all further input."""

    __slots__ = ("_blank", "_body", "_error", "_head", "_limits", "_pending", "_scanned")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pending = bytearray()  # bytes of a head that is not complete
        self._scanned = 0  # how far _pending was searched for the empty line
        self._head: Head | Malformed | None = None  # set while its body is awaited
        self._body = -1  # bytes of that body
        self._blank = 0  # empty lines seen in a row
        self._error: DecodeError | None = None

    def feed(self, data: bytes | bytearray | memoryview) -> list[Item]:
        """The messages and keep-alives that `data` completes.

        Raises DecodeError, or LimitExceeded, when the framing is lost; the connection must be closed then.
        """
        if self._error is not None:
            raise self._error
        items: list[Item] = []
        view = memoryview(data)
        # Taking no more than can be held keeps memory bounded when `data` itself is huge (SR-08).
        step = self._limits.max_header_bytes + 4
        try:
            pos = 0
            while pos < len(view):
                room = self._body - len(self._pending) if self._head is not None else step - len(self._pending)
                piece = view[pos : pos + room]
                pos += len(piece)
                self._pending += piece
                self._consume(items)
        except DecodeError as error:
            self._error = error
            self._pending = bytearray()
            self._head = None
            raise
        return items

    @property
    def idle(self) -> bool:
        """Whether the stream stands between two messages (where it may end)."""
        return not self._pending and self._head is None

    def _consume(self, items: list[Item]) -> None:
        buffer = self._pending
        done = 0  # everything before it has been handed out
        while True:
            if self._head is None:
                start = self._skip_blank(items, done)
                if start != done:
                    self._scanned = start
                    done = start
                end = buffer.find(b"\r\n\r\n", max(self._scanned, done))
                if end < 0:
                    if len(buffer) - done >= self._limits.max_header_bytes + 4:
                        raise LimitExceeded("headers too long", code="sip.limit.header_bytes")
                    del buffer[:done]
                    self._scanned = max(0, len(buffer) - 3)
                    return
                self._read_head(buffer[done:end])
                done = end + 4
                self._scanned = done
            if len(buffer) - done < self._body:
                del buffer[:done]
                self._scanned = 0
                return
            body = bytes(memoryview(buffer)[done : done + self._body])
            done += self._body
            self._scanned = done
            head, self._head = self._head, None
            self._blank = 0
            assert head is not None
            items.append(head if isinstance(head, Malformed) else head.with_body(body))

    def _skip_blank(self, items: list[Item], done: int) -> int:
        """Step over empty lines in front of a message."""
        buffer = self._pending
        while buffer[done : done + 1] == b"\r":
            second = buffer[done + 1 : done + 2]
            if not second:
                return done
            if second != b"\n":
                raise DecodeError("stray carriage return", code="sip.framing")
            done += 2
            self._blank += 1
            if self._blank == 2:
                self._blank = 0
                if items and items[-1] is KeepAlive.PONG:
                    items.pop()  # both halves came together: only a ping
                items.append(KeepAlive.PING)
            else:
                items.append(KeepAlive.PONG)
        return done

    def _read_head(self, raw: bytearray) -> None:
        try:
            head = parse_head(raw, len(raw), self._limits)
        except DecodeError as error:
            self._head = Malformed(error)
            self._body = _length_of_malformed(raw, error, self._limits)
            return
        length = content_length(head.headers, self._limits)
        if length is None:
            # RFC 3261 section 18.3: over a stream there is no other way to know where the message ends.
            raise DecodeError("no content length", code="sip.content_length")
        self._head = head
        self._body = length


def _length_of_malformed(raw: bytearray, error: DecodeError, limits: Limits) -> int:
    """The body length of a head that does not parse, or the error itself when that is not certain.

    Not certain also means: another hop takes a bare line feed for a line end and would frame it differently. And it is
    not certain in another protocol: whoever makes an MSRP relay or an HTTP client connect here has its user write the
    length that suits him, and what he calls the body would be read as the next message, from a peer that we may trust.
    """
    if not _is_sip(raw):
        raise error
    match = _LENGTH_LINE.search(raw)
    if match is None or _BARE_BREAK.search(raw) or len(_LENGTH_LINES.findall(raw)) != 1:
        raise error
    length = int(match[1])
    if length > limits.max_body:
        raise LimitExceeded("body too long", code="sip.limit.body") from error
    return length


def _is_sip(raw: bytearray) -> bool:
    """Whether a start line at least names the protocol where SIP does, of whatever version."""
    line = bytes(raw.partition(b"\r\n")[0]).upper()
    return line.startswith(b"SIP/") or (
        line.rstrip(b" \t").rpartition(b" ")[2].startswith(b"SIP/") and not line.startswith(b"MSRP ")
    )
