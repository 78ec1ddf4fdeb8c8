"""Signed receipts (rcc16.md 4.4): the header that makes an IMDN of RCC.16 worth believing.

The header MLS-Derived-Content-Signature holds a PublicMessage in base64: a proposal of type F002 with an empty body
whose authenticated data are the derived content. It is never kept for a commit. A receipt counts if the membership tag
and the leaf's signature hold, and if the derived content says what the document says. Where the epoch is over, its
membership key with it, the signature alone decides: it covers the GroupContext of that epoch.

Whose leaf it is, and whether its owner is whom the carrier names, is for the caller (SR-03).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from ...codec.imdn import Disposition, Status
from ...errors import DecodeError
from ...ids import Instant, MessageId, Rng
from ...mls.group.group import Group
from ...mls.group.results import FutureEpoch, PassingProposal, PastEpoch
from ...mls.wire.leaf_node import LeafNode
from ...mls.wire.proposals import CustomProposal
from ..rules import rule
from .derived_content import (
    Delivery,
    DeliveryStatus,
    DerivedContent,
    Display,
    DisplayStatus,
    decode_derived_content,
    encode_derived_content,
)
from .extensions import era_of
from .proposals import RCS_SIGNATURE
from .reasons import Receipt, ServerReason

__all__ = ["SignedReceipt", "report_of", "sign_receipt", "verify_receipt"]

_SAME = rule(
    "RCC-7.7-01",
    "RCC.16 7.7 (rcc16.md 4.4)",
    "the derived content says what the IMDN and its envelope say",
    module=__name__,
)
_ERA = rule("RCC-7.7-02", "RCC.16 7.7 (rcc16.md 4.4)", "a receipt names the era of its group", module=__name__)

_MAX_HEADER = 16_384

_DELIVERIES = {
    Status.DELIVERED: DeliveryStatus.DELIVERED,
    Status.FAILED: DeliveryStatus.FAILED,
    Status.FORBIDDEN: DeliveryStatus.FORBIDDEN,
    Status.ERROR: DeliveryStatus.ERROR,
}
_DISPLAYS = {
    Status.DISPLAYED: DisplayStatus.DISPLAYED,
    Status.FORBIDDEN: DisplayStatus.FORBIDDEN,
    Status.ERROR: DisplayStatus.ERROR,
}


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt that holds. `leaf` is the signer's as it was in `epoch`."""

    derived: DerivedContent
    epoch: int
    sender: int
    leaf: LeafNode


def sign_receipt(group: Group, content: DerivedContent, *, rng: Rng, now: Instant) -> str:
    """The value of MLS-Derived-Content-Signature. Raises GroupInactive, InputError.

    Uses up nothing of the group: it may be asked for again.
    """
    message = group.propose(
        CustomProposal(RCS_SIGNATURE, b""),
        rng=rng,
        now=now,
        authenticated_data=encode_derived_content(content),
        public=True,
    )
    return base64.b64encode(message).decode()


def verify_receipt(
    group: Group, signature: str, receipt: Receipt, receipt_id: MessageId, era: int, *, now: Instant
) -> SignedReceipt | PastEpoch | FutureEpoch:
    """Judge a receipt: its header, its document, and the message id and Era-ID that it came with.

    PastEpoch and FutureEpoch say that it cannot be judged here, or not yet. F002 is the only type that passes in a group
    of RCC.16 (`policy`), so what verifies is one. Raises InvalidRcc16, InvalidGroupMessage,
    DecodeError; GroupInactive.
    """
    if len(signature) > _MAX_HEADER:
        raise DecodeError("a signature that is too long", code="rcc16.receipt")
    try:
        message = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raise DecodeError("a signature that is not base64", code="rcc16.receipt") from None
    found = group.verify_passing(message, now=now)
    if not isinstance(found, PassingProposal):
        return found
    derived = decode_derived_content(found.authenticated_data)
    if derived.era != era or derived.era != era_of(group.state.extensions):
        _ERA.fail("the receipt is for another era")
    if derived.receipt_id != receipt_id or derived.report != report_of(receipt):
        _SAME.fail("the signature is for another receipt than the document")
    return SignedReceipt(derived, found.epoch, found.sender, found.leaf)


def report_of(receipt: Receipt) -> Delivery | Display | None:
    """What a document says, as derived content says it; None for one that has no such form."""
    document = receipt.imdn
    reported = MessageId(document.message_id)
    if document.disposition is Disposition.DISPLAY:
        shown = _DISPLAYS.get(document.status)
        return None if shown is None else Display(shown, reported)
    sent = _DELIVERIES.get(document.status)
    if document.disposition is not Disposition.DELIVERY or sent is None or isinstance(receipt.reason, ServerReason):
        return None  # a member signs no reason of a server, and who carries a signed failure must not add one
    return Delivery(sent, reported, int(receipt.reason or 0))
