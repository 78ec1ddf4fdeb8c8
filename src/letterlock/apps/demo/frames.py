"""The wire log as frames, live: who to whom, when, how many bytes, and of what kind, as far as the carrier can tell.

Nothing here knows a key, a store or a phone: only the log. Where two things look alike, the kind says so.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ...carrier.passage import FIRST_PASSAGE
from ...carrier.wirelog import Record
from ...codec.frame import MEDIA_TYPE, decode_frame
from ...codec.sip import NameAddr
from ...errors import DecodeError
from ...ids import Instant
from ...trust.requests import HEADER, decode_signature
from .framing import Framing, RawFrame, framing_of
from .network import DIRECTORY_PASSAGE

__all__ = ["Change", "Closed", "Copy", "Frame", "Frames"]

_KEPT = 3_000
_MOST = 1 << 20
_MOST_COPIES = 256
_COPY_HEAD = 8
_HEADER_LINE = re.compile(rb"([!-9;-~]+)[ \t]*:[ \t]*([^\r\n]*)")
_SEALED = (MEDIA_TYPE, "message/mls", "application/octet-stream")


@dataclass(frozen=True, slots=True)
class Copy:
    """A frame as it left the carrier towards a phone: when, its bytes, and whether they say something else."""

    at: Instant
    recipient: str
    data: bytes
    changed: bool


@dataclass(slots=True)
class Frame:
    """One frame. `sender` and `recipient` are numbers, or empty; `inner` are the headers of the CPIM message.

    `kind` is a key of the words, `demo.kind.KIND`. `sealed` is where in `data` begins what the carrier cannot read, its
    length behind it; (0, 0) when there is nothing of the sort. `made`: the carrier made it up.
    """

    number: int
    at: Instant
    how: str
    kind: str
    sender: str
    recipient: str
    line: str
    headers: tuple[tuple[str, str], ...]
    inner: tuple[tuple[str, str], ...]
    data: bytes
    sealed: tuple[int, int] = (0, 0)
    message_id: str = ""
    made: bool = False
    detail: str = ""
    devices: tuple[int, ...] = ()
    """For which devices of the recipient there is a copy inside: a frame says so, outside of what is encrypted."""
    device: int = 0
    """Which device sent it; 0 where nothing says so."""
    copies: list[Copy] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Closed:
    """A number's connection is gone."""

    at: Instant
    number: str


Change = Frame | tuple[Frame, Copy] | Closed


@dataclass(slots=True)
class _Connection:
    how: str
    passage: str
    number: str = ""
    inward: Framing = field(init=False)
    outward: Framing = field(init=False)

    def __post_init__(self) -> None:
        self.inward, self.outward = Framing(self.how), Framing(self.how)


