"""What devices tell each other about messages: receipts (RFC 5438) and requests to encrypt a message again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...codec import imdn
from ...codec.dates import rfc3339
from ...errors import LimitExceeded
from ...ids import Instant, MessageId
from .parts import XML, Read, message_id

__all__ = [
    "MOST_RECEIPTS",
    "RECEIPTS_TYPE",
    "RESEND_TYPE",
    "Receipt",
    "Receipts",
    "ResendRequest",
    "encode_receipt",
    "encode_receipts",
    "encode_resend_request",
    "read_receipt",
    "read_receipts",
    "read_resend_request",
    "receipt_document",
]

RESEND_TYPE = "application/vnd.letterlock.resend"
RECEIPTS_TYPE = "application/vnd.letterlock.receipts"

MOST_RECEIPTS = 64
"""In one entity."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a message was delivered, or displayed too; `failed` is never sent by us and means that it was not."""

    message_id: MessageId
    displayed: bool
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Receipts:
    """That several messages were delivered."""

    message_ids: tuple[MessageId, ...]


@dataclass(frozen=True, slots=True)
class ResendRequest:
    """The sender could not read this message of ours."""

    message_id: MessageId


def receipt_document(message_id: MessageId, sent_at: Instant, displayed: bool) -> bytes:
    """The document for a message that its sender dated `sent_at`."""
    kind, status = (
        (imdn.Disposition.DISPLAY, imdn.Status.DISPLAYED)
        if displayed
        else (imdn.Disposition.DELIVERY, imdn.Status.DELIVERED)
    )
    return imdn.encode_imdn(imdn.Imdn(message_id, rfc3339(sent_at), kind, status))


def encode_receipt(message_id: MessageId, sent_at: Instant, displayed: bool) -> bytes:
    """The same as an entity inside the encryption."""
    return b"Content-Type: message/imdn+xml\r\n\r\n" + receipt_document(message_id, sent_at, displayed)


def encode_receipts(messages: Sequence[tuple[MessageId, Instant]]) -> bytes:
    """Delivery receipts for at most 64 messages, each with its sender's date; for one it is the RFC's document."""
    if len(messages) == 1:
        return encode_receipt(*messages[0], displayed=False)
    names = "\r\n".join(message_id for message_id, _ in messages)
    return f"Content-Type: {RECEIPTS_TYPE}\r\n\r\n{names}".encode()


def encode_resend_request(message_id: MessageId) -> bytes:
    """A request for a message to be encrypted again."""
    return f"Content-Type: {RESEND_TYPE}\r\n\r\n{message_id}".encode()


def read_receipt(body: bytes) -> Receipt | None:
    """The receipt, None for one that says nothing about us (processed, stored, of an extension). Raises DecodeError."""
    document = imdn.decode_imdn(body, XML)
    about = message_id(document.message_id)
    if document.status is imdn.Status.DISPLAYED:
        return Receipt(about, True)
    if document.status is imdn.Status.DELIVERED:
        return Receipt(about, False)
    if document.disposition is imdn.Disposition.DELIVERY and document.status in (
        imdn.Status.FAILED,
        imdn.Status.FORBIDDEN,
        imdn.Status.ERROR,
    ):
        return Receipt(about, False, failed=True)
    return None


def read_receipts(read: Read) -> Receipts:
    """Raises DecodeError, LimitExceeded for more than one entity may hold."""
    names = read.body.split(b"\r\n", MOST_RECEIPTS)
    if len(names) > MOST_RECEIPTS:
        raise LimitExceeded(f"more than {MOST_RECEIPTS} receipts", code="content.receipts")
    return Receipts(tuple(message_id(name.decode("latin-1")) for name in names))


def read_resend_request(read: Read) -> ResendRequest:
    """Raises DecodeError."""
    return ResendRequest(message_id(read.body.decode("latin-1")))
