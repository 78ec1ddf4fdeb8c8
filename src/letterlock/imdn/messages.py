"""Content in CPIM as RCS pager mode carries it, and what CPIM holds told apart (RFC 5438 sections 7 and 9)."""

from __future__ import annotations

from ..codec import cpim, imdn, iscomposing
from ..codec.cpim import Cpim
from ..codec.mime import MimePart
from ..codec.xml import XmlLimits
from ..errors import DecodeError
from .receipts import UnauthenticatedReceipt

__all__ = ["chat_message", "composing_message", "is_receipt", "read_composing", "read_receipt"]

_ASK_ALL = "positive-delivery, negative-delivery, display"


def chat_message(
    content_type: str,
    body: bytes,
    *,
    message_id: str,
    date_time: str = "",
    receipts: bool = False,
    sender: str = cpim.ANONYMOUS,
    recipient: str = cpim.ANONYMOUS,
) -> Cpim:
    """Any content as a message. `receipts` asks for delivery and display; for a receipt or typing it is passed over.

    `sender` and `recipient` are header values. Raises ValueError for values that cannot stand in a header.
    """
    kind = content_type.partition(";")[0].strip().lower()
    receipt = kind == imdn.MEDIA_TYPE
    pairs = [("From", sender), ("To", recipient), ("NS", f"imdn <{cpim.IMDN}>"), ("imdn.Message-ID", message_id)]
    if date_time:
        pairs.append(("DateTime", date_time))
    # RFC 5438 section 7.2.1: a receipt must not ask for one, or two phones would never stop.
    if receipts and not receipt and kind != iscomposing.MEDIA_TYPE:
        pairs.append(("imdn.Disposition-Notification", _ASK_ALL))
    return Cpim(cpim.headers(*pairs), MimePart.of(content_type, body, disposition="notification" if receipt else ""))


def composing_message(
    active: bool, *, message_id: str, content_type: str = "text/plain", refresh_seconds: int | None = 60
) -> Cpim:
    """Typing, or no longer."""
    document = iscomposing.IsComposing(
        active, content_type=content_type, refresh_seconds=refresh_seconds if active else None
    )
    return chat_message(iscomposing.MEDIA_TYPE, iscomposing.encode_iscomposing(document), message_id=message_id)


def is_receipt(message: Cpim) -> bool:
    """Whether this is a receipt: by its media type or its disposition (section 9 names the latter, peers forget it)."""
    return message.content.content_type.media_type == imdn.MEDIA_TYPE or message.content.disposition == "notification"


def read_receipt(message: Cpim, limits: XmlLimits) -> UnauthenticatedReceipt | None:
    """The receipt in a message, None when it is something else. Raises DecodeError on a broken one."""
    if message.content.content_type.media_type != imdn.MEDIA_TYPE:
        return None
    return UnauthenticatedReceipt(imdn.decode_imdn(message.content.content(), limits))


def read_composing(message: Cpim, limits: XmlLimits) -> iscomposing.IsComposing | None:
    """The typing notice in a message, None when it is something else. Raises DecodeError on a broken one."""
    if message.content.content_type.media_type != iscomposing.MEDIA_TYPE:
        return None
    document = iscomposing.decode_iscomposing(message.content.content(), limits)
    if document.refresh_seconds is not None and document.refresh_seconds > _LONGEST_REFRESH_SECONDS:
        raise DecodeError("typing for hours", code="iscomposing.refresh")
    return document


_LONGEST_REFRESH_SECONDS = 3600
