"""Frames and texts to CPIM bodies and back (rcs.md 2.4): what stands between the engine and a MESSAGE."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from datetime import UTC, datetime

from ..codec.cpim import MEDIA_TYPE, CpimLimits, decode_cpim, encode_cpim
from ..codec.sip import Request, media_type
from ..engine.carriage import Inbound, Outbound
from ..errors import DecodeError, InputError
from ..ids import Instant, MessageId, Number, message_id
from ..imdn import chat_message
from ..sip.pager import read_message

__all__ = ["ACCEPTED_TYPES", "unwrap", "wrap"]

_PLAIN_TYPES = ("text/plain", "message/imdn+xml", "application/im-iscomposing+xml")
ACCEPTED_TYPES = (MEDIA_TYPE, *_PLAIN_TYPES)
"""What a MESSAGE may hold; inside CPIM everything is taken."""

_CPIM_LIMITS = CpimLimits(max_size=256 * 1024, max_headers=64, max_header_bytes=8192)
_MESSAGE_ID_LABEL = b"\xff\x80letterlock/sip-message-id/v1\x00"  # SR-23


def wrap(outbound: Outbound, now: Instant) -> bytes:
    """CPIM as RCS writes it between two people: anonymous inside, the network asserts who it is (rcs.md 2.4)."""
    message = chat_message(
        outbound.content_type,
        outbound.body,
        message_id=outbound.message_id,
        date_time=_rfc3339(now),
        receipts=outbound.receipts,
    )
    return encode_cpim(message)


def unwrap(request: Request, own: Number, now: Instant, *, max_body: int, trust_from: bool) -> Inbound:
    """What a MESSAGE brings, as the network claims it. Raises DecodeError; `rcs.content_type` for a type that is not
    understood, `mime.content_encoding` for an encoding, LimitExceeded for a body that inflates too far.
    """
    claimed = read_message(request, max_body=max_body, trust_from=trust_from)
    kind = media_type(claimed.content_type)
    identifier: str | None = None
    content_type, body = claimed.content_type, claimed.body
    if kind == MEDIA_TYPE:
        cpim = decode_cpim(claimed.body, _CPIM_LIMITS)
        identifier = cpim.message_id
        content_type = cpim.content.header("content-type") or "text/plain"
        body = cpim.content.content()
    elif kind not in _PLAIN_TYPES:
        raise DecodeError("content type not supported", code="rcs.content_type")
    recipient = claimed.recipient or own
    return Inbound(claimed.sender, recipient, _identifier(identifier, request), content_type, body, now)


def _identifier(text: str | None, request: Request) -> MessageId:
    """The message id of CPIM; without a usable one an id made of the SIP transaction, the same for its repeats."""
    if text is not None:
        with contextlib.suppress(InputError):
            return message_id(text)
    name = "\n".join((request.headers.get("Call-ID") or "", request.headers.get("CSeq") or "")).encode()
    digest = hashlib.sha256(_MESSAGE_ID_LABEL + name).digest()
    return message_id(str(uuid.UUID(bytes=digest[:16], version=4)))


def _rfc3339(now: Instant) -> str:
    return datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