class Frames:
    """Feed it records; it keeps the last frames and says what is new."""

    def __init__(self) -> None:
        self._connections: dict[int, _Connection] = {}
        self._kept: dict[int, Frame] = {}
        self._by_call: dict[tuple[str, str], Frame] = {}
        self._next = 1

    def frame(self, number: int) -> Frame | None:
        """One that is kept."""
        return self._kept.get(number)

    @property
    def all(self) -> Iterable[Frame]:
        """Those that are kept, oldest first."""
        return self._kept.values()

    def feed(self, record: Record) -> Iterator[Change]:
        """What a record of the log brings."""
        if record.kind == "O":
            passage = record.connection >= FIRST_PASSAGE
            where = "" if not passage else "directory" if record.connection >= DIRECTORY_PASSAGE else "content"
            self._connections[record.connection] = _Connection(framing_of(record.payload, passage), where)
            return
        connection = self._connections.get(record.connection)
        if connection is None:
            return
        if record.kind == "C":
            del self._connections[record.connection]
            if connection.number and connection.how == "sip":
                yield Closed(record.at, connection.number)
        elif record.kind == "r":
            for raw in connection.inward.feed(record.payload):
                yield self._keep(_inward(connection, raw, record.at, self._next))
        elif record.kind == "s":
            for raw in connection.outward.feed(record.payload):
                yield from self._outward(connection, raw, record.at)

    # --- what comes out of the carrier -------------------------------------------------------------------
    def _outward(self, connection: _Connection, raw: RawFrame, at: Instant) -> Iterator[Change]:
        if connection.how == "http":
            if raw.how == "piece" or raw.head < len(raw.data) or connection.outward.within_body:
                yield self._keep(_answer(connection, raw, at, self._next))
            return
        if connection.how != "sip" or raw.how == "ping" or raw.data.startswith(b"SIP/2.0"):
            return
        headers = _headers(raw)
        before = self._by_call.get(_call(headers))
        if before is not None and before.line.split(" ")[0] == raw.data.split(b" ", 1)[0].decode("ascii", "replace"):
            changed = raw.data[raw.head :] != _body(before)
            copy = Copy(at, connection.number, raw.data, changed)
            before.copies.append(copy)
            yield before, copy
            return
        if raw.data.startswith(b"MESSAGE "):
            made = _inward(connection, raw, at, self._next)
            made.made = True
            made.recipient = connection.number or made.recipient
            yield self._keep(made)

    def _keep(self, frame: Frame) -> Frame:
        self._next += 1
        self._kept[frame.number] = frame
        if frame.how == "sip" and not frame.made:
            call = _call(frame.headers)
            if call[0] and not frame.line.startswith("SIP/2.0"):
                self._by_call[call] = frame
        while len(self._kept) > _KEPT:
            gone = self._kept.pop(next(iter(self._kept)))
            self._by_call.pop(_call(gone.headers), None)
        return frame


def _inward(connection: _Connection, raw: RawFrame, at: Instant, number: int) -> Frame:
    headers = _headers(raw)
    line = raw.data[: raw.head].split(b"\r\n", 1)[0].decode("utf-8", "replace")
    frame = Frame(number, at, raw.how, "other", connection.number, "", line, headers, (), raw.data)
    if raw.how == "ping":
        frame.kind, frame.line = "ping", ""
    elif raw.how == "sip":
        _read_sip(connection, frame, raw)
    elif raw.how == "msrp":
        _read_msrp(connection, frame, raw)
    else:
        _read_http(connection, frame, raw)
    return frame


def _answer(connection: _Connection, raw: RawFrame, at: Instant, number: int) -> Frame:
    frame = _inward(connection, raw, at, number)
    frame.sender, frame.recipient = "", connection.number
    frame.kind = "keys-answer" if connection.passage == "directory" else "file-answer"
    return frame


