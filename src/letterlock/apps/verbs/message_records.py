"""The JSON form of a message, one for JSON-RPC, for `-o json` and for the page.

Names are those of `schemas.COMPONENTS`. What a peer wrote stands here as it came: whoever shows it shows it as text (SR-14).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...client.history import Hit
from ...codec.file_names import safe_file_name
from ...engine.content import BotContent, DeviceReport, Emptied, File, Location, SuggestionResponse, Unknown
from ...engine.content.suggestions_record import describe_bot
from ...engine.record_values import Status
from ...engine.security import Security
from ...engine.view import MessageView
from ...ids import ChatName
from ...words import ENGLISH, text
from .notices import notice_text

__all__ = ["NUMBERS", "Names", "hit_record", "message_record", "sent_record"]


@dataclass(frozen=True, slots=True)
class Names:
    """What the user calls people: the name that they set, else the number. `me` is the user."""

    of: Callable[[str], str] = str
    me: str = ""
    locale: str = ENGLISH


NUMBERS = Names()


def message_record(chat: ChatName, message: MessageView, names: Names = NUMBERS) -> dict[str, Any]:
    """A message as it is now."""
    quote = message.reply
    record: dict[str, Any] = {
        "chat": chat,
        "order": message.order,
        "message_id": message.message_id,
        "sender": message.sender,
        "sender_name": names.of(message.sender) if message.sender else "",
        "mine": message.mine,
        "kind": _kind(message),
        "text": None if message.notice is not None else message.text,
        "content_type": message.content_type,
        "encrypted": message.encrypted,
        "medium": message.medium.label,
        "status": message.status.name.lower(),
        "sent_at": message.sent_at,
        "at": message.at,
        "deleted": message.deleted,
        "edited_at": message.edited_at,
        "original": message.original,
        "reply_to": None if quote is None else quote.message_id,
        "reply": None
        if quote is None
        else {
            "message_id": quote.message_id,
            "sender": quote.sender,
            "sender_name": None if quote.sender is None else names.of(quote.sender),
            "text": quote.text,
            "deleted": quote.deleted,
            "missing": quote.missing,
        },
        "reactions": [{"sender": mark.sender, "mine": mark.mine, "emoji": mark.emoji} for mark in message.reactions],
        "receipts": None if message.receipts is None else dict(message.receipts._asdict()),
        "outcome": _outcome(chat, message, names),
        "superseded_by": message.superseded_by,
    }
    return record | _content(chat, message, names)


def _kind(message: MessageView) -> str:
    if message.notice is not None:
        return "notice"
    if message.status is Status.MISSING:
        return "missing"
    if message.status is Status.UNREADABLE:
        return "unreadable"
    if message.deleted or isinstance(message.content, Emptied):
        return "deleted"
    match message.content:
        case Location():
            return "location"
        case File():
            return "file"
        case Unknown():
            return "unknown" if message.text is None else "text"
        case content if isinstance(content, BotContent):
            return "bot"
    return "text"


def _outcome(chat: ChatName, message: MessageView, names: Names) -> dict[str, Any] | None:
    """Why it ended so and what to do: of what failed or expired, and of what could not be read."""
    if (unread := message.unreadable) is not None:
        who = names.of(message.sender or chat)
        step = "asked" if unread.asked_again else "ask"
        return {
            "code": unread.cause,
            "reason": text(f"unreadable.{unread.cause}.reason", names.locale, name=who),
            "next_step": text(f"unreadable.{step}.next", names.locale, name=who),
            "count": unread.count,
        }
    if (ended := message.outcome) is not None:
        return {"code": ended.code, "reason": ended.reason, "next_step": ended.next_step}
    return None


def _content(chat: ChatName, message: MessageView, names: Names) -> dict[str, Any]:
    """The part that only some kinds have."""
    if message.notice is not None:
        notice = message.notice
        said = notice_text(chat, notice, names.of, names.me, names.locale)
        return {"notice": {"key": notice.key, "values": notice.values, "text": said}}
    match message.content:
        case Location() as place:
            return {
                "location": {
                    "latitude": place.latitude,
                    "longitude": place.longitude,
                    "label": place.label,
                    "radius": place.radius,
                }
            }
        case File() as file:
            return {"file": file_record(file)}
        case content if isinstance(content, BotContent | SuggestionResponse | DeviceReport):
            return {"chatbot": describe_bot(content)}
        case Unknown() as unknown:
            return {"unknown": {"size": unknown.size, "kept": unknown.body is not None, "reason": unknown.reason}}
    return {}


def file_record(file: File) -> dict[str, Any]:
    """A file of a message. `name` is its sender's word, `save_as` what it may be called on a disk (SR-14)."""
    shown = None if file.pointer is None else file.pointer.dimensions
    return {
        "name": file.name,
        "save_as": safe_file_name(file.name),
        "size": file.size,
        "content_type": file.content_type,
        "media": file.media,
        "format": file.format.value,
        "duration_ms": file.duration_ms,
        "width": None if shown is None else shown.width,
        "height": None if shown is None else shown.height,
        "thumbnail": file.thumbnail is not None,
        "waveform": [] if file.pointer is None else list(file.pointer.waveform),
        "url": file.file.url,
        "until": file.file.until,
    }


def hit_record(hit: Hit, names: Names = NUMBERS) -> dict[str, Any]:
    """A message that was found, and where in its text."""
    return {
        "message": message_record(hit.chat, hit.message, names),
        "text": hit.text,
        "ranges": [[start, end] for start, end in hit.ranges],
    }


def sent_record(message_id: str, chat: ChatName, state: Security) -> dict[str, Any]:
    """What a verb that sends gives."""
    return {"message_id": message_id, "chat": chat, "security": state.value}
