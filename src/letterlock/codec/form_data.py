"""`multipart/form-data` (RFC 7578) as it arrives, piece by piece: never more in memory than a head or a boundary.

What a reader gives as data of a part is exactly that: bytes that may turn out to be the boundary are held back until
it is decided, so that a body that is cut anywhere leaves a true prefix of the file behind.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import quote, unquote

from ..errors import DecodeError, LimitExceeded

__all__ = [
    "FormDataReader",
    "FormEvent",
    "FormLimits",
    "PartBegun",
    "PartData",
    "PartEnded",
    "boundary_of",
    "part_head",
]

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]", re.ASCII)
_TYPE = re.compile(r"multipart/form-data[ \t]*(?:;(.*))?", re.IGNORECASE | re.DOTALL)
_PARAMETER = re.compile(
    r'[ \t]*([0-9A-Za-z!#$&+.^_`|~*-]{1,64})=(?:"((?:[^"\\]|\\.){0,4096})"|([^;" \t]{0,4096}))[ \t]*(?:;|$)'
)
_ESCAPED = re.compile(r'\\(["\\])')
_HEADER = re.compile(r"([0-9A-Za-z!#$%&'*+.^_`|~-]{1,64}):[ \t]*(.*)", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)
_END_OF_HEAD = b"\r\n\r\n"
_MAX_PADDING = 256


@dataclass(frozen=True, slots=True)
class FormLimits:
    """Bounds, checked before memory is taken (SR-08)."""

    max_parts: int
    max_head: int


@dataclass(frozen=True, slots=True)
class PartBegun:
    """A part and what its head claims about it. `length` is None when it does not say."""

    name: str
    filename: str
    content_type: str
    length: int | None


@dataclass(frozen=True, slots=True)
class PartData:
    """The next bytes of the part."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PartEnded:
    """The part is whole."""


FormEvent: TypeAlias = PartBegun | PartData | PartEnded


