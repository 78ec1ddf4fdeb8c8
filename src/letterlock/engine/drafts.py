"""What the user has written, as a message or a change in its place, and stored as such."""

from __future__ import annotations

from dataclasses import replace

from .. import ids
from ..errors import InputError
from ..ids import ChatName, MessageId
from . import changing
from .content import (
    TEXT_TYPE,
    Change,
    File,
    Reaction,
    Reference,
    Sendable,
    SuggestionResponse,
    Text,
    encode,
    express,
    read,
    with_keys,
)
from .core import Core
from .events import MessageSent
from .record_values import Chat, Message, Status
from .records import OUTBOX, PLACE, delivery_key
from .shelf import others, put, remember_place
from .step import Turn
from .view import describe

__all__ = ["draft", "fits", "store"]


def draft(
    core: Core, turn: Turn, chat: Chat, content: Sendable, order: str, status: Status, *, encrypted: bool
) -> Message:
    """Raises InputError for a change, or an answer, of a message that it cannot be for."""
    text, entity, reply_to, reply_author, change = None, b"", "", "", False
    message_id = (
        ids.new_message_id(turn.rng) if turn.message_id is None else _unused(turn, chat.number, turn.message_id)
    )
    if isinstance(content, Text):
        text, content_type = content.text, TEXT_TYPE
        if content.reply_to is not None:
            reply = changing.check_reply(turn, chat, content.reply_to, encrypted=encrypted)
            reply_to, reply_author = reply.message_id, reply.author or ""
    else:
        if isinstance(content, Change):
            change = True
            target = changing.check_target(core, turn, chat, content, encrypted=encrypted)
            if isinstance(content, Reaction):
                content = Reaction(Reference(target.message_id, target.sender), content.emoji, content.remove)
        if isinstance(content, SuggestionResponse):
            text = content.text
            if content.reply_to is not None:
                reply = changing.check_reply(turn, chat, content.reply_to, encrypted=encrypted)
                reply_to, reply_author = reply.message_id, reply.author or ""
        if isinstance(content, File) and content.reply_to is not None:
            reply = changing.check_reply(turn, chat, content.reply_to, encrypted=encrypted)
            reply_to, reply_author = reply.message_id, reply.author or ""
            content = replace(content, reply_to=reply)
        parts = express(content, message_id, core.me.number, turn.now)
        entity, content_type = encode(parts, turn.now), parts.content_type
        if isinstance(content, File):
            entity = with_keys(entity, content)
    return Message(
        order=order,
        message_id=message_id,
        sender=core.me.number,
        mine=True,
        encrypted=encrypted,
        status=status,
        sent_at=turn.now,
        at=turn.now,
        content_type=content_type,
        text=text,
        entity=entity,
        reply_to=reply_to,
        reply_author=reply_author,
        change=change,
    )


def store(core: Core, turn: Turn, chat: Chat, message: Message, *, waiting: bool = False) -> Chat:
    """Keep it and tell it; a change takes effect here at once. Gives the chat, to be saved."""
    if message.change:
        return changing.take(core, turn, chat, message)
    put(turn, chat.number, message)
    cursor = turn.tell(
        MessageSent(
            chat.number,
            message.message_id,
            core.me.device,
            message.order,
            message.text,
            message.content_type,
            message.encrypted,
            waiting,
            message.reply_to,
            describe(message, core.limits),
            message.medium.label,
        )
    )
    remember_place(turn, chat.number, message, cursor, fresh=True)
    return chat


def fits(core: Core, turn: Turn, chat: ChatName, change: Message, *, encrypted: bool) -> bool:
    """Whether what a change of ours is for has this protection now."""
    content = read(change.entity, core.limits).content
    if not isinstance(content, Change):
        return True
    target = content.target.message_id if isinstance(content, Reaction) else content.target
    return any(message.encrypted is encrypted for message, _ in others(turn, chat, target))


def _unused(turn: Turn, chat: ChatName, message_id: MessageId) -> MessageId:
    """An id of the caller's choice. Under one that is taken, receipts would count for the other message."""
    if (
        turn.staged.get(delivery_key(message_id)) is not None
        or any(turn.staged.scan(OUTBOX, f"{message_id}/"))
        or any(turn.staged.scan(PLACE, f"{chat}/{message_id}/"))
    ):
        raise InputError(
            "a message with this id was sent already", code="input.message_id_used", hint="give each message its own id"
        )
    return message_id
