"""MSRP out of a byte stream: head, pieces of the body, end; a body is never held (RFC 4975 sections 5.1 and 7.3.1).

Memory is one header section and less than one end-line, however large the message; the work is linear in
the bytes, also when they come one by one. What breaks the framing ends the stream. A head that is framed
but wrong is handed out as `Malformed` and its body passed over, so that it can be answered with 400 and a
neighbour behind a relay does not lose the connection.

Where the end-line is: seven hyphens, the transaction id and a flag, at the start of a line. A sender may not
let these stand in a body (section 7.1); where they are followed by something else than the line's end, two
readers could disagree, and the stream is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...errors import DecodeError, LimitExceeded
from .message import Limits, Request, Response, parse_head, parse_start
from .uri import Path, parse_path
from .values import Flag

__all__ = ["Body", "End", "Item", "Lost", "Malformed", "MsrpParser"]

_FLAGS = {ord(flag.value): flag for flag in Flag}
_MAX_OTHER_BODY = 10_240  # section 7.1: "Non-SEND request bodies MUST NOT be larger than 10240 octets"


@dataclass(frozen=True, slots=True)
class Body:
    """The next bytes of the body. They stay valid as long as they are referred to."""

    data: memoryview = field(repr=False)


@dataclass(frozen=True, slots=True)
class End:
    """The end-line of the request whose head came last. A response has none here: its head is all there is."""

    flag: Flag


@dataclass(frozen=True, slots=True)
class Malformed:
    """A framed request or response that does not parse; nothing of its body is handed out, and no End.

    The paths are there when at least they could be read, and `request` says whether it can be answered.
    """

    error: DecodeError
    transaction: str
    request: bool
    to_path: Path = ()
    from_path: Path = ()


@dataclass(frozen=True, slots=True)
class Lost:
    """The framing is lost, nobody knows where the next message starts: close the connection. Nothing follows."""

    error: DecodeError


Item = Request | Response | Body | End | Malformed | Lost


class MsrpParser:
    """Feed it what the socket gives."""

    __slots__ = (
        "_buffered",
        "_error",
        "_held",
        "_in_body",
        "_limits",
        "_lines",
        "_needle",
        "_partial",
        "_room",
        "_shown",
        "_virtual",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._partial = bytearray()  # a line of the head that is not complete
        self._lines: list[bytes] = []  # those that are, the start line first
        self._buffered = 0  # bytes of `_lines`
        self._in_body = False
        self._needle = b""  # a line end and what the end-line starts with
        self._held = b""  # the end of the body so far, while it may be the start of the end-line
        self._virtual = 0  # bytes in front of the body that are still to be passed over
        self._shown = False  # whether this body is handed out
        self._room: int | None = None  # how long it may still get, where there is a bound
        self._error: DecodeError | None = None

    @property
    def idle(self) -> bool:
        """Whether the stream stands between two messages, where it may end."""
        return not (self._in_body or self._lines or self._partial)

    @property
    def buffered(self) -> int:
        """Bytes held."""
        return self._buffered + len(self._partial) + len(self._held)

    def feed(self, data: bytes) -> list[Item]:
        """What `data` completes; `Lost` comes last. Raises its error again for any input behind it."""
        if self._error is not None:
            raise self._error
        items: list[Item] = []
        try:
            pos = 0
            while pos < len(data):
                if not self._in_body:
                    pos = self._read_head(data, pos, items)
                    continue
                if self._held:
                    data, pos, self._held = self._held + data[pos:], 0, b""
                pos = self._read_body(data, pos, items)
        except DecodeError as error:
            self._error = error
            self._partial, self._lines, self._held = bytearray(), [], b""
            items.append(Lost(error))
        return items

    # --- head ------------------------------------------------------------------------------------
    def _read_head(self, data: bytes, pos: int, items: list[Item]) -> int:
        """Take one line, or the start of one."""
        at = data.find(b"\n", pos)
        end = len(data) if at < 0 else at + 1
        if len(self._partial) + end - pos > self._limits.max_line + 2:
            raise LimitExceeded("line too long", code="msrp.limit.line")
        if self._partial or at < 0 or data[pos:end][-2:] != b"\r\n":
            self._partial += data[pos:end]
            if not self._partial.endswith(b"\r\n"):
                return end  # a bare line feed stays in the line, which then does not parse
            line = bytes(self._partial[:-2])
            self._partial.clear()
            self._on_line(line, items)
            if self._in_body:
                self._held = b"\r\n"
            return end
        self._on_line(data[pos : end - 2], items)
        # The empty line's end counts as the one in front of a first line of the body, which may be the end-line.
        # Stepping back to it copies nothing, however many messages are in `data`.
        return end - 2 if self._in_body else end

    def _on_line(self, line: bytes, items: list[Item]) -> None:
        lines = self._lines
        if not lines:
            if not line:
                return  # an empty line between messages, which some peers send to keep a NAT open
            transaction, rest = parse_start(line)
            self._needle = b"\r\n-------" + transaction.encode()
            self._room = None if rest == "SEND" else _MAX_OTHER_BODY
            lines.append(line)
            self._buffered = len(line)
            return
        if not line:
            self._in_body, self._virtual = True, 2
            self._finish_head(items, flag=None)
            return
        marker = self._needle[2:]
        if line.startswith(marker) and len(line) == len(marker) + 1 and line[-1] in _FLAGS:
            self._finish_head(items, flag=_FLAGS[line[-1]])
            return
        if len(lines) > self._limits.max_headers:
            raise LimitExceeded("too many headers", code="msrp.limit.headers")
        lines.append(line)
        self._buffered += len(line)

    def _finish_head(self, items: list[Item], *, flag: Flag | None) -> None:
        """The header section ended: with the end-line that has `flag`, or with an empty line."""
        lines, self._lines, self._buffered = self._lines, [], 0
        try:
            head = parse_head(lines[0], lines[1:], flag is None, self._limits)
            if isinstance(head, Response) and flag is not Flag.COMPLETE:
                # Section 7.2: "the continuation flag in the end-line will always contain a dollar sign".
                raise DecodeError("a response that is not complete", code="msrp.flag")
            if _must_be_whole(head) and flag not in (None, Flag.COMPLETE):
                raise DecodeError("only SEND can be divided", code="msrp.flag")
        except DecodeError as error:
            self._shown = False
            items.append(_malformed(lines, error, self._limits))
            return
        self._shown = True
        items.append(head)
        if flag is not None and isinstance(head, Request):
            items.append(End(flag))

    # --- body ------------------------------------------------------------------------------------
    def _read_body(self, data: bytes, pos: int, items: list[Item]) -> int:
        """Hand out what is body for certain, up to the end-line if it is there."""
        needle = self._needle
        search = pos
        while True:
            at = data.find(needle, search)
            if at < 0:
                # The start of an end-line at the very end? It starts at the last carriage return, or not at all.
                at = data.rfind(b"\r", max(pos, len(data) - len(needle) + 1))
                if at < 0 or not needle.startswith(data[at:]):
                    at = len(data)
                break
            after = at + len(needle)
            behind = data[after : after + 3]
            if behind and behind[0] not in _FLAGS:
                search = after  # the id goes on: not our end-line (section 7.1)
                continue
            if not b"\r\n".startswith(behind[1:]):
                raise DecodeError("an end-line that does not end", code="msrp.end_line")
            if len(behind) < 3:
                break
            self._show(data, pos, at, items)
            self._in_body = False
            if self._shown:
                items.append(End(_FLAGS[behind[0]]))
            return after + 3
        self._show(data, pos, at, items)
        self._held = data[at:]
        return len(data)

    def _show(self, data: bytes, start: int, end: int, items: list[Item]) -> None:
        skipped = min(self._virtual, end - start)
        self._virtual -= skipped
        start += skipped
        if start == end:
            return
        if self._room is not None:
            self._room -= end - start
            if self._room < 0:
                raise LimitExceeded("a long body that is not of a message", code="msrp.limit.body")
        if self._shown:
            items.append(Body(memoryview(data)[start:end]))


def _must_be_whole(head: Request | Response) -> bool:
    """Whether it must come in one piece."""
    return isinstance(head, Response) or head.method != "SEND"


def _malformed(lines: list[bytes], error: DecodeError, limits: Limits) -> Malformed:
    """What can still be said of a head that does not parse."""
    transaction, rest = parse_start(lines[0])
    request = not rest[:1].isdigit()
    paths: list[Path] = []
    for name, line in zip((b"to-path:", b"from-path:"), lines[1:3], strict=False):
        if not line.lower().startswith(name):
            break
        try:
            paths.append(parse_path(line[len(name) :].decode("latin-1").strip(" \t"), limits.max_path))
        except DecodeError:
            break
    if len(paths) < 2:
        return Malformed(error, transaction, request)
    return Malformed(error, transaction, request, paths[0], paths[1])
