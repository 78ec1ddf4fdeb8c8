"""SIP requests to the values that the mailbox decides over, and what it kept back to requests.

A message is kept as its headers and its body, both as they came but for what belongs to one hop. Nothing in it is
read but who sent it, to whom, how long it is worth having, and what tells a repeat from a new message.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from ...codec.sip import CSeq, Headers, NameAddr, Request, Uri, delta_seconds
from ...codec.sip.grammar import decimal
from ...errors import DecodeError
from ...ids import Instant, Number, Rng
from ...sip.message import call_id, new_tag

__all__ = [
    "Arrival",
    "Copy",
    "arrival_of",
    "devices_of",
    "expires_at",
    "forward",
    "grant",
    "handover_of",
    "registered_number",
]

_HANDOVER = "P-Letterlock-Handover"
_DEVICE = "P-Letterlock-Device"
_SENDER_DEVICE = "P-Letterlock-Sender-Device"

_LABEL = b"\xff\x80letterlock/mailbox-repeat/v1\x00"  # SR-23
# RFC 5626: a URN; in a GRUU it stands as a URI parameter (RFC 5627), which holds no other characters.
_INSTANCE = re.compile(r"[A-Za-z0-9:._\-]{1,128}", re.ASCII)
_MAX_DEVICES_NAMED = 32
# What belongs to one hop, or to the proxy and us.
_HOP = frozenset(
    name.lower()
    for name in (
        *("Via", "Route", "Record-Route", "Max-Forwards", "Content-Length", "Proxy-Authorization", "Authorization"),
        *(_HANDOVER, _DEVICE, _SENDER_DEVICE),
    )
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A MESSAGE that the proxy handed over. `present` are the devices that were registered then."""

    sender: str
    number: Number
    handover: int
    present: tuple[str, ...]
    sender_device: str | None
    lifetime_ms: int | None
    repeat: bytes
    head: bytes = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.head) + len(self.body)


@dataclass(frozen=True, slots=True)
class Copy:
    """One message for one device, as it was kept."""

    message: int
    number: Number
    device: str
    head: bytes = field(repr=False)
    body: bytes = field(repr=False)


def arrival_of(request: Request) -> Arrival:
    """Raises DecodeError when it is not a message from the proxy: no number, no asserted sender, no hand-over."""
    headers = request.headers
    number = Uri.parse(request.uri).number
    if number is None:
        raise DecodeError("not to a number", code="mailbox.number")
    asserted = headers.listed("P-Asserted-Identity")
    if not asserted:
        raise DecodeError("nobody vouches for the sender", code="mailbox.sender")
    identity = NameAddr.parse(asserted[0]).uri
    sender = identity.number or identity.address
    if _HANDOVER not in headers:
        raise DecodeError("not handed over by the proxy", code="mailbox.handover")
    expires = headers.get("Expires")
    kept = tuple((name, value) for name, value in headers if name.lower() not in _HOP)
    head = "\r\n".join(f"{name}: {value}" for name, value in kept).encode()
    return Arrival(
        sender,
        number,
        handover_of(request),
        tuple(filter(None, map(_instance, headers.all(_DEVICE)[:_MAX_DEVICES_NAMED]))),
        _instance(headers.get(_SENDER_DEVICE) or ""),
        None if expires is None else delta_seconds(expires) * 1000,
        _repeat(sender, number, headers, len(request.body)),
        head,
        request.body,
    )


def handover_of(request: Request) -> int:
    """The proxy's count of what it told us about this number; 0 when it does not say. Raises DecodeError."""
    text = request.headers.get(_HANDOVER)
    return 0 if text is None else decimal(text, "hand-over", at_most=2**62)


def registered_number(request: Request) -> Number:
    """Whose registration the proxy reports. Raises DecodeError."""
    number = NameAddr.parse(request.headers.get("To") or "").uri.number
    if number is None:
        raise DecodeError("not of a number", code="mailbox.number")
    return number


def devices_of(request: Request) -> tuple[str, ...]:
    """The devices that a REGISTER binds: those with an instance. Without one, nobody can tell it when it comes back."""
    found = []
    for text in request.headers.listed("Contact")[:_MAX_DEVICES_NAMED]:
        params = NameAddr.parse(text).params
        instance = _instance(params.get("+sip.instance") or "")
        if instance is not None and params.get("expires") != "0":
            found.append(instance)
    return tuple(found)


def forward(copy: Copy, domain: str) -> Request:
    """The request that brings a copy to its device, by its public GRUU (RFC 5627 section 3.3)."""
    items = []
    for line in copy.head.decode().split("\r\n"):
        name, _, value = line.partition(": ")
        items.append((name, value))
    return Request("MESSAGE", _gruu(copy.number, copy.device, domain), Headers(items), copy.body)


def grant(number: Number, device: str, handover: int, domain: str, rng: Rng) -> Request:
    """Tell the proxy that messages for this number may go straight to its one device.

    SIP-If-Match makes it conditional on the last hand-over that we know of (RFC 3903 section 4.1): one that is still
    on its way to us would otherwise be overtaken.
    """
    uri = f"sip:{number}@{domain}"
    headers = Headers(
        [
            ("From", f"<sip:{domain}>;tag={new_tag(rng)}"),
            ("To", f"<{uri}>"),
            ("Call-ID", call_id(rng)),
            ("CSeq", CSeq(1, "PUBLISH").encode()),
            ("Event", "letterlock-direct"),
            ("SIP-If-Match", str(handover)),
            (_DEVICE, device),
        ]
    )
    return Request("PUBLISH", uri, headers)


def expires_at(arrival: Arrival, now: Instant, min_age_ms: int, max_age_ms: int) -> Instant:
    """Until when it is kept (RFC 3428 section 10: `Expires`), within what is allowed."""
    wanted = max_age_ms if arrival.lifetime_ms is None else arrival.lifetime_ms
    return now + max(min_age_ms, min(wanted, max_age_ms))


def _gruu(number: Number, device: str, domain: str) -> str:
    return f"sip:{number}@{domain};gr={device}"


def _instance(text: str) -> str | None:
    text = text.strip().strip('"').removeprefix("<").removesuffix(">")
    return text if _INSTANCE.fullmatch(text) else None


def _repeat(sender: str, number: Number, headers: Headers, length: int) -> bytes:
    """What a sender's retry has in common with the first try.

    An outbox that waits for a receipt sends the same message again, hourly for days, under the same Contribution-ID,
    and in the same length though with a newer date: one copy is enough. Who has no Contribution-ID gets no such care.
    """
    contribution = headers.get("Contribution-ID")
    if contribution is None:
        return b""
    parts = (sender, number, headers.get("Conversation-ID") or "", contribution, headers.get("Content-Type") or "")
    digest = hashlib.sha256(_LABEL + length.to_bytes(8, "big"))
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.digest()
