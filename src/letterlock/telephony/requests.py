"""What else is asked of RCSService."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from .handles import CellularServiceID, RCSHandle, RCSMessageID
from .messages import RCSMessage

__all__ = ["BusinessInformationRequest", "ReportSpamRequest", "RevokeMessageRequest", "SpamCategory"]


@dataclass(frozen=True, slots=True)
class RevokeMessageRequest:
    """Take this message back."""

    cellular_service_id: CellularServiceID
    handle: RCSHandle
    message_id: RCSMessageID


@dataclass(frozen=True, slots=True)
class BusinessInformationRequest:
    """Who is this business?"""

    cellular_service_id: CellularServiceID
    handle: RCSHandle


class SpamCategory(enum.StrEnum):
    """What is wrong with it."""

    INVALID = "invalid"
    SPAM = "spam"
    FRAUD = "fraud"
    INAPPROPRIATE_CONTENT = "inappropriateContent"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ReportSpamRequest:
    """This is spam."""

    message: RCSMessage
    file_content: bytes | None = field(default=None, repr=False)
    category: SpamCategory | None = None
    reason: str | None = None
