"""Messages of RCS and what can be in them, as Apple's framework has them.

`is_end_to_end_encrypted` of what is sent: True, encrypt or raise; False, encryption is not demanded, and is there all the
same in every chat that has it. Of what has come: a fact (SR-01).
"""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from ..ids import ChatName
from .business import BusinessCard, BusinessCardCarousel
from .files import FileTransferMetadata
from .handles import CellularServiceID, RCSHandle, RCSMessageID

__all__ = [
    "AddEmoji",
    "ComposingIndicator",
    "ComposingState",
    "Disposition",
    "DispositionNotification",
    "FileTransfer",
    "GeolocationPush",
    "RCSContent",
    "RCSMessage",
    "Reaction",
    "RemoveEmoji",
    "Reply",
    "SecureSendReceipt",
    "SendEncryptedMessageRequest",
    "SendEncryptedMessageResult",
    "Text",
]


@dataclass(frozen=True, slots=True)
class Text:
    """A text."""

    body: str
    is_end_to_end_encrypted: bool = False


@dataclass(frozen=True, slots=True)
class FileTransfer:
    """A file that `RCSService.upload` has put where its receiver finds it."""

    file_metadata: FileTransferMetadata
    thumbnail_metadata: FileTransferMetadata | None = None
    is_end_to_end_encrypted: bool = False


@dataclass(frozen=True, slots=True)
class GeolocationPush:
    """A place, in degrees of WGS 84."""

    latitude: float
    longitude: float
    description: str | None = None
    is_end_to_end_encrypted: bool = False


class ComposingState(enum.StrEnum):
    """Whether somebody types."""

    ACTIVE = "active"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class ComposingIndicator:
    """Somebody types, or has stopped. Of what is sent only the state travels."""

    state: ComposingState
    last_active: datetime | None = None
    content_type: str | None = None
    refresh_interval: timedelta | None = None
    is_end_to_end_encrypted: bool = False


class Disposition(enum.StrEnum):
    """What has become of a message."""

    DELIVERED = "delivered"
    DELIVERY_FAILED = "deliveryFailed"
    DISPLAYED = "displayed"
    INTERWORKING_DELIVERED = "interworkingDelivered"
    INTERWORKING_FAILED = "interworkingFailed"
    DELIVERY_FAILED_DUE_TO_DECRYPTION_FAILURE = "deliveryFailedDueToDecryptionFailure"


@dataclass(frozen=True, slots=True)
class DispositionNotification:
    """What has become of the message with this id. `is_end_to_end_encrypted` of one that has come: its reader says so
    inside the encryption; False: only the network does."""

    disposition: Disposition
    disposed_message_id: RCSMessageID
    is_end_to_end_encrypted: bool = False


@dataclass(frozen=True, slots=True)
class AddEmoji:
    """Put it on a message."""

    emoji: str


@dataclass(frozen=True, slots=True)
class RemoveEmoji:
    """Take it away again."""

    emoji: str


@dataclass(frozen=True, slots=True)
class Reaction:
    """An emoji for a message."""

    target_message_id: RCSMessageID
    operation: AddEmoji | RemoveEmoji
    is_end_to_end_encrypted: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a message. A text or a file can be sent as one."""

    target_message_id: RCSMessageID
    content: Text | FileTransfer | GeolocationPush


RCSContent: TypeAlias = (
    Text
    | FileTransfer
    | GeolocationPush
    | ComposingIndicator
    | DispositionNotification
    | Reaction
    | Reply
    | BusinessCard
    | BusinessCardCarousel
)


@dataclass(frozen=True, slots=True)
class RCSMessage:
    """One message. `handle` is who wrote it; `original_id` the message that this one stands for: its author gave that
    one another text."""

    id: RCSMessageID
    content: RCSContent
    handle: RCSHandle
    cellular_service_id: CellularServiceID
    original_id: RCSMessageID | None = None


# --- sending encrypted -----------------------------------------------------------------------------------------
_RECEIPT_NAMESPACE = uuid.UUID("4b54b7ac-9a0f-4b8e-9f2e-5d0f2f5a9a31")


@dataclass(frozen=True, slots=True)
class SecureSendReceipt:
    """Stands for an encrypted message that was sent. Keep it beside the message for a retry."""

    id: uuid.UUID

    @classmethod
    def of(cls, chat: ChatName, message_id: str) -> SecureSendReceipt:
        """It follows from the message, so that nobody has to remember it."""
        return cls(uuid.uuid5(_RECEIPT_NAMESPACE, f"{chat}/{message_id}"))


@dataclass(frozen=True, slots=True)
class SendEncryptedMessageRequest:
    """Send encrypted, or not at all. A retry has the message's own id and the receipt of its first sending."""

    content: Text | FileTransfer | GeolocationPush | Reaction | Reply
    destination: RCSHandle
    cellular_service_id: CellularServiceID
    message_id: RCSMessageID
    secure_send_receipt: SecureSendReceipt | None = None


@dataclass(frozen=True, slots=True)
class SendEncryptedMessageResult:
    """What to keep for a retry."""

    secure_send_receipt: SecureSendReceipt
