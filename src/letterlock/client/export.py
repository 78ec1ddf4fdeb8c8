"""All of a user's history as records for JSON, one after the other, so that it never stands in memory as a whole.

Each has a `type`: `profile`, `chat`, `member`, `message`, `notice`, and `end`, with the number of messages, last: without
it the export is not whole. No keys: not of sessions, not of files, and no addresses by which files could be fetched.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any

from ..codec.file_names import safe_file_name
from ..engine.content import File, Location
from ..engine.view import MessageView
from ..errors import InputError
from ..ids import ChatName, GroupName, group_of
from .api import GroupInfo, ProfileApi
from .history import ChatSummary, Window

__all__ = ["FORMAT", "export"]

FORMAT = 1
_PAGE = 200

Ask = Callable[[Callable[[ProfileApi], Awaitable[Any]]], Awaitable[Any]]


async def export(ask: Ask, chat: ChatName | None) -> AsyncGenerator[dict[str, Any], None]:
    """See `Client.export`."""
    summaries = [each for each in await ask(lambda profile: profile.summaries()) if chat in (None, each.chat)]
    if chat is not None and not summaries:
        raise InputError("there is no such chat", code="input.chat", hint="letterlock chats")
    me = await ask(_me)
    yield {
        "type": "profile",
        "format": FORMAT,
        "number": me.number,
        "account": me.account,
        "device": me.device,
        "name": me.name,
    }
    total = 0
    for summary in summaries:
        yield _chat(summary)
        if group_of(summary.chat) is not None:
            for member in (await _group(ask, GroupName(summary.chat))).members:
                yield {
                    "type": "member",
                    "chat": summary.chat,
                    "number": member.number,
                    "account": member.account,
                    "security": member.security.value,
                    "me": member.me,
                }
        async for message in _messages(ask, summary.chat):
            total += 1
            yield _message(summary.chat, message)
    yield {"type": "end", "messages": total}


async def _me(profile: ProfileApi) -> Any:
    return profile.me


async def _group(ask: Ask, name: GroupName) -> GroupInfo:
    group: GroupInfo = await ask(lambda profile: profile.group(name))
    return group


async def _page(ask: Ask, chat: ChatName, after: str) -> Window:
    window: Window = await ask(lambda profile: profile.window(chat, _PAGE, "", after, ""))
    return window


async def _messages(ask: Ask, chat: ChatName) -> AsyncGenerator[MessageView, None]:
    """Oldest first. What comes meanwhile is at the end, or not in it."""
    behind, more = " ", True  # before every order
    while more:
        window = await _page(ask, chat, behind)
        for message in window.messages:
            yield message
            behind = message.order
        more = window.after and bool(window.messages)


def _chat(summary: ChatSummary) -> dict[str, Any]:
    return {
        "type": "chat",
        "chat": summary.chat,
        "kind": "group" if group_of(summary.chat) else "bot" if summary.chat.startswith("sip:") else "number",
        "name": summary.name,
        "subject": summary.subject,
        "security": summary.security.value,
        "verified_at": summary.verified_at or None,
        "joined": summary.joined,
        "unread": summary.unread,
    }


def _message(chat: ChatName, message: MessageView) -> dict[str, Any]:
    return {"type": "message" if message.notice is None else "notice", "chat": chat, **dict(_facts(message))}


def _facts(message: MessageView) -> Iterator[tuple[str, Any]]:
    yield "order", message.order
    yield "at", message.at
    if message.notice is not None:
        yield "key", message.notice.key
        yield "values", message.notice.values
        return
    yield "message_id", message.message_id
    yield "sender", message.sender
    yield "mine", message.mine
    yield "encrypted", message.encrypted
    yield "medium", message.medium.label
    yield "status", message.status.name.lower()
    yield "sent_at", message.sent_at or None
    yield "content_type", message.content_type
    yield "text", message.text
    yield "deleted", message.deleted
    if message.edited_at is not None:
        yield "edited_at", message.edited_at
        yield "original", message.original
    if message.reply is not None:
        yield "reply_to", message.reply.message_id
    yield "reactions", [{"sender": mark.sender, "emoji": mark.emoji} for mark in message.reactions]
    if message.receipts is not None:
        yield "receipts", message.receipts._asdict()
    if message.outcome is not None:
        yield "outcome", message.outcome.code
    if message.superseded_by:
        yield "superseded_by", message.superseded_by
    if message.unreadable is not None:
        yield "unreadable", message.unreadable.reason
    match message.content:
        case Location() as place:
            yield (
                "location",
                {
                    "latitude": place.latitude,
                    "longitude": place.longitude,
                    "label": place.label,
                    "radius": place.radius,
                },
            )
        case File() as file:
            yield (
                "file",
                {
                    "name": file.name,
                    "save_as": safe_file_name(file.name),
                    "size": file.size,
                    "content_type": file.content_type,
                    "duration_ms": file.duration_ms,
                    "encrypted": file.pointer is not None or file.sealed is not None,
                },
            )
        case _:
            pass
