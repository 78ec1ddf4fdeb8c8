"""Letters that a member could not read: encrypted again for it, in turn (rcc16.md 4.6, 5.6).

The first that a member asks for goes at once, the next after the gate of ninety seconds, and no more in an hour than
its allowance; meanwhile up to sixteen of a conversation wait. What was sent again and failed again, over and over, is
no accident of one letter: the conversation is looked at instead. A member that only ever fails gets nothing more.
"""

from __future__ import annotations

from dataclasses import replace

from ...conversation_seam import SendAgain
from ...ids import Instant, MessageId, Number
from ..health.budgets import Charge
from .chat import Again
from .receipts import sent_letter
from .records import SENT, Sent, chat_text
from .step import Work
from .trouble import suspect

__all__ = ["asked_for", "next_at", "send_due"]


def asked_for(work: Work, message_id: MessageId, member: Number, *, signed: bool) -> None:
    """A member says that it could not read a letter of ours."""
    chat, budgets = work.chat, work.core.settings.budgets
    sent, asked = sent_letter(work, message_id), Again(message_id, member, signed, work.now)
    if sent is None or not _waited_for(work, sent, member):
        return
    if any((one.message_id, one.subject) == (message_id, asked.subject) for one in chat.again):
        return  # the same bytes failed once more
    if sum(one.signed is signed for one in chat.again) >= budgets.resend_queue:
        return
    ledger = chat.ledger.spend(Charge.PEER_FAILURE, budgets, work.now, asked.subject)
    if ledger is None:
        return
    if sent.root != message_id:
        repeats = ledger.spend(Charge.REPEAT, budgets, work.now, asked.subject)
        if repeats is None:
            if signed:  # a look at our own state costs something: not on anybody's word
                suspect(work, "repeats")
            return
        ledger = repeats
    work.update(ledger=ledger.pruned(budgets, work.now), again=(*chat.again, asked))
    send_due(work)


def send_due(work: Work) -> None:
    """Those whose turn it is. Who has a receipt of its own meanwhile, or waited for a day, needs it no more."""
    budgets, now = work.core.settings.budgets, work.now
    if not _possible(work):
        return
    left = []
    for one in work.chat.again:
        sent = sent_letter(work, one.message_id)
        if sent is None or not _waited_for(work, sent, one.member) or now - one.at > budgets.ciphertext_kept_ms:
            continue
        ledger = work.chat.ledger.spend(Charge.RESEND, budgets, now, one.subject)
        if ledger is None:
            left.append(one)
            continue
        work.update(ledger=ledger)
        waiting = tuple(number for number in sent.waiting if number != one.member)
        kept = replace(sent, waiting=waiting, packet=sent.packet if waiting else None)
        work.state.put(SENT.key(chat_text(work.conversation), one.message_id), kept)
        work.notices.append(SendAgain(work.conversation, one.message_id, one.member))
    if len(left) != len(work.chat.again):
        work.update(again=tuple(left))


def next_at(work: Work) -> Instant | None:
    """When the next one is due."""
    chat, budgets = work.chat, work.core.settings.budgets
    if not _possible(work):
        return None
    times = (chat.ledger.free_at(Charge.RESEND, budgets, work.now, one.subject) for one in chat.again)
    return min(times, default=None)


def _possible(work: Work) -> bool:
    chat = work.chat
    return chat.group is not None and not (chat.ended or chat.stalled or chat.left)


def _waited_for(work: Work, sent: Sent, member: Number) -> bool:
    return member in sent.waiting or not work.chat.members
