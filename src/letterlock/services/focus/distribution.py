"""What a member's message asks of the focus: who gets it, under whose name, and whether it is kept.

The body is never altered, nor are headers that say nothing about who and to whom. From is what the carrier asserted of
the session's other end: a message that claims another is refused, an anonymous one gets the true name (SR-03 holds inside
the ciphertext; this is for those who cannot look inside). To a member: to that one alone. Receipts go to their addressee.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace

from ...codec import cpim, imdn, iscomposing
from ...codec.cpim import Cpim, CpimHeader, CpimLimits, decode_cpim, encode_cpim
from ...codec.group_data import MEDIA_TYPE as GROUP_DATA
from ...codec.group_data import GroupData, GroupTarget, decode_group_data
from ...codec.mime import MimePart
from ...codec.sip import Uri, media_type
from ...codec.xml import XmlLimits
from ...errors import DecodeError, FocusError, InputError
from ...ids import Number, message_id
from ...rcc16.choices import OURS
from ...rcc16.wire import content_types
from ...rcc16.wire.content_types import Arm, arm_of
from .conference import Conference
from .limits import FocusLimits

__all__ = ["Distribution", "Kind", "distribute"]


class Kind(enum.Enum):
    """What a message is to the focus."""

    PLAIN = "plain"
    TYPING = "typing"
    RECEIPT = "receipt"
    GROUP_DATA = "group-data"  # a request to the focus: subject or icon
    ENCRYPTED = "encrypted"  # of an MLS group
    MLS_REQUEST = "mls-request"  # a request to the focus: a change of the MLS group
    MLS_PULL = "mls-pull"  # a question to the focus: what was missed


@dataclass(frozen=True, slots=True)
class Distribution:
    """One message for the members: `recipient` None means all but the sender. `data` is what each of them gets.

    A request to the focus itself goes to nobody; `change` is that of group data. With `receipt_for` it is a receipt that
    names no addressee: it goes to who wrote the message of that id, and `addressed_to` makes it so.
    """

    kind: Kind
    recipient: Number | None
    message_id: str
    data: bytes = field(repr=False)
    content: Cpim = field(repr=False)
    change: GroupData | None = None
    receipt_for: str | None = None

    def addressed_to(self, recipient: Number, sender: Number, domain: str) -> Distribution:
        """The same for one member alone."""
        data = encode_cpim(_addressed(self.content, sender, recipient, domain))
        return replace(self, recipient=recipient, data=data, receipt_for=None)


def distribute(
    conference: Conference,
    sender: Number,
    content_type: str,
    data: bytes,
    *,
    domain: str,
    fallback_id: str,
    limits: FocusLimits,
) -> Distribution:
    """Read a message that came over `sender`'s session; `fallback_id` names it where it has no id of its own.

    Raises FocusError for what is refused, DecodeError for what cannot be read.
    """
    if sender not in conference.members:
        raise FocusError("not a member", code="focus.not_member", status=403)
    outer = media_type(content_type)
    if outer == iscomposing.MEDIA_TYPE:
        message = Cpim((), MimePart.of(iscomposing.MEDIA_TYPE, data))
    elif outer == cpim.MEDIA_TYPE:
        message = decode_cpim(data, _cpim_limits(limits))
    else:
        raise FocusError("only CPIM and typing here", code="focus.content_type", status=415)
    _check_sender(message, sender)
    recipient = _recipient(message, conference)
    inner = message.content.content_type.media_type
    kind = _kind(inner)
    if kind is not Kind.MLS_REQUEST and len(data) > limits.max_message:
        raise FocusError("the message is too large", code="focus.large", status=413)
    identifier = _identifier(message.message_id, fallback_id)
    if kind in (Kind.MLS_REQUEST, Kind.MLS_PULL):
        return Distribution(kind, recipient, identifier, b"", message)
    if kind is Kind.GROUP_DATA:
        change = decode_group_data(message.content.content(), _XML_LIMITS)
        if change.target in (GroupTarget.ENCRYPTED_SUBJECT, GroupTarget.ENCRYPTED_ICON):
            # Nobody could read them without the commit that they belong to, which comes with them in one request.
            raise FocusError("what is encrypted changes with a commit", code="focus.group_data", status=415)
        return Distribution(kind, recipient, identifier, b"", message, change)
    receipt_for = None
    if inner == imdn.MEDIA_TYPE and recipient is None:
        # A receipt for all would tell everybody who has read what.
        receipt_for = imdn.decode_imdn(message.content.content(), _XML_LIMITS).message_id
    whole = _addressed(message, sender, conference.name if recipient is None else recipient, domain)
    return Distribution(kind, recipient, identifier, encode_cpim(whole), message, receipt_for=receipt_for)


_KINDS = {
    iscomposing.MEDIA_TYPE: Kind.TYPING,
    imdn.MEDIA_TYPE: Kind.RECEIPT,
    GROUP_DATA: Kind.GROUP_DATA,
    content_types.CLIENT_CONTROL: Kind.MLS_REQUEST,
    content_types.GROUP_INFO: Kind.MLS_PULL,
}
_XML_LIMITS = XmlLimits(max_size=16_384, max_depth=8, max_elements=64)
_ANONYMOUS = "anonymous.invalid"


def _kind(inner: str) -> Kind:
    """By the content's type. What only the focus says is refused: it would be taken for its word."""
    if inner in (content_types.SERVER_CONTROL, content_types.KICK):
        raise FocusError("only the focus says this", code="focus.forged", status=403)
    if arm_of(inner) is Arm.APPLICATION or inner == OURS.metadata_keys_type:
        return Kind.ENCRYPTED
    return _KINDS.get(inner, Kind.PLAIN)


def _cpim_limits(limits: FocusLimits) -> CpimLimits:
    return CpimLimits(max_size=limits.largest, max_headers=64, max_header_bytes=8192)


def _check_sender(message: Cpim, sender: Number) -> None:
    for address in message.senders:
        uri = Uri.parse(address.uri)
        if uri.host != _ANONYMOUS and uri.number != sender:
            raise FocusError("From is not who sent it", code="focus.forged", status=403)


def _recipient(message: Cpim, conference: Conference) -> Number | None:
    """The one member that it is for, None for all."""
    found: set[Number | None] = set()
    for address in message.recipients:
        uri = Uri.parse(address.uri)
        if uri.host == _ANONYMOUS or uri.user == conference.name:
            found.add(None)
            continue
        if uri.number is None or uri.number not in conference.members:
            raise FocusError("To is no member", code="focus.recipient", status=404)
        found.add(uri.number)
    if len(found) > 1:
        raise FocusError("to all, or to one", code="focus.recipients", status=400)
    return found.pop() if found else None


def _identifier(text: str | None, fallback: str) -> str:
    if text is None:
        return fallback
    try:
        return message_id(text)
    except InputError as error:
        raise DecodeError("not a message id", code="focus.message_id") from error


def _addressed(message: Cpim, sender: Number, recipient: str, domain: str) -> Cpim:
    """The same message under the true From and To. Others are left out whatever namespace they claim: a reader that does
    not resolve prefixes must not find another name than one that does."""
    names = cpim.headers(("From", f"<sip:{sender}@{domain}>"), ("To", f"<sip:{recipient}@{domain}>"))
    return Cpim((*names, *(header for header in message.headers if not _names_somebody(header))), message.content)


def _names_somebody(header: CpimHeader) -> bool:
    core = header.namespace == cpim.CORE or "." not in header.name
    return core and header.local.lower() in ("from", "to")
