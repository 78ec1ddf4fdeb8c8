"""Whole SIP messages: start line, headers, body (RFC 3261 section 7).

A message parsed and encoded again has the same body bytes, and the same headers in the same order;
folded lines come out unfolded, compact names long, and Content-Length is always the true one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ...errors import DecodeError, InputError, LimitExceeded
from .grammar import TOKEN
from .headers import Headers

__all__ = ["Head", "Limits", "Request", "Response", "content_length", "encode", "parse_head", "parse_message"]

_VERSION = "SIP/2.0"
_STATUS = re.compile(r"[1-6][0-9][0-9]", re.ASCII)
_REQUEST_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\s<>\"\\^`{|}\x00-\x20\x7f]+", re.ASCII)
_LENGTH = re.compile(r"[0-9]{1,20}", re.ASCII)
# Control characters may only stand behind a backslash (quoted-pair, RFC 3261 section 25.1), line ends never.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", re.ASCII)
_BARE_CONTROL = re.compile(r"(?<!\\)[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", re.ASCII)
# One line. It matches from a line's start only, so that a malformed line is missed and the count shows it.
_HEADER_LINE = re.compile(r"^([A-Za-z0-9\-.!%*_+`'~]+)[ \t]*:[ \t]*([^\r]*)", re.MULTILINE | re.ASCII)
_NAME_BREAK = re.compile(r"[\x00-\x20:\x7f]")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds checked before memory is taken (SR-08). `max_header_bytes` counts the start line too."""

    max_header_bytes: int
    max_headers: int
    max_line: int
    max_body: int


@dataclass(frozen=True, slots=True)
class Request:
    """A SIP request. `uri` is text as written; `Uri.parse` reads it."""

    method: str
    uri: str
    headers: Headers
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """A SIP response."""

    status: int
    reason: str
    headers: Headers
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Head:
    """Start line and headers, before the body is there."""

    start: tuple[str, str] | tuple[int, str]
    headers: Headers

    def with_body(self, body: bytes) -> Request | Response:
        first, second = self.start
        if isinstance(first, int):
            return Response(first, second, self.headers, body)
        return Request(first, second, self.headers, body)


def encode(message: Request | Response) -> bytes:
    """The bytes of a message. Raises InputError when a part would break out of its line (header injection)."""
    if isinstance(message, Request):
        if not TOKEN.fullmatch(message.method) or not _REQUEST_URI.fullmatch(message.uri):
            raise InputError("not a SIP method or address", code="sip.injection")
        lines = [f"{message.method} {message.uri} {_VERSION}"]
    else:
        if not 100 <= message.status <= 699:
            raise InputError("not a SIP status", code="sip.injection")
        lines = [f"{_VERSION} {message.status} {message.reason}"]
    length = str(len(message.body))
    written = False
    for name, value in message.headers:
        if name.lower() == "content-length":
            if written:
                continue
            value = length
            written = True
        if _NAME_BREAK.search(name):
            raise InputError("not a header name", code="sip.injection")
        lines.append(f"{name}: {value}")
    if not written:
        lines.append(f"Content-Length: {length}")
    text = "\r\n".join(lines)
    # Every line break must be one of ours.
    if text.count("\r\n") != len(lines) - 1 or not _is_clean(text):
        raise InputError("a header holds a control character", code="sip.injection")
    try:
        return text.encode() + b"\r\n\r\n" + message.body
    except UnicodeEncodeError:
        raise InputError("a header holds half a character", code="sip.injection") from None


def parse_message(data: bytes, limits: Limits) -> Request | Response:
    """One whole message that fills `data` exactly. A missing Content-Length means: the rest.

    Raises DecodeError, LimitExceeded when over a bound.
    """
    end = data.find(b"\r\n\r\n", 0, limits.max_header_bytes + 4)
    if end < 0:
        if len(data) >= limits.max_header_bytes:
            raise LimitExceeded("headers too long", code="sip.limit.header_bytes")
        raise DecodeError("no end of headers", code="sip.truncated")
    head = parse_head(data, end, limits)
    size = len(data) - end - 4
    length = content_length(head.headers, limits)
    if (length is not None and length != size) or size > limits.max_body:
        if size > limits.max_body:
            raise LimitExceeded("body too long", code="sip.limit.body")
        raise DecodeError("content length does not fit the body", code="sip.content_length")
    return head.with_body(data[end + 4 :])


