"""Verbs about conversations and their history: listing, reading, searching, naming."""

from __future__ import annotations

from typing import Any

from ...client.api import MOST_MESSAGES
from ...client.history import MOST_HITS
from ...client.slices import sliced
from ...ids import group_of
from .answers import chat_of, conversation, named, names, names_in
from .chat_records import chat_record
from .context import Context
from .message_records import hit_record, message_record
from .names import message_named, number_named
from .schemas import BOOLEAN, INTEGER, NOTHING, STRING, array, nullable, record, ref
from .verb import Example, Kind, Param, Verb, param

__all__ = ["CHAT", "MESSAGE", "VERBS"]

CHAT = param(
    "chat", Kind.CHAT, "a number, a chatbot's address, or a group: its name, the beginning of it, or its subject"
)
MESSAGE = param("message_id", Kind.MESSAGE, "the id of a message, or the beginning of it", metavar="MESSAGE")


async def _chats(context: Context) -> list[dict[str, Any]]:
    summaries = await context.client.summaries()
    known = named(context, names_in(summaries))
    # By the summary's own state: a list is read often, and how a protocol stands is what `security` is for.
    return [chat_record(summary, None, known) async for summary in sliced(summaries)]


async def _chat(context: Context, chat: str) -> dict[str, Any]:
    return await chat_of(context, await conversation(context, chat))


async def _messages(context: Context, chat: str, limit: int, before: str, after: str, around: str) -> dict[str, Any]:
    talk = await conversation(context, chat)
    window = await talk.window(limit, before=before, after=after, around=around)
    known = await names(context, talk)
    return {
        "messages": [message_record(talk.name, message, known) async for message in sliced(window.messages)],
        "before": window.before,
        "after": window.after,
    }


async def _displayed(context: Context, chat: str, message_id: str) -> dict[str, Any]:
    talk = await conversation(context, chat)
    return {"seen": await talk.see(await message_named(talk, message_id))}


async def _typing(context: Context, chat: str, active: bool) -> dict[str, Any]:
    talk = await conversation(context, chat)
    # RCS has no such notice for groups; a page need not tell them apart.
    if group_of(talk.name) is None and talk.name.startswith("+"):
        await (await number_named(context.client, talk.name)).typing(active)
    return {}


async def _name(context: Context, chat: str, name: str) -> dict[str, Any]:
    talk = await conversation(context, chat)
    await talk.set_name(name)
    return await chat_of(context, talk)


async def _search(context: Context, text: str, chat: str, limit: int, before: str) -> dict[str, Any]:
    within = (await conversation(context, chat)).name if chat else ""
    found = await context.client.search(text, chat=within, limit=limit, before=before)
    known = await names(context)
    return {"hits": [hit_record(hit, known) async for hit in sliced(found.hits)], "before": found.before or None}


async def _capabilities(context: Context, chat: str, known: bool) -> dict[str, Any]:
    talk = await number_named(context.client, chat)
    features = await talk.capabilities(fresh=not known)
    return {"chat": talk.name, "features": None if features is None else list(features)}


VERBS = (
    Verb(
        "chats",
        "all conversations, that with the newest message first",
        _chats,
        array(ref("Chat")),
        description="Every conversation with its last message, its unread messages, its name and its security. How a "
        "protocol stands (`protocol`, `era`, `epoch`, `health`) is empty here: `security` tells it of one chat.",
        examples=(Example("the list of chats"),),
    ),
    Verb(
        "chat",
        "one conversation as it stands",
        _chat,
        ref("Chat"),
        (CHAT,),
        description="One conversation with its last message, its unread messages, its name and its security.",
        examples=(Example("the chat with Ben", {"chat": "+15550199"}),),
    ),
    Verb(
        "open",
        "begin a conversation: its keys are looked up",
        _chat,
        ref("Chat"),
        (CHAT,),
        description="Begin a conversation with a number or a chatbot; the keys are looked up, and nothing is sent. A group "
        "is begun with `group.create`.",
        instead="every verb begins the chat that it names",
        examples=(Example("look up the keys of a number", {"chat": "+15550199"}),),
    ),
    Verb(
        "messages",
        "the messages of a chat, oldest first",
        _messages,
        record(messages=array(ref("Message")), before=BOOLEAN, after=BOOLEAN),
        (
            CHAT,
            Param("limit", Kind.INTEGER, "how many at most", default=50, lowest=1, highest=MOST_MESSAGES),
            Param("before", Kind.WORD, "the `order` of the message to read back from", default=""),
            Param("after", Kind.WORD, "the `order` of the message to read on from", default=""),
            Param("around", Kind.WORD, "the `order` or id of a message that is to be in the middle", default=""),
        ),
        description="Messages as they are now, with their edits, reactions and deletes, and the changes between them. "
        "Without before, after or around the newest; `before` and `after` of the result say whether there are more.",
        examples=(
            Example("the newest fifty", {"chat": "+15550199"}),
            Example("ten of them", {"chat": "+15550199", "limit": 10}),
        ),
    ),
    Verb(
        "displayed",
        "the user has seen a message, and those before it",
        _displayed,
        record(seen=INTEGER),
        (CHAT, MESSAGE),
        description="The user has seen this message and those before it; each sender is told once, if the user's settings say "
        "so. `seen` is how many were new, at most a thousand at once.",
        examples=(Example("seen", {"chat": "+15550199", "message_id": "0a1b2c3d"}),),
    ),
    Verb(
        "typing",
        "tell the contact that the user is typing, or stopped",
        _typing,
        NOTHING,
        (CHAT, Param("active", Kind.FLAG, "false: stopped", default=True)),
        description="Tell the contact, encrypted or as the user left the chat. In a group nothing is told.",
        instead="a terminal sends whole messages",
        examples=(Example("typing", {"chat": "+15550199", "active": True}),),
    ),
    Verb(
        "name",
        "what you call a contact, here alone",
        _name,
        ref("Chat"),
        (CHAT, param("name", Kind.WORD, "empty takes it away", metavar="NAME")),
        description="Give a contact a name. Nobody else learns it.",
        examples=(Example("call a number Ben", {"chat": "+15550199", "name": "Ben"}),),
    ),
    Verb(
        "search",
        "find messages in the local history",
        _search,
        record(hits=array(ref("Hit")), before=nullable(STRING)),
        (
            param("text", Kind.WORD, "words, or beginnings of words; all of them are to be there", metavar="WORDS"),
            Param("chat", Kind.CHAT, "only in this chat", default=""),
            Param("limit", Kind.INTEGER, "how many at most", default=50, lowest=1, highest=MOST_HITS),
            Param("before", Kind.WORD, "the `before` of the result before: older ones", default=""),
        ),
        description="Messages with all these words, newest first. Case and accents make no difference. Nothing leaves this "
        "device.",
        examples=(
            Example("in all chats", {"text": "picnic"}),
            Example("in one", {"text": "train eight", "chat": "+15550199"}),
        ),
    ),
    Verb(
        "capabilities",
        "what the carrier says that a number can do",
        _capabilities,
        record(chat=STRING, features=nullable(array(STRING))),
        (
            param("chat", Kind.NUMBER, "a number"),
            Param("known", Kind.FLAG, "what was heard within a day will do", default=False),
        ),
        description="Ask the carrier what the phones of a number can do, by OPTIONS. A hint that anybody on the way can "
        "change; it decides nothing about encryption. An empty list is a number without RCS, null means that nobody knows.",
        examples=(Example("what was heard last", {"chat": "+15550199", "known": True}),),
    ),
)
