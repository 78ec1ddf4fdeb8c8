"""What verbs of several families need: the chat that is meant, the decision behind a token, the records of an answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...client import Conversation
from ...client.history import ChatSummary
from ...engine.policy import PlainOption
from ...errors import InputError
from ...ids import group_of
from .chat_records import chat_record, security_record
from .context import Context
from .errors import option_token
from .message_records import Names, sent_record
from .names import conversation_named

__all__ = ["allowed", "chat_of", "conversation", "named", "names", "names_in", "security_of", "sent"]


async def allowed(chat: Conversation, token: str | None) -> PlainOption | None:
    """The option behind a token. A token of another chat, another transition or none of ours is refused (SR-01)."""
    if not token:
        return None
    for option in await chat.options():
        if option_token(option) == token:
            return option
    raise InputError(
        "that token is not of a refusal that stands",
        code="input.allow",
        hint="send without --allow; if it is refused, the error carries the token",
    )


async def names(context: Context, talk: Conversation | None = None) -> Names:
    """What people are called. In a chat between two there is one name to know; else all are read."""
    if talk is not None and group_of(talk.name) is None:
        return named(context, names_in([await talk.summary()]))
    return named(context, names_in(await context.client.summaries()))


def names_in(summaries: Iterable[ChatSummary]) -> dict[str, str]:
    return {summary.chat: summary.name for summary in summaries if summary.name}


def named(context: Context, known: dict[str, str]) -> Names:
    return Names(lambda number: known.get(number) or number, context.client.number, context.locale)


async def chat_of(context: Context, chat: Conversation) -> dict[str, Any]:
    """A chat as it stands."""
    return chat_record(await chat.summary(), await chat.encryption(), await names(context, chat))


async def security_of(context: Context, chat: Conversation) -> dict[str, Any]:
    """The security of a chat as it stands."""
    summary: ChatSummary = await chat.summary()
    return security_record(summary, await chat.encryption(), context.locale)


def sent(chat: Conversation, message_id: str) -> dict[str, Any]:
    return sent_record(message_id, chat.name, chat.security)


async def conversation(context: Context, name: str) -> Conversation:
    return await conversation_named(context.client, name)