def content_length(headers: Headers, limits: Limits) -> int | None:
    """The announced body length, or None. Two of them are refused even when equal: hops may disagree which counts."""
    values = headers.all("Content-Length")
    if not values:
        return None
    if len(values) > 1 or not _LENGTH.fullmatch(values[0]):
        raise DecodeError("not a content length", code="sip.content_length")
    length = int(values[0])
    if length > limits.max_body:
        raise LimitExceeded(f"body of {length} bytes, at most {limits.max_body} allowed", code="sip.limit.body")
    return length


def parse_head(data: bytes | bytearray, end: int, limits: Limits) -> Head:
    """Start line and headers from data[:end], where `end` is at the empty line. Raises DecodeError."""
    if end > limits.max_header_bytes:
        raise LimitExceeded("headers too long", code="sip.limit.header_bytes")
    if data.count(b"\r\n", 0, end) > limits.max_headers:
        raise LimitExceeded(f"more than {limits.max_headers} header lines", code="sip.limit.headers")
    try:
        text = str(memoryview(data)[:end], "utf-8")
    except UnicodeDecodeError:
        raise DecodeError("headers are not UTF-8", code="sip.utf8") from None
    if not _is_clean(text):
        raise DecodeError("control character in the headers", code="sip.control")
    if len(text) > limits.max_line:
        _check_lines(text, limits)
    first, _, rest = text.partition("\r\n")
    start = _start_line(first)
    lines = text.count("\r\n")
    if "\r\n " in text or "\r\n\t" in text:
        unfolded = _unfold(rest.split("\r\n"))
        lines, rest = len(unfolded), "\r\n".join(unfolded)
        _check_lines(rest, limits)
    items = _HEADER_LINE.findall(rest)
    if len(items) != lines:
        raise DecodeError("not a header line", code="sip.header")
    if " \r\n" in rest or "\t\r\n" in rest or rest[-1:] in (" ", "\t"):
        items = [(name, value.rstrip(" \t")) for name, value in items]
    return Head(start, Headers(items))


def _is_clean(text: str) -> bool:
    """No line break but CRLF, no control character but in a quoted-pair."""
    breaks = text.count("\r\n")
    if text.count("\r") != breaks or text.count("\n") != breaks:
        return False
    return _CONTROL.search(text) is None or _BARE_CONTROL.search(text) is None


def _check_lines(text: str, limits: Limits) -> None:
    if max(map(len, text.split("\r\n"))) > limits.max_line:
        raise LimitExceeded("header line too long", code="sip.limit.line")


def _start_line(line: str) -> tuple[str, str] | tuple[int, str]:
    first, _, rest = line.partition(" ")
    if first[:4].upper() == "SIP/":
        if first.upper() != _VERSION:
            raise DecodeError("not SIP/2.0", code="sip.version")
        status, _, reason = rest.partition(" ")
        if not _STATUS.fullmatch(status):
            raise DecodeError("not a status", code="sip.start_line")
        return int(status), reason
    uri, _, version = rest.partition(" ")
    if not TOKEN.fullmatch(first) or not _REQUEST_URI.fullmatch(uri):
        raise DecodeError("not a request line", code="sip.start_line")
    if version.upper() != _VERSION:
        raise DecodeError("not SIP/2.0", code="sip.version")
    return first, uri


def _unfold(lines: list[str]) -> list[str]:
    """Join continuation lines with one space (RFC 3261 section 7.3.1)."""
    joined: list[list[str]] = []
    for line in lines:
        if line[:1] in (" ", "\t"):
            if not joined:
                raise DecodeError("continuation of the start line", code="sip.header")
            joined[-1].append(line.strip(" \t"))
        else:
            joined.append([line.rstrip(" \t")])
    return [" ".join(parts) for parts in joined]
