"""The JSON forms of what the client gives: one form for JSON-RPC, for `-o json` and for the page.

Names are those of `schemas.COMPONENTS`. What a peer wrote stands here as it came: whoever shows it shows it as text (SR-14).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ...client import CacheInfo, DeviceInfo, EncryptionInfo, GroupInfo, GroupMember, TransferInfo
from ...client.history import ChatSummary, Hit
from ...codec.file_names import safe_file_name
from ...engine.content import BotContent, DeviceReport, Emptied, File, Location, SuggestionResponse, Unknown
from ...engine.content.suggestions_record import describe_bot
from ...engine.events import Recorded, event_to_json
from ...engine.record_values import Status
from ...engine.security import Security
from ...engine.view import MessageView
from ...ids import ChatName, bot_of, group_of
from ...words import ENGLISH, table, text
from .names import chat_label
from .notices import notice_text

__all__ = [
    "Names",
    "cache_record",
    "chat_record",
    "device_record",
    "encryption_record",
    "event_record",
    "group_record",
    "hit_record",
    "member_record",
    "message_record",
    "security_record",
    "security_words",
    "sent_record",
    "transfer_record",
]


@dataclass(frozen=True, slots=True)
class Names:
    """What the user calls people: the name that they set, else the number. `me` is the user."""

    of: Callable[[str], str] = str
    me: str = ""
    locale: str = ENGLISH


_NUMBERS = Names()
_WORDS = table()
_PARTS = ("label", "sentence")


# --- chats -------------------------------------------------------------------------------------------------
def chat_record(summary: ChatSummary, info: EncryptionInfo | None, names: Names = _NUMBERS) -> dict[str, Any]:
    """A chat, as a line of the list has it."""
    chat = summary.chat
    called = summary.name or summary.subject
    return {
        "chat": chat,
        "kind": "bot" if bot_of(chat) is not None else "number" if group_of(chat) is None else "group",
        "name": called or chat_label(chat),
        "named": bool(called),
        "security": security_record(summary, info, names.locale),
        "unread": summary.unread,
        "last": None if summary.last is None else message_record(chat, summary.last, names),
        "at": summary.at,
        "joined": summary.joined,
        "members": summary.members,
        "transition": summary.transition,
        "waiting": summary.waiting,
    }


def security_words(
    state: Security, name: str, verified_at: int = 0, locale: str = ENGLISH, group: bool = False
) -> tuple[str, str]:
    """Label and sentence of a state: who can read, with the contact's name and the day of the comparison filled in. The
    state of a group is that of one of its members, and its own name is not who that is."""
    business = state is Security.PLAIN_RCS and name.startswith("sip:")
    key = "security.business-chosen" if business else f"security.{state.value}"
    own = f"security.group.{state.value}"
    keys = {part: f"{own}.{part}" if group and f"{own}.{part}" in _WORDS else f"{key}.{part}" for part in _PARTS}
    day = datetime.fromtimestamp(verified_at / 1000, UTC).astimezone() if verified_at else None
    date = f"{day.day} {day:%B %Y}" if day is not None else text("security.earlier", locale)
    label = text(keys["label"], locale, name=name)
    # How long has been waited is a number that goes on: `since` says from when.
    return label, text(keys["sentence"], locale, name=name, date=date).replace(" ({wait})", "")


def security_record(summary: ChatSummary, info: EncryptionInfo | None, locale: str = ENGLISH) -> dict[str, Any]:
    """The state of a chat, what it is called, who can read, and what the composer does."""
    state = summary.security
    bot = bot_of(summary.chat) is not None
    name = summary.chat if bot else summary.name or summary.subject or chat_label(summary.chat)
    label, sentence = security_words(state, name, summary.verified_at, locale, group_of(summary.chat) is not None)
    return {
        "chat": summary.chat,
        "state": state.value,
        "label": label,
        "sentence": sentence,
        "encrypted": state.encrypted,
        "plain": state.plain,
        "verified_at": summary.verified_at or None,
        "composer": _composer(state, summary.kept) if summary.joined else "closed",
        "protocol": "" if info is None else info.protocol,
        "era": 0 if info is None else info.era,
        "epoch": 0 if info is None else info.epoch,
        "health": "" if info is None else info.health,
        "since": summary.waiting_since or None,
    }


def encryption_record(info: EncryptionInfo) -> dict[str, Any]:
    """How a chat is encrypted, without words."""
    return {
        "chat": info.chat,
        "security": info.security.value,
        "protocol": info.protocol,
        "era": info.era,
        "epoch": info.epoch,
        "health": info.health,
    }


def _composer(state: Security, kept: bool) -> str:
    if state.encrypted:
        return "encrypted"
    if state.plain:
        return "plain"
    if state is Security.NO_KEYS_FOUND and kept:
        return "waiting"
    return {Security.CHECKING: "waiting", Security.NO_LONGER_VERIFIED: "paused"}.get(state, "closed")


# --- messages ----------------------------------------------------------------------------------------------
def message_record(chat: ChatName, message: MessageView, names: Names = _NUMBERS) -> dict[str, Any]:
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


def hit_record(hit: Hit, names: Names = _NUMBERS) -> dict[str, Any]:
    """A message that was found, and where in its text."""
    return {
        "message": message_record(hit.chat, hit.message, names),
        "text": hit.text,
        "ranges": [[start, end] for start, end in hit.ranges],
    }


def sent_record(message_id: str, chat: ChatName, state: Security) -> dict[str, Any]:
    """What a verb that sends gives."""
    return {"message_id": message_id, "chat": chat, "security": state.value}


# --- the rest ----------------------------------------------------------------------------------------------
def group_record(info: GroupInfo) -> dict[str, Any]:
    """A group, its members by number."""
    return {
        "chat": info.group,
        "subject": info.subject,
        "joined": info.joined,
        "security": info.security.value,
        "protocol": info.protocol,
        "members": [member.number for member in info.members],
    }


def member_record(member: GroupMember, names: Names = _NUMBERS) -> dict[str, Any]:
    """One member, in the order in which they came."""
    return {
        "number": member.number,
        "name": names.of(member.number),
        "account": member.account,
        "security": member.security.value,
        "current": member.current,
        "me": member.me,
        "removable": member.removable,
    }


def device_record(device: DeviceInfo) -> dict[str, Any]:
    return {"device": device.device, "name": device.name, "added_at": device.added_at, "this": device.this}


def transfer_record(info: TransferInfo) -> dict[str, Any]:
    """A file on its way. `path` is empty for one that stays sealed in the cache."""
    return {
        "transfer": info.id,
        "upload": info.upload,
        "state": info.state.value,
        "stage": info.stage.value,
        "done": info.done,
        "size": info.size,
        "path": info.path,
        "reason": info.reason,
        "message": info.message,
        "hint": info.hint,
        "resumable": info.resumable,
        "disagreement": info.disagreement,
    }


def cache_record(info: CacheInfo) -> dict[str, Any]:
    """What lies sealed in the cache."""
    return {
        "used": info.used,
        "budget": info.budget,
        "files": [
            {
                "digest": file.digest,
                "size": file.size,
                "used": file.used,
                "name": file.name,
                "content_type": file.content_type,
                "whole": file.whole,
                "in_use": file.in_use,
                "thumbnail": file.thumbnail,
            }
            for file in info.files
        ],
    }


def event_record(recorded: Recorded) -> dict[str, Any]:
    """An event as a line of JSON has it."""
    return {"cursor": recorded.cursor, "at": recorded.at, **event_to_json(recorded.event)}