# --- one kind of frame after the other -----------------------------------------------------------------------
def _read_sip(connection: _Connection, frame: Frame, raw: RawFrame) -> None:
    method = frame.line.split(" ")[0]
    if method == "SIP/2.0":
        frame.kind, frame.detail = "answer", frame.line.removeprefix("SIP/2.0 ")
        return
    sender, recipient = _number(_one(frame.headers, "from")), _number(_one(frame.headers, "to"))
    if method == "REGISTER":
        connection.number = connection.number or recipient
        frame.kind, frame.sender, frame.recipient = "registration", recipient, ""
        return
    frame.sender, frame.recipient = sender or connection.number, recipient
    if method == "MESSAGE":
        _read_cpim(frame, raw.head)
    elif method in ("INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "REFER", "NOTIFY", "SUBSCRIBE"):
        frame.kind, frame.detail = "session", method
    elif method == "OPTIONS":
        frame.kind = "capabilities"


def _read_msrp(connection: _Connection, frame: Frame, raw: RawFrame) -> None:
    words = frame.line.split(" ")
    method = words[2] if len(words) > 2 else ""
    if method == "AUTH":
        found = re.search(r'username="?\+?([0-9]+)', _one(frame.headers, "authorization"))
        if found is not None:
            connection.number = f"+{found[1]}"
        frame.kind, frame.sender = "session", connection.number
    elif method == "SEND" and raw.head < len(raw.data):
        _read_cpim(frame, raw.head)
        if frame.kind == "other":
            frame.kind, frame.sealed = "chunk", (raw.head, len(raw.data) - raw.head)
    else:
        frame.kind = "session"
    frame.detail = frame.detail or method


def _read_http(connection: _Connection, frame: Frame, raw: RawFrame) -> None:
    if raw.how == "piece":
        frame.kind, frame.line, frame.sealed = "file", "", (0, len(raw.data))
        return
    if connection.passage == "content":
        frame.kind = "file"
        if raw.head < len(raw.data):
            frame.sealed = (raw.head, len(raw.data) - raw.head)
        return
    frame.kind = "keys"
    signature = _one(frame.headers, HEADER.lower())
    if signature:
        with contextlib.suppress(DecodeError):
            connection.number = str(decode_signature(signature).number)
    frame.sender = connection.number
    asked = re.search(rb'"number"\s*:\s*"(\+[0-9]{3,15})"', raw.data[raw.head :])
    path = frame.line.split(" ")[1] if " " in frame.line else ""
    if path in ("/v1/lists/query", "/v1/bundles") and asked is not None:
        frame.kind, frame.recipient = "look-up", asked[1].decode()
    frame.detail = path


def _read_cpim(frame: Frame, head: int) -> None:
    """What a message says of itself before its content begins."""
    body = frame.data[head:]
    outer_end = body.find(b"\r\n\r\n")
    if not _one(frame.headers, "content-type").lower().startswith("message/cpim") or outer_end < 0:
        frame.kind = "plain" if body else "other"
        return
    inner_end = body.find(b"\r\n\r\n", outer_end + 4)
    inner = _lines(body[: inner_end if inner_end >= 0 else len(body)])
    frame.inner = inner
    frame.message_id = _one(inner, "imdn.message-id")
    content_type = _one(inner, "content-type").lower()
    end = len(frame.data)
    if frame.how == "msrp":
        end = frame.data.rfind(b"\r\n-------")
    if content_type.startswith(_SEALED):
        frame.kind, frame.sealed = "sealed", (head + inner_end + 4, end - head - inner_end - 4)
        if content_type.startswith(MEDIA_TYPE):
            _read_frame(frame)
        return
    frame.kind = "receipt" if content_type.startswith("message/imdn") else "plain"


def _read_frame(frame: Frame) -> None:
    """Accounts, device numbers and a signed list of devices stand before the ciphertexts, for everybody to read."""
    begin, size = frame.sealed
    content = frame.data[begin : begin + size]
    try:
        found = decode_frame(content, max_frame=_MOST, max_list=_MOST, max_copies=_MOST_COPIES)
    except DecodeError:
        return
    if found.copies:
        behind = sum(len(copy.ciphertext) + _COPY_HEAD for copy in found.copies)
        at = content.find(found.copies[0].ciphertext, max(0, size - behind))
        frame.sealed = begin + at, size - at
        frame.device, frame.devices = found.sender_device, tuple(copy.device for copy in found.copies)


# --- headers ---------------------------------------------------------------------------------------------------
def _headers(raw: RawFrame) -> tuple[tuple[str, str], ...]:
    return () if raw.how in ("ping", "piece") else _lines(raw.data[: raw.head].partition(b"\r\n")[2])


def _lines(head: bytes) -> tuple[tuple[str, str], ...]:
    found = (_HEADER_LINE.fullmatch(line) for line in head.split(b"\r\n"))
    return tuple((m[1].decode("ascii", "replace"), m[2].decode("utf-8", "replace")) for m in found if m is not None)


def _one(headers: Iterable[tuple[str, str]], name: str) -> str:
    return next((value for each, value in headers if each.lower() == name), "")


def _call(headers: Iterable[tuple[str, str]]) -> tuple[str, str]:
    headers = tuple(headers)
    return _one(headers, "call-id"), _one(headers, "cseq")


def _number(header: str) -> str:
    try:
        return str(NameAddr.parse(header).uri.number or "")
    except DecodeError:
        return ""


def _body(frame: Frame) -> bytes:
    at = frame.data.find(b"\r\n\r\n")
    return frame.data[at + 4 :] if at >= 0 else b""
