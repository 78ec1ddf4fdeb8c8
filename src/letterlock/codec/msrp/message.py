"""The heads of MSRP requests and responses (RFC 4975 sections 7 and 9, RFC 4976 section 7). Bodies are in `stream`.

Reading is strict about what decides where a message goes and what it is part of, and forgiving about
what decides nothing: unknown headers are kept and ignored (section 12), blanks around a value do not
count, MIME headers may stand anywhere behind the paths.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ...errors import DecodeError, InputError
from .uri import Path, encode_path, parse_path
from .values import ByteRange, FailureReport, Flag, Status, ident

__all__ = [
    "Head",
    "Limits",
    "Request",
    "Response",
    "encode_end",
    "encode_head",
    "encode_response",
    "parse_head",
    "parse_start",
]

_START = re.compile(r"MSRP ([A-Za-z0-9][A-Za-z0-9.\-+%=]{3,31}) (.+)", re.ASCII | re.DOTALL)
_METHOD = re.compile(r"[A-Z]{1,32}", re.ASCII)
_RESPONSE = re.compile(r"([0-9]{3})(?: (.*))?", re.ASCII | re.DOTALL)
_NAME = re.compile(r"[A-Za-z][!#-'*+\-.0-9A-Z^-~]*", re.ASCII | re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_MEDIA_TYPE = re.compile(
    r"[!#-'*+\-.0-9A-Z^-~]+/[!#-'*+\-.0-9A-Z^-~]+"
    r"(?:[ \t]*;[ \t]*[!#-'*+\-.0-9A-Z^-~]+(?:=(?:[!#-'*+\-.0-9A-Z^-~]+|\"(?:[^\"\\]|\\.)*\"))?)*",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)
_TYPED = frozenset(
    ("to-path", "from-path", "message-id", "byte-range", "success-report", "failure-report", "status", "content-type")
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds checked before memory is taken (SR-08). Bodies have none here: they are handed on in pieces."""

    max_line: int
    max_headers: int
    max_path: int


