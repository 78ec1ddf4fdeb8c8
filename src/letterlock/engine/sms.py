"""What SMS carries, and what comes by it from nobody that has a number.

Texts alone, in bounded length. Reactions, edits, files and places are refused rather than put into words: nobody should
take for said what was never meant as a message.
"""

from __future__ import annotations

import hashlib

from ..carriage import Inbound
from ..codec.sms_text import parts_needed
from ..errors import InputError
from .content import Sendable, Text
from .core import NOBODY, Core
from .events import SmsFromUnknownSender
from .limits import EngineLimits
from .record_values import InboxEntry, Message
from .records import inbox_key
from .step import Turn

__all__ = ["carries", "check", "from_nobody", "only_text"]

_MOST_SENDER = 32


def check(content: Sendable, limits: EngineLimits) -> None:
    """Raises InputError for what SMS does not carry."""
    if not isinstance(content, Text) or content.reply_to is not None:
        raise only_text()
    if parts_needed(content.text) > limits.max_sms_parts:
        raise InputError(
            f"that takes more than {limits.max_sms_parts} SMS",
            code="input.sms_too_long",
            hint="say it in several messages, or in fewer words",
        )


def carries(message: Message, limits: EngineLimits) -> bool:
    """Whether SMS carries a stored message as it is."""
    plain_text = message.text is not None and not (message.change or message.entity or message.reply_to)
    return plain_text and parts_needed(message.text or "") <= limits.max_sms_parts


def only_text() -> InputError:
    """The error for everything else."""
    return InputError(
        "SMS carries text only",
        code="input.sms_only_text",
        hint="write it as a text, or choose RCS for this chat (letterlock send --allow with its token)",
    )


def from_nobody(core: Core, turn: Turn, inbound: Inbound) -> None:
    """An SMS from a name or a short code: an event with its text, in no chat (docs/sms.md)."""
    key = inbox_key(core.me.number, inbound.message_id, NOBODY, 0)
    if turn.staged.get(key) is not None:
        return
    turn.staged.put(key, InboxEntry(hashlib.sha256(inbound.body).digest()[:16], "", turn.now, 0))
    sender = "".join(each for each in inbound.sender_name if each.isprintable())[:_MOST_SENDER]
    text = inbound.body[: core.limits.max_text].decode("utf-8", "replace")
    turn.tell(SmsFromUnknownSender(sender, inbound.message_id, text))
