"""RCS standalone messaging in pager mode: MESSAGE requests out and in (RFC 3428, rcs.md 2.3).

Everything here is the envelope. Who really wrote a message is proved inside the ciphertext (SR-03);
the number given here is what the network asserts.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field

from .. import ids
from ..codec.sip import CSeq, Headers, NameAddr, Request, Uri, media_type
from ..codec.transfer import inflate
from ..errors import DecodeError, InputError
from ..ids import BotAddress, ConversationId, MessageId, Number, Peer, Rng, bot_of
from .message import call_id, new_tag
from .options import CHATBOT_STANDALONE, CPM_LARGE, CPM_MESSAGE, PAGER_LARGE, bot_contact, icsi_value

__all__ = [
    "PAGER_LIMIT",
    "IncomingMessage",
    "OutgoingMessage",
    "PagerProfile",
    "address_of",
    "asserted_peer",
    "asserted_sender",
    "build_message",
    "read_message",
]

PAGER_LIMIT = 1300
"""Bodies over this many bytes are sent as large messages, over TCP or TLS only (RFC 3428 section 8)."""

_SERVICE = "urn:urn-7:3gpp-service.ims.icsi."
_MOST_IDENTITIES = 4
"""RFC 3325 has two: a SIP address and a telephone's."""
_CONTRIBUTION_LABEL = b"\xff\x80letterlock/contribution-id/v1\x00"  # SR-23


@dataclass(frozen=True, slots=True)
class PagerProfile:
    """What all messages of one account share. `domain` None addresses peers by tel: instead of sip:."""

    identity: Uri
    domain: str | None
    user_agent: str


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One MESSAGE to build. `body` is a whole CPIM message; `large` asks for the large-message service."""

    to: Peer
    message_id: MessageId
    conversation: ConversationId
    body: bytes = field(repr=False)
    large: bool
    content_type: str = "message/cpim"
    in_reply_to: str = ""
    """The Contribution-ID of the message that this answers."""


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A MESSAGE as the network claims it. `sender` is None when nobody vouched for it."""

    sender: Peer | None
    recipient: Number | None
    content_type: str
    body: bytes = field(repr=False)


def build_message(profile: PagerProfile, message: OutgoingMessage, route: tuple[str, ...], rng: Rng) -> Request:
    """The request, without Via. `route` is the Service-Route of the registration (RFC 3608 section 6.1)."""
    to = address_of(message.to, profile.domain)
    identity = NameAddr(profile.identity)
    service = CPM_LARGE if message.large else CPM_MESSAGE
    items = [
        *(("Route", value) for value in route),
        ("From", identity.with_param("tag", new_tag(rng)).encode()),
        ("To", NameAddr(to).encode()),
        ("Call-ID", call_id(rng)),
        ("CSeq", CSeq(1, "MESSAGE").encode()),
        ("P-Preferred-Identity", identity.encode()),
        ("P-Preferred-Service", _SERVICE + service),
        ("Accept-Contact", f'*;+g.3gpp.icsi-ref="{icsi_value(service)}";require;explicit'),
        *((("Accept-Contact", f"*;{PAGER_LARGE}"),) if message.large else ()),
        *((("Accept-Contact", bot_contact(CHATBOT_STANDALONE)),) if bot_of(message.to) else ()),
        ("Conversation-ID", str(uuid.UUID(bytes=bytes(message.conversation)))),
        ("Contribution-ID", _contribution_id(message.message_id)),
        *((("InReplyTo-Contribution-ID", message.in_reply_to),) if message.in_reply_to else ()),
        ("User-Agent", profile.user_agent),
        ("Content-Type", message.content_type),
    ]
    return Request("MESSAGE", to.encode(), Headers(items), message.body)


def read_message(request: Request, *, max_body: int, trust_from: bool) -> IncomingMessage:
    """The claims and the body of a MESSAGE.

    The sender is P-Asserted-Identity; two values (sip and tel) must name one number. From counts only with
    `trust_from`, a lab setting for a network that asserts nothing. Raises DecodeError, LimitExceeded for a
    body that inflates beyond `max_body`.
    """
    headers = request.headers
    content_type = headers.get("Content-Type")
    if content_type is None:
        raise DecodeError("a message without a content type", code="sip.message")
    media_type(content_type)
    sender = asserted_peer(request, trust_from=trust_from)
    recipient = _one_number(headers.listed("P-Called-Party-ID")) or _one_number(headers.all("To"))
    body = inflate(request.body, headers.get("Content-Encoding") or "identity", max_body)
    return IncomingMessage(sender, recipient, content_type, body)


def asserted_sender(request: Request, *, trust_from: bool) -> Number | None:
    """The number that the network asserts a request to be from; None when it asserts none. Raises DecodeError."""
    headers = request.headers
    sender = _one_number(headers.listed("P-Asserted-Identity"))
    if sender is None and trust_from and "P-Asserted-Identity" not in headers:
        sender = _one_number(headers.all("From"))
    return sender


def asserted_peer(request: Request, *, trust_from: bool) -> Peer | None:
    """The same, or the chatbot that the network asserts. A display name is never looked at, and an address that is a
    telephone's is no bot's, also where we cannot say whose number it is. Raises DecodeError."""
    phone = asserted_sender(request, trust_from=trust_from)
    if phone is not None:
        return phone
    headers = request.headers
    bot = _one_bot(headers.listed("P-Asserted-Identity"))
    if bot is None and trust_from and "P-Asserted-Identity" not in headers:
        bot = _one_bot(headers.all("From"))
    return bot


def address_of(peer: Peer, domain: str | None) -> Uri:
    """Where a peer is asked for: a number by `tel:` or at our carrier's domain, a chatbot at its own address."""
    if bot_of(peer) is not None:
        return Uri.parse(peer)
    return Uri.of_number(Number(peer), domain)


def _one_bot(values: tuple[str, ...]) -> BotAddress | None:
    """None where anything else stands beside it, a number above all: then nobody is certain."""
    if len(values) > _MOST_IDENTITIES:
        return None
    found = set()
    for text in values:
        try:
            uri = NameAddr.parse(text).uri
            bot = ids.bot_address(uri.address)
        except (DecodeError, InputError):
            return None
        # `user=phone` is a number whatever it looks like (RFC 3261 section 19.1.1): in its country's form, most often.
        # Below `.invalid` is nobody (RFC 2606): all the anonymous would be one (RFC 3323 section 4.1.1.3).
        if (uri.params.get("user") or "").lower() == "phone" or uri.host.endswith(".invalid"):
            return None
        found.add(bot)
    return found.pop() if len(found) == 1 else None


def _one_number(values: tuple[str, ...]) -> Number | None:
    found = set()
    for text in values[:_MOST_IDENTITIES]:
        try:
            phone = NameAddr.parse(text).uri.number
        except DecodeError:
            continue
        if phone is not None:
            found.add(phone)
    return found.pop() if len(found) == 1 else None


def _contribution_id(message_id: MessageId) -> str:
    """A UUID of the message, the same on every retry; CPM servers answer 400 without one."""
    digest = hashlib.sha256(_CONTRIBUTION_LABEL + message_id.encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))