@dataclass(frozen=True, slots=True)
class Request:
    """A request without its body, which follows exactly when there is a `content_type` (section 7.1).

    `headers` are all that have no field of their own, in their order.
    """

    transaction: str
    method: str
    to_path: Path
    from_path: Path
    message_id: str | None = None
    byte_range: ByteRange | None = None
    success_report: bool = False
    failure_report: FailureReport = FailureReport.YES
    status: Status | None = None
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def header(self, name: str) -> str | None:
        """The first value of a header that has no field of its own."""
        return _first(self.headers, name)

    def header_all(self, name: str) -> tuple[str, ...]:
        return _all(self.headers, name)


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to one request. It has no body and is never divided (section 7.2)."""

    transaction: str
    status: int
    to_path: Path
    from_path: Path
    comment: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def header(self, name: str) -> str | None:
        return _first(self.headers, name)

    def header_all(self, name: str) -> tuple[str, ...]:
        return _all(self.headers, name)


Head = Request | Response


def parse_start(line: bytes) -> tuple[str, str]:
    """(transaction id, the rest) of a start line. Raises DecodeError (`msrp.start`): the framing is lost then."""
    match = _START.fullmatch(line.decode("latin-1"))
    if match is None:
        raise DecodeError("not an MSRP start line", code="msrp.start")
    return match[1], match[2]


def parse_head(start: bytes, lines: list[bytes], has_body: bool, limits: Limits) -> Head:
    """A start line and its header lines. Raises DecodeError, or LimitExceeded for a path that is too long."""
    transaction, _ = parse_start(start)
    rest = _text(start.split(b" ", 2)[2])
    pairs = [_header(line) for line in lines]
    to_path, from_path = _paths(pairs, limits)
    if _METHOD.fullmatch(rest):
        return _request(transaction, rest, to_path, from_path, pairs[2:], has_body)
    match = _RESPONSE.fullmatch(rest)
    if match is None:
        raise DecodeError("neither a method nor a status", code="msrp.start")
    if has_body:
        raise DecodeError("a response with a body", code="msrp.body")
    headers = pairs[2:]
    if any(name.lower() in ("to-path", "from-path") for name, _ in headers):
        raise DecodeError("a repeated path", code="msrp.header.repeated")
    return Response(transaction, int(match[1]), to_path, from_path, match[2] or "", tuple(headers))


def encode_head(request: Request) -> bytes:
    """Everything up to the body, its empty line included; or up to the end-line when there is no body.

    Raises InputError when a value would break out of its line.
    """
    lines = [
        f"MSRP {request.transaction} {request.method}",
        f"To-Path: {encode_path(request.to_path)}",
        f"From-Path: {encode_path(request.from_path)}",
    ]
    if request.message_id is not None:
        lines.append(f"Message-ID: {request.message_id}")
    if request.byte_range is not None:
        lines.append(f"Byte-Range: {request.byte_range.encode()}")
    if request.success_report:
        lines.append("Success-Report: yes")
    if request.failure_report is not FailureReport.YES:
        lines.append(f"Failure-Report: {request.failure_report.value}")
    if request.status is not None:
        lines.append(f"Status: {request.status.encode()}")
    lines += [f"{name}: {value}" for name, value in request.headers]
    if request.content_type is None:
        return _joined(lines)
    # "The Content-Type header field MUST be the last field in the message header section" (section 7.1).
    lines.append(f"Content-Type: {request.content_type}")
    return _joined(lines) + b"\r\n"


def encode_end(transaction: str, flag: Flag, after_body: bool) -> bytes:
    """The end-line, with the line end in front of it that belongs to it when there was a body."""
    line = f"-------{transaction}{flag.value}\r\n".encode()
    return b"\r\n" + line if after_body else line


def encode_response(response: Response) -> bytes:
    """A whole response."""
    comment = f" {response.comment}" if response.comment else ""
    lines = [
        f"MSRP {response.transaction} {response.status:03d}{comment}",
        f"To-Path: {encode_path(response.to_path)}",
        f"From-Path: {encode_path(response.from_path)}",
        *(f"{name}: {value}" for name, value in response.headers),
    ]
    return _joined(lines) + encode_end(response.transaction, Flag.COMPLETE, after_body=False)


def _joined(lines: list[str]) -> bytes:
    for line in lines:
        if _CONTROL.search(line):
            raise InputError("a control character cannot stand in a header", code="msrp.injection")
    return ("\r\n".join(lines) + "\r\n").encode()


def _text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise DecodeError("not UTF-8", code="msrp.utf8") from error
    if _CONTROL.search(text):
        raise DecodeError("a control character in a line", code="msrp.control")
    return text


def _header(line: bytes) -> tuple[str, str]:
    name, colon, value = _text(line).partition(":")
    # A folded line fails here: MSRP has no folding (RFC 4976 section 3), so its first character is no name.
    if not colon or not _NAME.fullmatch(name):
        raise DecodeError("not a header", code="msrp.header")
    return name, value.strip(" \t")


def _paths(pairs: list[tuple[str, str]], limits: Limits) -> tuple[Path, Path]:
    """The two paths stand first, To-Path before From-Path (section 9: `headers`)."""
    names = [name.lower() for name, _ in pairs[:2]]
    if names != ["to-path", "from-path"]:
        raise DecodeError("the two paths do not stand first", code="msrp.path")
    return parse_path(pairs[0][1], limits.max_path), parse_path(pairs[1][1], limits.max_path)


def _request(
    transaction: str, method: str, to_path: Path, from_path: Path, pairs: list[tuple[str, str]], has_body: bool
) -> Request:
    typed: dict[str, str] = {}
    others: list[tuple[str, str]] = []
    for name, value in pairs:
        key = name.lower()
        if key not in _TYPED:
            others.append((name, value))
        elif key in typed or key in ("to-path", "from-path"):
            # Two nodes on the way could each believe another one of them.
            raise DecodeError("a repeated header", code="msrp.header.repeated")
        else:
            typed[key] = value
    content_type = typed.get("content-type")
    if content_type is not None and not _MEDIA_TYPE.fullmatch(content_type):
        raise DecodeError("not a media type", code="msrp.content_type")
    if has_body and content_type is None:
        # Section 7.1: "If the request has a body, it MUST contain a Content-Type header field."
        raise DecodeError("a body without a type", code="msrp.body")
    if content_type is not None and not has_body:
        # Section 7.1: "A request with no body MUST NOT include a Content-Type".
        raise DecodeError("a type without a body", code="msrp.body")
    message_id = typed.get("message-id")
    if method in ("SEND", "REPORT"):
        if message_id is None:
            raise DecodeError("no message id", code="msrp.message_id")
        if method == "REPORT" and "status" not in typed:
            raise DecodeError("a report without a status", code="msrp.status")
    report = method == "REPORT"
    return Request(
        transaction,
        method,
        to_path,
        from_path,
        None if message_id is None else ident(message_id, "Message-ID"),
        ByteRange.parse(typed["byte-range"]) if "byte-range" in typed else None,
        # Forbidden in a report (section 7.1.2) and without meaning there: not a reason to lose the report.
        False if report else _success_report(typed.get("success-report")),
        FailureReport.YES if report else _failure_report(typed.get("failure-report")),
        Status.parse(typed["status"]) if "status" in typed else None,
        content_type,
        tuple(others),
    )


def _success_report(text: str | None) -> bool:
    if text is None or text.lower() == "no":
        return False
    if text.lower() != "yes":
        raise DecodeError("not a report wish", code="msrp.report")
    return True


def _failure_report(text: str | None) -> FailureReport:
    if text is None:
        return FailureReport.YES
    try:
        return FailureReport(text.lower())
    except ValueError as error:
        raise DecodeError("not a report wish", code="msrp.report") from error


def _first(headers: tuple[tuple[str, str], ...], name: str) -> str | None:
    return next(iter(_all(headers, name)), None)


def _all(headers: tuple[tuple[str, str], ...], name: str) -> tuple[str, ...]:
    wanted = name.lower()
    return tuple(value for key, value in headers if key.lower() == wanted)