class _At(enum.Enum):
    PREAMBLE = enum.auto()
    DELIMITER = enum.auto()
    HEAD = enum.auto()
    DATA = enum.auto()
    END = enum.auto()


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type names. Raises DecodeError when it is not multipart/form-data with one."""
    found = _TYPE.fullmatch(content_type.strip()) if len(content_type) <= 1024 else None
    boundary = _parameters(found[1] or "").get("boundary") if found else None
    if boundary is None or not _BOUNDARY.fullmatch(boundary):
        raise DecodeError("not multipart/form-data with a boundary", code="form.type")
    return boundary.encode()


def part_head(boundary: bytes, name: str, *, filename: str = "", content_type: str = "", length: int) -> bytes:
    """What stands before the bytes of a part; `filename` is percent-encoded, as peers do it (RFC 7578 section 2)."""
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename:
        disposition += f'; filename="{quote(filename, safe=" ")}"'
    lines = [disposition, f"Content-Type: {content_type or 'text/plain'}", f"Content-Length: {length}", "", ""]
    return b"--" + boundary + b"\r\n" + "\r\n".join(lines).encode()


class FormDataReader:
    """Feed it the body; it tells what was in it. After an error it is of no use any more."""

    def __init__(self, boundary: bytes, limits: FormLimits) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._limits = limits
        # The first boundary has no line end before it.
        self._buffer = bytearray(b"\r\n")
        self._searched = 0
        self._parts = 0
        self._at = _At.PREAMBLE

    @property
    def ended(self) -> bool:
        """Whether the closing boundary has been read."""
        return self._at is _At.END

    def feed(self, data: bytes) -> list[FormEvent]:
        """What the next piece of the body completes. Raises DecodeError, LimitExceeded."""
        self._buffer += data
        events: list[FormEvent] = []
        while self._step(events):
            pass
        return events

    def _step(self, events: list[FormEvent]) -> bool:
        """Read one element; whether there may be another."""
        if self._at is _At.END:
            self._buffer.clear()  # an epilogue is nobody's (RFC 2046 section 5.1.1)
            return False
        if self._at is _At.DELIMITER:
            return self._read_delimiter()
        if self._at is _At.HEAD:
            return self._read_head(events)
        return self._read_data(events)

    def _read_data(self, events: list[FormEvent]) -> bool:
        at = self._buffer.find(self._delimiter)
        found = at >= 0
        if not found:
            at = max(0, len(self._buffer) - len(self._delimiter) + 1)
        if self._at is _At.DATA:
            if at:
                events.append(PartData(bytes(self._buffer[:at])))
            if found:
                events.append(PartEnded())
        elif not found and at > self._limits.max_head:
            raise DecodeError("no boundary where the body begins", code="form.preamble")
        if self._at is _At.PREAMBLE and not found:
            return False  # kept and counted: a preamble without end is no reason to go on reading
        del self._buffer[: at + len(self._delimiter) if found else at]
        if found:
            self._at = _At.DELIMITER
        return found

    def _read_delimiter(self) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer.startswith(b"--"):
            self._at = _At.END
            return True
        end = self._buffer.find(b"\r\n", 0, _MAX_PADDING)
        if end < 0 and len(self._buffer) < _MAX_PADDING:
            return False
        if end < 0 or self._buffer[:end].strip(b" \t"):
            raise DecodeError("a boundary is followed by something else", code="form.boundary")
        # The line end stays: a head may be empty, and then it is half of what ends it.
        del self._buffer[:end]
        self._searched = 0
        self._parts += 1
        if self._parts > self._limits.max_parts:
            raise LimitExceeded(f"more than {self._limits.max_parts} parts", code="form.limit")
        self._at = _At.HEAD
        return True

    def _read_head(self, events: list[FormEvent]) -> bool:
        end = self._buffer.find(_END_OF_HEAD, self._searched)
        if max(end, len(self._buffer) if end < 0 else 0) > self._limits.max_head:
            raise LimitExceeded(f"a head of more than {self._limits.max_head} bytes", code="form.limit")
        if end < 0:
            self._searched = max(0, len(self._buffer) - len(_END_OF_HEAD) + 1)
            return False
        events.append(_part(bytes(self._buffer[:end])))
        del self._buffer[: end + len(_END_OF_HEAD)]
        self._at = _At.DATA
        return True


def _part(head: bytes) -> PartBegun:
    try:
        text = head.decode()
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    headers: dict[str, str] = {}
    for line in text.split("\r\n"):
        if not line:
            continue
        found = _HEADER.fullmatch(line)
        if found is None or found[1].lower() in headers:
            raise DecodeError("a part's head that is none", code="form.head")
        headers[found[1].lower()] = found[2].strip()
    kind, _, rest = headers.get("content-disposition", "").partition(";")
    if kind.strip().lower() != "form-data":
        raise DecodeError("a part that is not form-data", code="form.head")
    # RFC 7578 section 4.7: deprecated, and a second encoding of the same bytes is a way around every check.
    if headers.get("content-transfer-encoding", "binary").lower() not in ("binary", "8bit", "7bit"):
        raise DecodeError("a part with a transfer encoding", code="form.encoding")
    parameters = _parameters(rest)
    length = headers.get("content-length")
    return PartBegun(
        parameters.get("name", ""),
        _filename(parameters),
        headers.get("content-type", ""),
        int(length) if length is not None and _DIGITS.fullmatch(length) else None,
    )


def _filename(parameters: dict[str, str]) -> str:
    extended = parameters.get("filename*", "")
    charset, _, rest = extended.partition("'")
    if charset.lower() == "utf-8" and "'" in rest:
        return unquote(rest.partition("'")[2], errors="replace")
    return unquote(parameters.get("filename", ""), errors="replace")


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None:
            if text[at:].strip(" \t;"):
                raise DecodeError("parameters that cannot be read", code="form.head")
            break
        name = match[1].lower()
        if name in found:
            raise DecodeError("a parameter twice", code="form.head")
        found[name] = _ESCAPED.sub(r"\1", match[2]) if match[2] is not None else match[3]
        at = match.end()
    return found
