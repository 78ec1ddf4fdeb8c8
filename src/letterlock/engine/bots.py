"""Chats with chatbots: a third kind, beside numbers and groups (docs/chatbots.md).

A bot has no device list and no keys, and is asked for none: a business, its platform and the carriers read what is
written here, and the state says so. Nothing is sent before the user has chosen that (SR-01), no receipt either. What a
bot sends stands in its own chat, whatever it calls itself, and never in a number's (SR-03).
"""

from __future__ import annotations

import hashlib

from ..carriage import Inbound, Medium
from ..codec.imdn import MEDIA_TYPE as IMDN_TYPE
from ..codec.iscomposing import MEDIA_TYPE as TYPING_TYPE
from ..ids import BotAddress, MessageId
from . import chats, plain, policy, trouble
from .content import Sendable, check
from .core import Core
from .policy import PlainOption
from .received import TYPING_MS
from .security import Security
from .step import Turn

__all__ = ["received", "send"]


def send(core: Core, turn: Turn, bot: BotAddress, content: Sendable, allow: PlainOption | None) -> MessageId:
    """See Engine.send. Raises NotEncrypted before the user has chosen, with what may be chosen."""
    chat = chats.load(turn, bot)
    check(content, core.limits)
    state = policy.state_of(core, chat, None, turn.now)
    if allow is not None:
        if not policy.accepts(core, chat, allow):
            raise policy.refusal(core, chat, state)
        chat = policy.chosen(core, turn, chat, allow)
    elif state is not Security.PLAIN_RCS:
        raise policy.refusal(core, chat, state)
    return plain.send(core, turn, chat, content, Medium.RCS)


def received(core: Core, turn: Turn, bot: BotAddress, inbound: Inbound, media_type: str) -> None:
    """Show what a bot sends. Frames and letters of protocols are none of its business."""
    if media_type == IMDN_TYPE:
        plain.received_receipt(core, turn, bot, inbound)
    elif media_type == TYPING_TYPE:
        plain.received_typing(core, turn, bot, inbound, TYPING_MS)
    elif media_type in core.media_types or any(media_type in each.media_types for each in core.keeping.values()):
        digest = hashlib.sha256(inbound.body).digest()[:16]
        trouble.unreadable(core, turn, bot, inbound.message_id, 0, "bot", digest=digest)
    else:
        plain.received(core, turn, bot, inbound, media_type)
