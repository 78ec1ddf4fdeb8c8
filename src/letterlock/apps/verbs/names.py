"""What people and programs call a chat and a message, and which one they mean."""

from __future__ import annotations

import contextlib

from ...client import BotChat, Chat, Client, Conversation, Group
from ...errors import InputError
from ...ids import ChatName, MessageId, group_of

__all__ = ["chat_label", "conversation_named", "group_named", "message_named", "number_named"]

_LOOKED_AT = 1_000
_BEGINNING = 4


async def conversation_named(me: Client, text: str) -> Chat | Group | BotChat:
    """The chat with a number or a chatbot, or the group that the user means. Raises InputError."""
    if text[:4].lower() == "sip:":
        return await me.bot(text)
    return await me.chat(text) if text.startswith("+") else await group_named(me, text)


async def group_named(me: Client, text: str) -> Group:
    """By name, by the beginning of it, by subject; it has to be one. Raises InputError."""
    groups = await me.groups()
    wanted = text.lower()
    found = [info for info in groups if info.group == wanted]
    found = found or [info for info in groups if len(wanted) >= _BEGINNING and info.group.startswith(wanted)]
    found = found or [info for info in groups if info.subject == text]
    if len(found) != 1:
        raise InputError(
            f"{'no' if not found else 'more than one'} group is called {text[:64]!r}",
            code="input.group",
            hint="a chat is named by a number with a plus sign, a group as in: letterlock group list",
        )
    return await me.group(found[0].group)


async def number_named(me: Client, text: str) -> Chat:
    """The chat with one number, where nothing else will do. Raises InputError."""
    return await me.chat(text)


async def message_named(chat: Conversation, given: str) -> MessageId:
    """The message with this id, or whose id begins so. Raises InputError when there is none, or more than one."""
    with contextlib.suppress(InputError):  # what cannot be an id is none of this chat either
        if await chat.find(given):
            return MessageId(given)
    ids = {message.message_id for message in await chat.messages(limit=_LOOKED_AT)}
    found = [given] if given in ids else [message_id for message_id in ids if given and message_id.startswith(given)]
    if len(found) != 1:
        raise InputError(
            f"{'no' if not found else 'more than one'} message in this chat with the id {given!r}",
            code="input.target",
            hint=f"ids are the first column of: letterlock chats {chat.name}",
        )
    return MessageId(found[0])


def chat_label(chat: ChatName) -> str:
    """A number as it is; of a group's name as much as one types."""
    return chat if group_of(chat) is None else f"group {chat[:8]}"
