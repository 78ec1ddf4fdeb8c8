"""Signed receipts, ours and those of others (rcc16.md 4.4).

Ours: an IMDN with exactly two headers; delivery when a letter was read, display when the user has seen it; to its
sender alone. Those of others: only one that a member has signed counts, and only for the member that signed it (SR-03).
A positive receipt without a signature for a letter of ours is never counted. Deployed clients end encryption because of
one; here it is told and nothing else, because anybody in the network can write one.
"""

from __future__ import annotations

from dataclasses import replace

from ...codec.dates import rfc3339_seconds
from ...codec.imdn import Disposition, Imdn, Status, encode_imdn
from ...conversation_seam import LetterReceipt, Packet, PacketHeader, Unreadable
from ...errors import DecodeError, LetterlockError
from ...ids import MessageId, Number
from ...mls.group.results import FutureEpoch
from ..credentials.leaf import certified_number
from ..health.budgets import Charge
from ..health.transitions import Moment
from ..wire.derived_content import Delivery, DeliveryStatus, DerivedContent, Display, DisplayStatus
from ..wire.message_ids import new_message_id
from ..wire.packet_headers import DERIVED_CONTENT_SIGNATURE, era_of_headers, find_header, receipt_headers
from ..wire.reasons import ClientReason, Reason, Receipt, decode_receipt, encode_negative_receipt
from ..wire.receipts import SignedReceipt, sign_receipt, verify_receipt
from .parking import park
from .posting import imdn_packet
from .records import SENT, Sent, chat_text, received_key
from .step import Work
from .trouble import suspect

__all__ = [
    "acknowledge",
    "acknowledge_again",
    "read_receipt",
    "report_failure",
    "sent_letter",
    "show",
    "take_positive",
    "verified",
]


# --- ours --------------------------------------------------------------------------------------------------------
def acknowledge(work: Work, sender: Number, message_id: MessageId) -> None:
    """A letter was delivered."""
    _send(work, sender, Delivery(DeliveryStatus.DELIVERED, message_id))


def acknowledge_again(work: Work, sender: Number, message_id: MessageId, displayed: bool) -> None:
    """The letter came again: the receipt was lost, or its epoch was over before it came."""
    _send(work, sender, Delivery(DeliveryStatus.DELIVERED, message_id))
    if displayed:
        _send(work, sender, Display(DisplayStatus.DISPLAYED, message_id))


def show(work: Work, message_id: MessageId, sender: Number) -> None:
    """The user has seen a letter."""
    key = received_key(work.conversation, sender, message_id)
    known = work.state.get(key)
    if known is None or known.displayed:
        return
    work.state.put(key, replace(known, displayed=True))
    if known.wants_display:
        _send(work, sender, Display(DisplayStatus.DISPLAYED, message_id))


def report_failure(work: Work, sender: Number, message_id: MessageId, reason: ClientReason) -> None:
    """Something of `sender` could not be read; signed where we can (an unsigned one is read as "cannot parse")."""
    _send(work, sender, Delivery(DeliveryStatus.FAILED, message_id, int(reason)), reason)


def _send(work: Work, to: Number, report: Delivery | Display, reason: Reason | None = None) -> None:
    receipt_id, held, group = new_message_id(work.rng), work.chat.group, work.group()
    headers: tuple[PacketHeader, ...] = ()
    if group is not None and held is not None:
        signature = sign_receipt(group, DerivedContent(receipt_id, held.era, report), rng=work.rng, now=work.now)
        headers = receipt_headers(signature, held.era)
    elif reason is None:
        return  # an unsigned positive receipt would have the peer end encryption (rcc16.md 4.4)
    at = rfc3339_seconds(work.now)
    if reason is not None:
        body = encode_negative_receipt(report.message_id, at, reason)
    elif isinstance(report, Display):
        body = encode_imdn(Imdn(report.message_id, at, Disposition.DISPLAY, Status.DISPLAYED))
    else:
        body = encode_imdn(Imdn(report.message_id, at, Disposition.DELIVERY, Status.DELIVERED))
    work.packets.append(imdn_packet(work, to, receipt_id, body, headers))


# --- those of others -----------------------------------------------------------------------------------------------
def take_positive(work: Work, packet: Packet, receipt: Receipt, sender: Number | None) -> None:
    """A receipt that says that something of ours arrived, or was seen."""
    message_id = MessageId(receipt.imdn.message_id)
    key = SENT.key(chat_text(work.conversation), message_id)
    sent = work.state.get(key)
    if sent is None or sender is None:
        return
    signature = find_header(packet.headers, DERIVED_CONTENT_SIGNATURE)
    if signature is None:
        if receipt.imdn.status in (Status.DELIVERED, Status.DISPLAYED):
            _unsigned(work, packet, sender)
        return
    signed = verified(work, packet, receipt, signature, sender)
    if signed is None or receipt.imdn.status not in (Status.DELIVERED, Status.DISPLAYED):
        return
    for subject in (sender, f"{sender} unsigned"):  # a streak of failures ends with what it could read
        work.update(ledger=work.chat.ledger.cleared(Charge.PEER_FAILURE, subject))
    displayed = isinstance(signed.derived.report, Display)
    if not displayed:
        left = tuple(number for number in sent.waiting if number != sender)
        work.state.put(key, replace(sent, waiting=left, packet=sent.packet if left else None))
    work.notices.append(LetterReceipt(work.conversation, message_id, sender, displayed))


def verified(
    work: Work, packet: Packet, receipt: Receipt, signature: str, sender: Number | None
) -> SignedReceipt | None:
    """The signature of a receipt: by a member, for this document, and the member is who sent it. None otherwise."""
    group, era = work.group(), era_of_headers(packet.headers)
    if group is None or era is None:
        return None
    moment = work.chat.moment
    if era > moment.era:
        park(work, packet, sender, Moment(era, 0))
        return None
    if era < moment.era:
        return None  # of an era that is over: its epochs have nothing to do with ours, and waiting for them never ends
    try:
        found = verify_receipt(group, signature, receipt, packet.message_id, era, now=work.now)
    except LetterlockError:
        return None
    if isinstance(found, FutureEpoch):
        park(work, packet, sender, Moment(era, found.epoch))
        suspect(work, "future-receipt", from_future=True)
        return None
    if not isinstance(found, SignedReceipt) or certified_number(found.leaf.credential) != sender:
        return None
    return found


def _unsigned(work: Work, packet: Packet, sender: Number) -> None:
    work.notices.append(Unreadable(work.conversation, sender, packet.message_id, "unsigned-receipt", repairing=False))


def read_receipt(work: Work, packet: Packet) -> Receipt | None:
    """The document of a receipt; None for what is none, or breaks the rules of reasons."""
    try:
        return decode_receipt(packet.body, work.core.settings.receipts)
    except DecodeError:
        return None


def sent_letter(work: Work, message_id: str) -> Sent | None:
    return work.state.get(SENT.key(chat_text(work.conversation), message_id))
