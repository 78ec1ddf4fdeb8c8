"""The turn of a message, or of a change of one, has come: it is stored at its place and told."""

from __future__ import annotations

from dataclasses import replace

from ..ids import ChatName, GroupName, group_of
from . import changing
from .content import GROUP_TYPE
from .conversations.records import membership_key
from .core import Core
from .events import MessageReceived, MessageSent
from .groups.values import group_key
from .record_values import Chat, Delivery, Message, Status
from .records import delivery_key, order_parts
from .shelf import put, remember_place
from .step import Turn
from .view import describe

__all__ = ["show"]


def show(core: Core, turn: Turn, chat: Chat, message: Message, fills_gap: bool = False) -> Chat:
    """The turn of a message, or of a change of one, has come."""
    if message.mine:
        message = _adopt_early_receipts(turn, chat.number, message)
    if message.content_type == GROUP_TYPE:
        # It took effect when it came (groups/receiving.py); of ours there is something to send again.
        if message.mine:
            put(turn, chat.number, message)
        return chat
    if message.change:
        return changing.take(core, turn, chat, message)
    put(turn, chat.number, message)
    device = order_parts(message.order)[2]
    content = describe(message, core.limits)
    if message.mine:
        cursor = turn.tell(
            MessageSent(
                chat.number,
                message.message_id,
                device,
                message.order,
                message.text,
                message.content_type,
                message.encrypted,
                reply_to=message.reply_to,
                content=content,
            )
        )
    else:
        cursor = turn.tell(
            MessageReceived(
                chat.number,
                message.message_id,
                device,
                message.order,
                message.text,
                message.content_type,
                message.encrypted,
                message.sent_at,
                fills_gap,
                message.reply_to,
                content,
                "" if group_of(chat.number) is None else message.sender,
            )
        )
    remember_place(turn, chat.number, message, cursor)
    return changing.settle_pending(core, turn, chat, message.message_id) if chat.pending else chat


def _adopt_early_receipts(turn: Turn, number: ChatName, message: Message) -> Message:
    """A receipt may be faster than the copy of another device of ours; from now on it finds the message."""
    key = delivery_key(message.message_id)
    known, members = turn.staged.get(key), _others(turn, number)
    if known is None:
        turn.staged.put(key, Delivery(number, message.order, at=turn.now, members=members))
        return message
    if known.chat != number or known.order:
        return message
    turn.staged.put(key, replace(known, order=message.order, members=members))
    for status, confirmed in ((Status.DISPLAYED, known.displayed), (Status.DELIVERED, known.delivered)):
        if confirmed and len({account for account, _ in confirmed}) >= members:
            return replace(message, status=status)
    return message


def _others(turn: Turn, chat: ChatName) -> int:
    """How many members have to confirm a message of a group; 0 in the chat with a number."""
    if group_of(chat) is None:
        return 0
    group = turn.staged.get(group_key(GroupName(chat)))
    if group is None:
        kept = turn.staged.get(membership_key(chat))
        return max(1, len(kept.members)) if kept is not None else 0
    return max(1, len(group.members) - 1)
