"""What people write and what devices tell each other, as MIME entities inside the encryption.

An entity has header fields of its own: `Letterlock-Sent` is the sender's clock in milliseconds, and in
the copy for our own other devices `Letterlock-To` is the number of the chat. Receipts and typing use
the documents of RCS (message/imdn+xml, application/im-iscomposing+xml).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from .. import ids
from ..codec import imdn, iscomposing, mime
from ..codec.xml import XmlLimits
from ..errors import DecodeError, InputError
from ..ids import Instant, MessageId, Number

__all__ = [
    "TEXT_TYPE",
    "Receipt",
    "ResendRequest",
    "Text",
    "TextContent",
    "Typing",
    "Unsupported",
    "encode_receipt",
    "encode_resend_request",
    "encode_text",
    "encode_typing",
    "read",
    "rfc3339",
]

TEXT_TYPE = "text/plain;charset=UTF-8"
RESEND_TYPE = "application/vnd.letterlock.resend"

_XML = XmlLimits(max_size=4_096, max_depth=8, max_elements=64)
_MAX_HEADERS = 32
_MAX_HEADER_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Text:
    """A text message."""

    text: str = field(repr=False)


# --- what was read ---------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class TextContent:
    """A text. `to` is the chat's number in a copy from another device of ours, else None."""

    text: str = field(repr=False)
    sent_at: Instant
    to: Number | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a message was delivered, or displayed too."""

    message_id: MessageId
    displayed: bool


@dataclass(frozen=True, slots=True)
class Typing:
    """Whether the peer types."""

    active: bool


@dataclass(frozen=True, slots=True)
class ResendRequest:
    """The sender could not read this message of ours."""

    message_id: MessageId


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Well-formed content of a kind that we cannot show."""

    content_type: str
    sent_at: Instant
    to: Number | None


Contents: TypeAlias = TextContent | Receipt | Typing | ResendRequest | Unsupported


def read(body: bytes, max_text: int) -> Contents:
    """Read an entity. Raises DecodeError."""
    limits = mime.MimeLimits(
        max_size=max_text + _MAX_HEADER_BYTES,
        max_headers=_MAX_HEADERS,
        max_header_bytes=_MAX_HEADER_BYTES,
        max_depth=0,
        max_parts=0,
    )
    part = mime.decode_part(body, limits)
    kind = part.content_type
    content = part.content()
    if kind.media_type == imdn.MEDIA_TYPE:
        return _receipt(content)
    if kind.media_type == iscomposing.MEDIA_TYPE:
        return Typing(iscomposing.decode_iscomposing(content, _XML).active)
    if kind.media_type == RESEND_TYPE:
        return ResendRequest(_message_id(content))
    sent_at, to = _sent_at(part), _to(part)
    if kind.media_type != "text/plain":
        return Unsupported(kind.media_type, sent_at, to)
    charset = (kind.parameter("charset") or "utf-8").lower()
    if charset not in ("utf-8", "us-ascii"):
        raise DecodeError("text in an unknown charset", code="content.charset")
    try:
        return TextContent(content.decode(), sent_at, to)
    except UnicodeDecodeError:
        raise DecodeError("text is not UTF-8", code="content.charset") from None


def encode_text(text: str, sent_at: Instant, to: Number | None = None) -> bytes:
    """A text entity; `to` only in copies for our own devices."""
    head = f"Content-Type: {TEXT_TYPE}\r\nLetterlock-Sent: {sent_at}\r\n"
    if to is not None:
        head += f"Letterlock-To: {to}\r\n"
    return f"{head}\r\n{text}".encode()


def encode_receipt(message_id: MessageId, sent_at: Instant, displayed: bool) -> bytes:
    """A receipt for a message that its sender dated `sent_at`."""
    kind, status = (
        (imdn.Disposition.DISPLAY, imdn.Status.DISPLAYED)
        if displayed
        else (imdn.Disposition.DELIVERY, imdn.Status.DELIVERED)
    )
    document = imdn.encode_imdn(imdn.Imdn(message_id, rfc3339(sent_at), kind, status))
    return b"Content-Type: message/imdn+xml\r\n\r\n" + document


def encode_typing(active: bool) -> bytes:
    """A typing document."""
    return b"Content-Type: application/im-iscomposing+xml\r\n\r\n" + iscomposing.encode_iscomposing(
        iscomposing.IsComposing(active)
    )


def encode_resend_request(message_id: MessageId) -> bytes:
    """A request for a message to be encrypted again."""
    return f"Content-Type: {RESEND_TYPE}\r\n\r\n{message_id}".encode()


def rfc3339(instant: Instant) -> str:
    """A time as receipts write it: `2026-05-11T14:02:09.123Z`."""
    seconds, millis = divmod(max(0, min(instant, _YEAR_9999)), 1000)
    days, rest = divmod(seconds, 86_400)
    # Days to a civil date in eras of 400 years, years starting in March.
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    year = era * 400 + year_of_era + (month <= 2)
    hour, rest = divmod(rest, 3_600)
    minute, second = divmod(rest, 60)
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{millis:03d}Z"


_YEAR_9999 = 253_402_300_799_999


def _receipt(content: bytes) -> Receipt | Unsupported:
    document = imdn.decode_imdn(content, _XML)
    if document.status not in (imdn.Status.DELIVERED, imdn.Status.DISPLAYED):
        return Unsupported(imdn.MEDIA_TYPE, 0, None)
    return Receipt(_message_id(document.message_id.encode()), document.status is imdn.Status.DISPLAYED)


def _message_id(data: bytes) -> MessageId:
    try:
        return ids.message_id(data.decode("ascii"))
    except (UnicodeDecodeError, InputError):
        raise DecodeError("not a message id", code="content.message_id") from None


def _sent_at(part: mime.MimePart) -> Instant:
    value = part.header("Letterlock-Sent") or "0"
    # A claim for people to read; a wrong one must not cost the message.
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 15 else 0


def _to(part: mime.MimePart) -> Number | None:
    value = part.header("Letterlock-To")
    if value is None:
        return None
    try:
        return ids.number(value)
    except InputError:
        raise DecodeError("Letterlock-To is not a number", code="content.to") from None
