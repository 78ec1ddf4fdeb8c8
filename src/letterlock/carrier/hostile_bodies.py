"""What somebody without keys can do to the body of a message: turn bits, write another number on it, call it plain text.

Pure. Where nothing has to grow nothing does, so that a message that goes in pieces is the same length afterwards.
"""

from __future__ import annotations

import dataclasses
import re

from ..codec.cpim import Cpim, CpimLimits, decode_cpim
from ..codec.frame import MEDIA_TYPE, decode_frame, encode_frame
from ..codec.sip import NameAddr, Request, Response
from ..errors import DecodeError
from ..ids import Number
from .tap import Message

__all__ = ["as_text", "date_time", "message_id", "number_in", "renamed", "tampered", "untagged"]

_CPIM = CpimLimits(max_size=2_000_000, max_headers=128, max_header_bytes=65_536)
_FRAME = {"max_frame": 1 << 20, "max_list": 1 << 16, "max_copies": 256}
_IMDN_ID = re.compile(rb"(?im)^(imdn\.message-id:[ \t]*)([^\r\n]*)")
_INNER_TYPE = re.compile(rb"(?im)^content-type:[^\r\n]*")


# --- what it says of itself ------------------------------------------------------------------------------------
def message_id(body: bytes) -> str:
    """The id on the envelope; empty where there is none."""
    found = _IMDN_ID.search(body)
    return found[2].decode("ascii", "replace").strip() if found else ""


def date_time(body: bytes) -> str:
    """When it says that it was written."""
    cpim = _cpim(body)
    return (cpim.date_time or "") if cpim is not None else ""


def number_in(body: bytes, header: bytes) -> Number | None:
    """The number in a header of the envelope, `From` or `To`, if one stands there; of a beginning, too."""
    found = re.search(rb"(?im)^" + header + rb":[ \t]*([^\r\n]*)", body.partition(b"\r\n\r\n")[0])
    try:
        return NameAddr.parse(found[1].decode("utf-8", "replace")).uri.number if found is not None else None
    except DecodeError:
        return None


# --- what is done to it ----------------------------------------------------------------------------------------
def tampered(body: bytes) -> bytes:
    """The last bit of each ciphertext turned, where this is a frame of ours, and whole; else the last bit of all."""
    cpim = _cpim(body)
    content = b"" if cpim is None else cpim.content.content()
    if cpim is not None and (cpim.content.header("content-type") or "").startswith(MEDIA_TYPE):
        try:
            frame = decode_frame(content, **_FRAME)
        except DecodeError:
            return _flipped(body)
        copies = tuple(dataclasses.replace(copy, ciphertext=_flipped(copy.ciphertext)) for copy in frame.copies)
        changed = encode_frame(dataclasses.replace(frame, copies=copies))
        at = body.rfind(content)
        return body[:at] + changed + body[at + len(content) :]
    return _flipped(body)


def renamed(body: bytes, other: bytes) -> bytes:
    """With another id on the envelope."""
    return _IMDN_ID.sub(lambda found: found[1] + other, body, count=1)


def as_text(body: bytes) -> bytes:
    """The inner content type says plain text; nothing else changes."""
    head, blank, rest = body.partition(b"\r\n\r\n")
    return head + blank + _INNER_TYPE.sub(lambda found: b"Content-Type: text/plain".ljust(len(found[0])), rest, count=1)


def untagged(message: Message) -> Message:
    """No feature tag in any Contact, none asked for, no service named."""
    headers = message.headers.without("Accept-Contact").without("P-Preferred-Service").without("P-Asserted-Service")
    contact = headers.get("Contact")
    if contact is not None:
        bare = ";".join(part for part in contact.split(";") if not part.startswith(("+g.", "+3gpp", "+sip.")))
        headers = headers.with_("Contact", bare)
    if isinstance(message, Response):
        return Response(message.status, message.reason, headers, message.body)
    return Request(message.method, message.uri, headers, message.body)


def _cpim(body: bytes) -> Cpim | None:
    try:
        return decode_cpim(body, _CPIM)
    except DecodeError:
        return None


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,)) if data else data
