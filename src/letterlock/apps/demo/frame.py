"""One frame, and what can be read of it without a key: who to whom, of what kind, and where the ciphertext begins.

Only what is encrypted is marked as such. What stands in the clear inside of it, accounts, device numbers, a group's id and
the control messages of a group, is for everybody on the way to read, and is not claimed to be hidden.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from ...codec.frame import MEDIA_TYPE, decode_frame
from ...codec.sip import NameAddr
from ...codec.tls import Reader
from ...errors import DecodeError
from ...ids import Instant
from ...mls.wire.framing import PrivateMessage
from ...trust.requests import HEADER, decode_signature
from .framing import RawFrame

__all__ = ["Copy", "Frame", "Party", "body_of", "call_of", "headers_of", "one", "read"]

_MOST = 1 << 20
_MOST_COPIES = 256
_COPY_HEAD = 8
_MOST_BEGUN = 64
_HEADER_LINE = re.compile(rb"([!-9;-~]+)[ \t]*:[ \t]*([^\r\n]*)")
_MLS = "message/mls"
_PRIVATE_MESSAGE = b"\x00\x01\x00\x02"  # RFC 9420 section 6: version mls10, wire format mls_private_message
_OCTETS = "application/octet-stream"


class Party(Protocol):
    """Whose connection it came over: the number is learnt from what is said, the passage is where it leads."""

    number: str
    begun: dict[str, str]
    """Of messages of a session that are not whole yet: their names, and of what kind they are."""

    @property
    def passage(self) -> str: ...


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


def read(connection: Party, raw: RawFrame, at: Instant, number: int) -> Frame:
    """What came over this connection."""
    headers = headers_of(raw)
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


# --- one kind of frame after the other -----------------------------------------------------------------------
def _read_sip(connection: Party, frame: Frame, raw: RawFrame) -> None:
    method = frame.line.split(" ")[0]
    if method == "SIP/2.0":
        frame.kind, frame.detail = "answer", frame.line.removeprefix("SIP/2.0 ")
        return
    sender, recipient = _number(one(frame.headers, "from")), _number(one(frame.headers, "to"))
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


def _read_msrp(connection: Party, frame: Frame, raw: RawFrame) -> None:
    words = frame.line.split(" ")
    method = words[2] if len(words) > 2 else ""
    if method == "AUTH":
        found = re.search(r'username="?\+?([0-9]+)', one(frame.headers, "authorization"))
        if found is not None:
            connection.number = f"+{found[1]}"
        frame.kind, frame.sender = "session", connection.number
    elif method == "SEND" and raw.head < len(raw.data):
        _read_chunk(connection, frame, raw)
    else:
        frame.kind = "session"
    frame.detail = frame.detail or method


def _read_chunk(connection: Party, frame: Frame, raw: RawFrame) -> None:
    """A message may come in several; what it is stands in the first alone."""
    name, end = one(frame.headers, "message-id"), frame.data.rfind(b"\r\n-------")
    first = connection.begun.pop(name, "") if not one(frame.headers, "byte-range").startswith("1-") else ""
    if not first:
        _read_cpim(frame, raw.head)
    elif first == "sealed":
        frame.kind, frame.sealed = "chunk", (raw.head, end - raw.head)
    else:
        frame.kind = first
    if frame.data.rstrip().endswith(b"+"):
        connection.begun[name] = first or frame.kind
        while len(connection.begun) > _MOST_BEGUN:
            del connection.begun[next(iter(connection.begun))]


def _read_http(connection: Party, frame: Frame, raw: RawFrame) -> None:
    if raw.how == "piece":
        frame.kind, frame.line, frame.sealed = "file", "", (0, len(raw.data))
        return
    if connection.passage == "content":
        frame.kind = "file"
        if raw.head < len(raw.data):
            frame.sealed = (raw.head, len(raw.data) - raw.head)
        return
    frame.kind = "keys"
    signature = one(frame.headers, HEADER.lower())
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
    if not one(frame.headers, "content-type").lower().startswith("message/cpim") or outer_end < 0:
        frame.kind = "plain" if body else "other"
        return
    inner_end = body.find(b"\r\n\r\n", outer_end + 4)
    inner = _lines(body[: inner_end if inner_end >= 0 else len(body)])
    frame.inner = inner
    frame.message_id = one(inner, "imdn.message-id")
    content_type = one(inner, "content-type").lower()
    end = len(frame.data)
    if frame.how == "msrp":
        end = frame.data.rfind(b"\r\n-------")
    kind = content_type.partition(";")[0].strip()
    if kind in (MEDIA_TYPE, _MLS, _OCTETS):
        frame.kind, frame.sealed = "sealed", (head + inner_end + 4, end - head - inner_end - 4)
        if kind == MEDIA_TYPE:
            _read_frame(frame)
        elif kind == _MLS:
            _read_mls(frame)
        return
    if kind.startswith(f"{_MLS}-rcs"):
        frame.kind = "control"
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


def _read_mls(frame: Frame) -> None:
    """A group's id, its epoch and what is bound to the message stand before the ciphertext, which is the end of it."""
    begin, size = frame.sealed
    content = frame.data[begin : begin + size]
    if not content.startswith(_PRIVATE_MESSAGE):
        return
    try:
        message = PrivateMessage.read(Reader(content[len(_PRIVATE_MESSAGE) :]))
    except DecodeError:
        return
    frame.sealed = begin + size - len(message.ciphertext), len(message.ciphertext)


# --- headers ---------------------------------------------------------------------------------------------------
def headers_of(raw: RawFrame) -> tuple[tuple[str, str], ...]:
    """Of a request or answer; none of a keep-alive or a piece."""
    return () if raw.how in ("ping", "piece") else _lines(raw.data[: raw.head].partition(b"\r\n")[2])


def _lines(head: bytes) -> tuple[tuple[str, str], ...]:
    found = (_HEADER_LINE.fullmatch(line) for line in head.split(b"\r\n"))
    return tuple((m[1].decode("ascii", "replace"), m[2].decode("utf-8", "replace")) for m in found if m is not None)


def one(headers: Iterable[tuple[str, str]], name: str) -> str:
    """The first value, the name in lower case; empty without one."""
    return next((value for each, value in headers if each.lower() == name), "")


def call_of(headers: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """What a request that was passed on has in common with the one that came."""
    headers = tuple(headers)
    return one(headers, "call-id"), one(headers, "cseq")


def _number(header: str) -> str:
    try:
        return str(NameAddr.parse(header).uri.number or "")
    except DecodeError:
        return ""


def body_of(frame: Frame) -> bytes:
    """What is behind its headers."""
    at = frame.data.find(b"\r\n\r\n")
    return frame.data[at + 4 :] if at >= 0 else b""
