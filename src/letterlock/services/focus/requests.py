"""What SIP requests to the focus ask for, and the requests that it makes: values only.

Who asks is P-Asserted-Identity, which the proxy wrote; From says nothing (RFC 3325).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote

from ...codec.mime import MimeLimits, MimePart, Multipart, decode_tree
from ...codec.resource_lists import MEDIA_TYPE as RESOURCE_LISTS
from ...codec.resource_lists import decode_resource_list
from ...codec.sdp import MEDIA_TYPE as SDP
from ...codec.sdp import SdpLimits, SessionDescription, decode_sdp
from ...codec.sip import NameAddr, Request, Response, Uri, media_type
from ...codec.xml import XmlLimits
from ...errors import DecodeError, FocusError
from ...ids import Number
from ...sip.calling import Invitation
from ...sip.effects import Body
from ...sip.refer import Refer
from .conference import Conference
from .limits import FocusLimits
from .roster import address_of

__all__ = [
    "Creation",
    "Referral",
    "device_of",
    "invitation",
    "leaves",
    "read_creation",
    "read_offer_body",
    "referral_of",
    "sender_of",
    "user_of",
]

_DEVICE_LABEL = b"\xff\x80letterlock/focus-device/v1\x00"  # SR-23
_MAX_PARTS = 8
_MAX_SDP = SdpLimits(max_size=16_384, max_lines=256, max_media=8)
_IDENTIFIER = re.compile(r"[0-9A-Za-z.!%*_+`'~()<>:\"/\[\]?{}@-]{1,128}", re.ASCII)
_REASON_DONE = re.compile(r"(?:^|,)\s*SIP\s*;[^,]*\bcause\s*=\s*200\b", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Creation:
    """An INVITE to the factory."""

    invited: tuple[Number, ...]
    subject: str
    contribution: str
    conversation: str
    offer: SessionDescription


@dataclass(frozen=True, slots=True)
class Referral:
    """What a REFER to a conference asks: members to add, members to remove."""

    added: tuple[Number, ...]
    removed: tuple[Number, ...]


def sender_of(request: Request) -> Number:
    """The number that the proxy asserts. Raises FocusError when it asserts none, or two; DecodeError."""
    found = {
        number
        for text in request.headers.listed("P-Asserted-Identity")[:4]
        if (number := NameAddr.parse(text).uri.number) is not None
    }
    if len(found) != 1:
        raise FocusError("nobody vouches for the sender", code="focus.identity", status=403)
    return found.pop()


def user_of(request: Request) -> str:
    """Whom a request is for: the user part of its Request-URI. Raises DecodeError."""
    return Uri.parse(request.uri).user or ""


def device_of(message: Request | Response) -> str:
    """A name for the device that a Contact is of, made of its instance or its GRUU; empty when it says neither.

    Raises DecodeError.
    """
    for text in message.headers.listed("Contact")[:1]:
        contact = NameAddr.parse(text)
        name = contact.params.get("+sip.instance") or contact.uri.params.get("gr") or ""
        if name:
            return hashlib.sha256(_DEVICE_LABEL + name.encode("utf-8", "replace")).hexdigest()[:24]
    return ""


def read_creation(request: Request, limits: FocusLimits) -> Creation:
    """An INVITE to the factory (RFC 5366 section 5): a session description and a list of addresses.

    Raises DecodeError, or FocusError for an address that is no number.
    """
    parts = _parts(request, limits)
    listed = next((part for part in parts if _kind(part) == RESOURCE_LISTS), None)
    invited = () if listed is None else _numbers(listed.content(), limits)
    contribution = request.headers.get("Contribution-ID") or ""
    if not _IDENTIFIER.fullmatch(contribution):
        raise DecodeError("no Contribution-ID", code="focus.contribution")
    conversation = request.headers.get("Conversation-ID") or contribution
    if not _IDENTIFIER.fullmatch(conversation):
        raise DecodeError("not a Conversation-ID", code="focus.conversation")
    subject = request.headers.get("Subject") or ""
    return Creation(invited, subject, contribution, conversation, _description(parts))


def read_offer_body(body: Body | None) -> SessionDescription:
    """The session description of an answer or an INVITE to a conference. Raises DecodeError."""
    if body is None or media_type(body.content_type) != SDP:
        raise DecodeError("no session description", code="focus.offer")
    return decode_sdp(body.data, _MAX_SDP)


def referral_of(refer: Refer, limits: FocusLimits) -> Referral:
    """What a REFER asks (RFC 4579 sections 5.5 and 5.11, RFC 5368). Raises FocusError, DecodeError."""
    if refer.target is not None:
        targets = [(refer.target, refer.method)]
    else:
        assert refer.body is not None
        entries = decode_resource_list(refer.body.data, _xml_limits(limits), max_entries=limits.max_members)
        uris = [Uri.parse(entry.uri) for entry in entries]
        targets = [(uri, _method(uri)) for uri in uris]
    added: list[Number] = []
    removed: list[Number] = []
    for uri, method in targets:
        if uri.number is None:
            raise FocusError("only numbers can be members", code="focus.number", status=404)
        if method not in ("INVITE", "BYE"):
            raise FocusError("members are invited or removed", code="focus.method", status=403)
        (added if method == "INVITE" else removed).append(uri.number)
    return Referral(tuple(added), tuple(removed))


def leaves(request: Request) -> bool:
    """Whether a BYE says that the member leaves the conference, and not only that this session is over (rcs.md 2.8)."""
    return any(_REASON_DONE.search(value) for value in request.headers.all("Reason"))


def invitation(conference: Conference, number: Number, invited_by: Number, body: Body, domain: str) -> Invitation:
    """The call that brings a member in, or back in (RFC 4579 section 5.2)."""
    own = address_of(conference.name, domain)
    to = address_of(number, domain)
    subject = (("Subject", _one_line(conference.subject)),) if conference.subject else ()
    return Invitation(
        uri=to,
        to=NameAddr(Uri.parse(to)),
        identity=NameAddr(Uri.parse(own)),
        contact=f"<{own}>;isfocus",
        routes=(),
        headers=(
            ("P-Asserted-Identity", f"<{own}>"),
            ("P-Asserted-Service", "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session.group"),
            ("Accept-Contact", f'*;+g.3gpp.icsi-ref="{quote(_GROUP_SERVICE, safe="")}"'),
            ("Allow-Events", "conference"),
            ("Contribution-ID", conference.contribution),
            ("Conversation-ID", conference.conversation),
            ("Referred-By", f"<{address_of(invited_by, domain)}>"),
            *subject,
        ),
        body=body,
    )


_GROUP_SERVICE = "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session.group"


def _parts(request: Request, limits: FocusLimits) -> list[MimePart]:
    kind = request.headers.get("Content-Type")
    if kind is None:
        raise DecodeError("an INVITE without a body", code="focus.offer")
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    tree = decode_tree(head + request.body, MimeLimits(_max_list(limits) + 65_536, 64, 8192, 2, _MAX_PARTS))
    if isinstance(tree, Multipart):
        return [part for part in tree.parts if isinstance(part, MimePart)]
    return [tree]


def _kind(part: MimePart) -> str:
    return part.content_type.media_type


def _description(parts: Iterable[MimePart]) -> SessionDescription:
    found = next((part for part in parts if _kind(part) == SDP), None)
    if found is None:
        raise DecodeError("no session description", code="focus.offer")
    return decode_sdp(found.content(), _MAX_SDP)


def _numbers(data: bytes, limits: FocusLimits) -> tuple[Number, ...]:
    numbers = []
    for entry in decode_resource_list(data, _xml_limits(limits), max_entries=limits.max_members):
        number = Uri.parse(entry.uri).number
        if number is None:
            raise FocusError("only numbers can be members", code="focus.number", status=404)
        numbers.append(number)
    return tuple(numbers)


def _method(uri: Uri) -> str:
    """The method that an entry of a list asks for, as in Refer-To."""
    text = uri.params.get("method")
    if text is None:
        pairs = (part.partition("=") for part in uri.headers.split("&"))
        text = next((unquote(value) for name, _, value in pairs if unquote(name).lower() == "method"), "INVITE")
    return text.upper()


def _max_list(limits: FocusLimits) -> int:
    return 256 * limits.max_members


def _xml_limits(limits: FocusLimits) -> XmlLimits:
    return XmlLimits(max_size=_max_list(limits), max_depth=6, max_elements=2 * limits.max_members + 64)


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
