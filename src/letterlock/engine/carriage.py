"""What passes between the engine and a transport. A transport carries these and reads no content."""

from __future__ import annotations

from dataclasses import dataclass

from ..ids import ConversationId, Instant, MessageId, Number

__all__ = ["Inbound", "NetworkResult", "Outbound"]


@dataclass(frozen=True, slots=True)
class Outbound:
    """One thing to hand to the network; sent again unchanged on a retry.

    `body` is a frame (`content_type` application/vnd.letterlock.signal) or, for a chat that the user
    chose to leave unencrypted, text/plain or message/imdn+xml. `large` is the RCS large-message mode,
    for bodies over 1,300 bytes. `receipts` asks for plain IMDN and is only set on plain text.
    """

    to: Number
    message_id: MessageId
    conversation: ConversationId
    content_type: str
    body: bytes
    large: bool
    receipts: bool = False


@dataclass(frozen=True, slots=True)
class Inbound:
    """One thing from the network. Every field is a claim of the carrier. `sender` is None when not asserted."""

    sender: Number | None
    recipient: Number
    message_id: MessageId
    content_type: str
    body: bytes
    received_at: Instant


@dataclass(frozen=True, slots=True)
class NetworkResult:
    """How the network answered: `accepted` only stops the fast retry, it never means delivered (SR-05)."""

    accepted: bool
    status: int = 0
    reason: str = ""
    retry_after_ms: int | None = None
