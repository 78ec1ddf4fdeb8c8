"""Receipt documents (RFC 5438 section 11), `message/imdn+xml`."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ..errors import DecodeError
from .xml import Element, XmlLimits, decode_xml, escape

__all__ = ["MEDIA_TYPE", "Disposition", "Imdn", "Status", "decode_imdn", "encode_imdn"]

MEDIA_TYPE = "message/imdn+xml"

_NAMESPACE = "urn:ietf:params:xml:ns:imdn"


class Disposition(enum.Enum):
    """What a receipt is about; the value is the element that carries it."""

    DELIVERY = "delivery-notification"
    PROCESSING = "processing-notification"
    DISPLAY = "display-notification"


class Status(enum.Enum):
    """How it went. EXTENSION stands for a status that this specification does not name."""

    DELIVERED = "delivered"
    FAILED = "failed"
    DISPLAYED = "displayed"
    PROCESSED = "processed"
    STORED = "stored"
    FORBIDDEN = "forbidden"
    ERROR = "error"
    EXTENSION = ""


_ALLOWED = {
    Disposition.DELIVERY: frozenset({Status.DELIVERED, Status.FAILED, Status.FORBIDDEN, Status.ERROR}),
    Disposition.PROCESSING: frozenset({Status.PROCESSED, Status.STORED, Status.FORBIDDEN, Status.ERROR}),
    Disposition.DISPLAY: frozenset({Status.DISPLAYED, Status.FORBIDDEN, Status.ERROR}),
}


@dataclass(frozen=True, slots=True)
class Imdn:
    """A receipt. `message_id` and `date_time` are those of the message it is for, as its sender wrote them."""

    message_id: str
    date_time: str
    disposition: Disposition
    status: Status
    recipient_uri: str | None = None
    original_recipient_uri: str | None = None
    subject: str | None = None


def encode_imdn(receipt: Imdn, *, inside: str = "") -> bytes:
    """The document. `inside` is XML for the element of the status (RCC.16 puts a reason there).

    Raises ValueError for a status that its disposition cannot have (section 11.1.7).
    """
    if receipt.status not in _ALLOWED[receipt.disposition]:
        raise ValueError(f"{receipt.status} is no status of a {receipt.disposition.value}")
    fields = [
        ("message-id", receipt.message_id),
        ("datetime", receipt.date_time),
        ("recipient-uri", receipt.recipient_uri),
        ("original-recipient-uri", receipt.original_recipient_uri),
        ("subject", receipt.subject),
    ]
    body = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields if text is not None)
    kind, name = receipt.disposition.value, receipt.status.value
    status = f"<{name}>{inside}</{name}>" if inside else f"<{name}/>"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\r\n<imdn xmlns="{_NAMESPACE}">{body}'
        f"<{kind}><status>{status}</status></{kind}></imdn>"
    ).encode()


def decode_imdn(data: bytes, limits: XmlLimits) -> Imdn:
    """Read a document; elements that we do not know are passed over. Raises DecodeError."""
    root = decode_xml(data, limits)
    # A namespace is required by the schema and left out by some peers.
    if root.name != "imdn" or root.namespace not in (_NAMESPACE, ""):
        raise DecodeError("not an imdn document", code="imdn.root")
    message_id = root.child_text("message-id")
    if not message_id:
        raise DecodeError("receipt for no message", code="imdn.message_id")
    found = [(kind, element) for kind in Disposition if (element := root.child(kind.value)) is not None]
    if len(found) != 1:
        raise DecodeError("a receipt has one notification", code="imdn.disposition")
    kind, element = found[0]
    return Imdn(
        message_id,
        root.child_text("datetime") or "",
        kind,
        _status(kind, element),
        root.child_text("recipient-uri"),
        root.child_text("original-recipient-uri"),
        root.child_text("subject"),
    )


def _status(kind: Disposition, element: Element) -> Status:
    status = element.child("status")
    if status is None:
        raise DecodeError("notification without a status", code="imdn.status")
    known = [item for item in _ALLOWED[kind] if status.child(item.value) is not None]
    if len(known) > 1:
        raise DecodeError("more than one status", code="imdn.status")
    return known[0] if known else Status.EXTENSION
