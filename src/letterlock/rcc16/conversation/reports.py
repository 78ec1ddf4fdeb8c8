"""Failures, told and heard: negative receipts of members and of the focus (rcc16.md 4.5, 4.6).

Ours are sent only where repair cannot help or was tried, at most five for one message, identical ones once in thirty
seconds. Those of members lead to a letter being sent again under another id, within limits, or to a look at our own
state; none of them, signed or not, ever changes what is encrypted or to whom. Those of the focus are about what we
sent: a commit is rolled back, a letter is named as failed; the remedy is by the table.
"""

from __future__ import annotations

from dataclasses import replace

from ...codec.imdn import Status
from ...conversation_seam import LetterFailed, Packet, Unreadable
from ...ids import MessageId, Number
from ..health.budgets import Charge
from ..wire.packet_headers import DERIVED_CONTENT_SIGNATURE, find_header
from ..wire.reasons import (
    CLIENT_REMEDIES,
    SERVER_REMEDIES,
    ClientReason,
    ClientRemedy,
    Receipt,
    ServerReason,
    ServerRemedy,
    token_of,
)
from .receipts import report_failure, sent_letter, verified
from .records import SENT, chat_text
from .refusals import refused
from .resending import asked_for
from .step import Work
from .trouble import suspect

__all__ = ["cannot_read", "report", "take_negative"]


# --- ours --------------------------------------------------------------------------------------------------------
def cannot_read(work: Work, packet: Packet, sender: Number | None, why: str) -> None:
    """A letter is lost as it came: say so to the user and, once, to its sender."""
    work.notices.append(Unreadable(work.conversation, sender, packet.message_id, why, repairing=False))
    if "negative-delivery" in packet.dispositions:
        report(work, packet, sender, ClientReason.FAILED_TO_DECRYPT)


def report(work: Work, packet: Packet, sender: Number | None, reason: ClientReason) -> None:
    """A negative receipt, within its limits."""
    if sender is None or work.health.withholds_reports or work.chat.left:
        return
    budgets = work.core.settings.budgets
    ledger = work.chat.ledger.spend(Charge.REPORT, budgets, work.now, packet.message_id)
    if ledger is None or _just_told(work, packet):
        return
    work.update(ledger=ledger.pruned(budgets, work.now))
    report_failure(work, sender, packet.message_id, reason)


def _just_told(work: Work, packet: Packet) -> bool:
    """An identical report less than thirty seconds ago."""
    gap = work.core.settings.budgets.receipt_repeat_ms
    for charge, subject, stamps in work.chat.ledger.entries:
        if charge is Charge.REPORT and subject == packet.message_id and stamps and abs(work.now - stamps[-1]) < gap:
            return True
    return False


# --- those of others -----------------------------------------------------------------------------------------------
def take_negative(work: Work, packet: Packet, receipt: Receipt, sender: Number | None) -> None:
    """Somebody says that something of ours failed."""
    message_id, reason = receipt.imdn.message_id, receipt.reason
    if isinstance(reason, ServerReason):
        _of_server(work, message_id, reason, sender)
        return
    if receipt.imdn.status is not Status.FAILED or sender is None:
        return
    signature = find_header(packet.headers, DERIVED_CONTENT_SIGNATURE)
    if signature is not None and verified(work, packet, receipt, signature, sender) is None:
        return
    if signature is not None and reason is None:
        reason = ClientReason.FAILED_TO_DECRYPT
    remedy = ClientRemedy.RESEND if reason is None else CLIENT_REMEDIES[reason]
    match remedy:
        case ClientRemedy.RESEND:
            # What nobody signed is heard too, because deployed clients send it.
            asked_for(work, MessageId(message_id), sender, signed=signature is not None)
        case ClientRemedy.SELF_HEAL | ClientRemedy.ESCALATE:
            if signature is not None:  # a look at our own state costs something: not on anybody's word
                suspect(work, token_of(reason) if reason is not None else "failed")
        case ClientRemedy.CLEAR_STREAK:
            if signature is not None:  # or the streak of a member that only fails would never end it
                work.update(ledger=work.chat.ledger.cleared(Charge.PEER_FAILURE, sender))
        case ClientRemedy.NONE:
            pass


def _of_server(work: Work, message_id: str, reason: ServerReason, sender: Number | None) -> None:
    """Only whoever orders may say this: in a group the focus, in a chat of two the peer."""
    if sender != work.conversation.peer:
        return
    operation = work.chat.operation
    if operation is not None and operation.control_id == message_id:
        refused(work, reason)
        return
    sent = sent_letter(work, message_id)
    if sent is None:
        if reason is ServerReason.MLS_GROUP_NOT_FOUND and work.chat.heal is not None:
            work.update(heal=replace(work.chat.heal, not_found=True, asked=False, next_at=work.now))
        return
    remedy = SERVER_REMEDIES[reason]
    if remedy is ServerRemedy.RETRY_SAME_BYTES:
        return  # they are sent again until every receipt has come, with pauses; not as fast as somebody refuses them
    work.state.put(SENT.key(chat_text(work.conversation), message_id), replace(sent, packet=None))
    work.notices.append(LetterFailed(work.conversation, MessageId(message_id), token_of(reason)))
    if remedy in (ServerRemedy.SELF_HEAL, ServerRemedy.TERMINAL, ServerRemedy.CREATE_AGAIN, ServerRemedy.NEW_ERA):
        suspect(work, token_of(reason), certain=True)
