"""What was read, as a message of its chat; and typing."""

from __future__ import annotations

from dataclasses import replace

from ..ids import Instant, Number
from ..seam import Header, Party
from . import chats
from .content import (
    Content,
    Delete,
    Edit,
    Emptied,
    Entity,
    File,
    GroupChange,
    Reaction,
    Text,
    Typing,
    Unknown,
    bounded,
    without_chat,
    without_heads,
)
from .core import Core
from .events import TypingChanged
from .record_values import Message, Status
from .records import order_of
from .step import Turn

__all__ = ["TYPING_MS", "message_of", "typing_seen"]

TYPING_MS = 120_000
"""RFC 3994: after this, typing counts as ended."""


def message_of(
    core: Core, party: Party, header: Header, entity: Entity, content: Content, body: bytes, now: Instant
) -> Message:
    """The message, or change, that authenticated content is. The caller stores it."""
    mine = party.account == core.me.account
    kept = b""
    if not isinstance(content, Text):
        kept = without_chat(body, entity.to) if entity.to is not None else body
        kept = without_heads(kept, entity.heads) if entity.heads is not None else kept
        kept = bounded(kept, core.limits.max_entity)
    reply = content.reply_to if isinstance(content, Text | File) else None
    return Message(
        order=order_of(header.lamport, party.account, party.device, header.sequence),
        message_id=header.message_id,
        sender=party.number,
        mine=mine,
        encrypted=True,
        status=Status.SENDING if mine else Status.RECEIVED,
        sent_at=entity.sent_at,
        at=now,
        content_type=entity.content_type,
        text=content.text if isinstance(content, Text | Unknown) else None,
        entity=kept,
        reply_to=reply.message_id if reply is not None else "",
        reply_author=(reply.author or "") if reply is not None else "",
        change=isinstance(content, Reaction | Edit | Delete | GroupChange)
        or (isinstance(content, Emptied) and content.change),
    )


def typing_seen(core: Core, turn: Turn, number: Number, content: Typing) -> None:
    """The peer types, or has stopped: told when that is new."""
    chat = chats.load(turn, number)
    typing = bool(chat.typing_seen) and 0 <= turn.now - chat.typing_seen < TYPING_MS
    if content.active == typing:
        return
    chats.save(core, turn, replace(chat, typing_seen=turn.now if content.active else 0))
    turn.tell(TypingChanged(number, content.active, encrypted=True))
