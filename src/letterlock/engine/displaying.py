"""The user has seen a message of the chat with a number: its sender hears of it, once."""

from __future__ import annotations

import dataclasses

from ..ids import ChatName, MessageId, Number
from . import chats, plain, receipts
from .core import Core
from .record_values import Status
from .records import INBOX, message_key
from .shelf import others, put
from .step import Turn

__all__ = ["forgotten", "mark"]


def mark(core: Core, turn: Turn, number: Number, message_id: MessageId) -> None:
    """See Engine.mark_displayed."""
    contact = chats.contact_of(turn, number)
    for key in list(turn.staged.scan(INBOX, f"{number}/{message_id}/")):
        entry = turn.staged.get(key)
        if entry is None or entry.displayed or not entry.order:
            continue
        message = turn.staged.get(message_key(number, entry.order))
        if message is None or message.mine:
            continue
        turn.staged.put(key, dataclasses.replace(entry, displayed=True))
        turn.staged.put(message_key(number, entry.order), dataclasses.replace(message, status=Status.SEEN))
        chat = chats.load(turn, number)
        if not message.encrypted:
            if entry.wants_display:
                plain.displayed_here(core, turn, chat, message)
        elif contact is not None:
            receipts.displayed_here(core, turn, chat, contact, message_id, message.sent_at)


def forgotten(turn: Turn, chat: ChatName, message_id: MessageId) -> None:
    """What came so long ago that its id is not remembered is seen all the same; nobody waits for its receipt."""
    for message, _ in others(turn, chat, message_id):
        if not message.mine and message.status is Status.RECEIVED:
            put(turn, chat, dataclasses.replace(message, status=Status.SEEN))
