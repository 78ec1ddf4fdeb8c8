"""What the user has written, as a message or a change in its place, and stored as such."""

from __future__ import annotations

from .. import ids
from ..ids import ChatName
from . import changing
from .content import TEXT_TYPE, Delete, Edit, Reaction, Reference, Sendable, Text, encode, express, read
from .core import Core
from .events import MessageSent
from .record_values import Chat, Message, Status
from .records import order_parts
from .shelf import others, put, remember_place
from .step import Turn
from .view import describe

__all__ = ["draft", "fits", "store"]


def draft(
    core: Core, turn: Turn, chat: Chat, content: Sendable, order: str, status: Status, *, encrypted: bool
) -> Message:
    """Raises InputError for a change, or an answer, of a message that it cannot be for."""
    change = isinstance(content, Reaction | Edit | Delete)
    reply = content.reply_to if isinstance(content, Text) else None
    if isinstance(content, Reaction | Edit | Delete):
        target = changing.check_target(core, turn, chat, content, encrypted=encrypted)
        if isinstance(content, Reaction):
            content = Reaction(Reference(target.message_id, target.sender), content.emoji, content.remove)
    elif reply is not None:
        reply = changing.check_reply(turn, chat, reply, encrypted=encrypted)
    message_id = ids.new_message_id(turn.rng)
    text, entity = None, b""
    if isinstance(content, Text):
        text, content_type = content.text, TEXT_TYPE
    else:
        parts = express(content, message_id, core.me.number, turn.now)
        entity, content_type = encode(parts, turn.now), parts.content_type
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
        reply_to=reply.message_id if reply is not None else "",
        reply_author=(reply.author or "") if reply is not None else "",
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
            order_parts(message.order)[2],
            message.order,
            message.text,
            message.content_type,
            message.encrypted,
            waiting,
            message.reply_to,
            describe(message, core.limits),
        )
    )
    remember_place(turn, chat.number, message, cursor)
    return chat


def fits(core: Core, turn: Turn, chat: ChatName, change: Message, *, encrypted: bool) -> bool:
    """Whether what a change of ours is for has this protection now."""
    content = read(change.entity, core.limits).content
    if not isinstance(content, Reaction | Edit | Delete):
        return True
    target = content.target.message_id if isinstance(content, Reaction) else content.target
    return any(message.encrypted is encrypted for message, _ in others(turn, chat, target))
