"""Frames and texts to CPIM bodies and back (rcs.md 2.4): what stands between the engine and a MESSAGE."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ...carriage import Inbound, Outbound
from ...codec.cpim import MEDIA_TYPE, CpimHeader, CpimLimits, decode_cpim, encode_cpim
from ...codec.ft_http import MEDIA_TYPE as FILE_TYPE
from ...codec.imdn import MEDIA_TYPE as IMDN_TYPE
from ...codec.iscomposing import MEDIA_TYPE as TYPING_TYPE
from ...codec.push_location import MEDIA_TYPE as LOCATION_TYPE
from ...codec.sip import Request, media_type
from ...codec.transfer import inflate
from ...errors import DecodeError, InputError
from ...ids import Instant, MessageId, Number, message_id
from ...imdn import chat_message
from ...sip.pager import read_message

__all__ = ["ACCEPTED_TYPES", "Opened", "identifier", "open_content", "unwrap", "wrap"]

_BARE_TYPES = ("text/plain", IMDN_TYPE, TYPING_TYPE, FILE_TYPE, LOCATION_TYPE)
ACCEPTED_TYPES = (MEDIA_TYPE, *_BARE_TYPES)
"""What a MESSAGE may hold; inside CPIM everything is taken."""

_MAX_HEADERS = 64
_MAX_HEADER_BYTES = 8_192
_MESSAGE_ID_LABEL = b"\xff\x80letterlock/sip-message-id/v1\x00"  # SR-23


@dataclass(frozen=True, slots=True)
class Opened:
    """What a body brings: with its CPIM around it taken off, if there was one."""

    message_id: str | None
    content_type: str
    body: bytes = field(repr=False)
    headers: tuple[CpimHeader, ...] = ()


def wrap(outbound: Outbound, now: Instant, addresses: tuple[str, str] | None = None) -> bytes:
    """CPIM as RCS writes it between two people: anonymous inside, the network asserts who it is (rcs.md 2.4).

    With `addresses` (from, to) for a peer that wants them inside.
    """
    # Without its charset a text would be US-ASCII (RFC 2046 section 4.1.2).
    plain = outbound.content_type == "text/plain"
    message = chat_message(
        "text/plain;charset=UTF-8" if plain else outbound.content_type,
        outbound.body,
        message_id=outbound.message_id,
        date_time=_rfc3339(now),
        receipts=outbound.receipts,
        dispositions=outbound.dispositions,
        headers=outbound.headers,
        addresses=addresses,
    )
    return encode_cpim(message)


def open_content(content_type: str, body: bytes, max_body: int) -> Opened:
    """Read a body of a MESSAGE or of a session. Raises DecodeError; `rcs.content_type` for a type that is not
    understood, `mime.content_encoding` for an encoding, LimitExceeded for content that inflates too far.
    """
    kind = media_type(content_type)
    if kind != MEDIA_TYPE:
        if kind not in _BARE_TYPES:
            raise DecodeError("content type not supported", code="rcs.content_type")
        return Opened(None, content_type, body)
    cpim = decode_cpim(body, CpimLimits(max_body, _MAX_HEADERS, _MAX_HEADER_BYTES))
    part = cpim.content
    # Linphone deflates its receipts.
    content = inflate(part.content(), part.header("content-encoding") or "identity", max_body)
    return Opened(cpim.message_id, part.header("content-type") or "text/plain", content, cpim.headers)


def unwrap(request: Request, own: Number, now: Instant, *, max_body: int, trust_from: bool) -> Inbound:
    """What a MESSAGE brings, as the network claims it. Raises as `open_content` does."""
    claimed = read_message(request, max_body=max_body, trust_from=trust_from)
    opened = open_content(claimed.content_type, claimed.body, max_body)
    return Inbound(
        claimed.sender,
        claimed.recipient or own,
        identifier(opened.message_id, request.headers.get("Call-ID") or "", request.headers.get("CSeq") or ""),
        opened.content_type,
        opened.body,
        now,
        headers=opened.headers,
    )


def identifier(text: str | None, *names: str) -> MessageId:
    """The message id of CPIM; without a usable one an id made of what names it on the wire, the same for its repeats."""
    if text is not None:
        with contextlib.suppress(InputError):
            return message_id(text)
    digest = hashlib.sha256(_MESSAGE_ID_LABEL + "\n".join(names).encode()).digest()
    return message_id(str(uuid.UUID(bytes=digest[:16], version=4)))


def _rfc3339(now: Instant) -> str:
    return datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
