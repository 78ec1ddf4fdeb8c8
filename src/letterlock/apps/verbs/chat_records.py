"""The JSON form of a chat and of how it is encrypted, with the words for it: one for JSON-RPC, `-o json` and the page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ...client import EncryptionInfo
from ...client.history import ChatSummary
from ...engine.security import Security
from ...ids import bot_of, group_of
from ...words import ENGLISH, table, text
from .message_records import NUMBERS, Names, message_record
from .names import chat_label

__all__ = ["chat_record", "encryption_record", "security_record", "security_words"]

_WORDS = table()
_PARTS = ("label", "sentence")


def chat_record(summary: ChatSummary, info: EncryptionInfo | None, names: Names = NUMBERS) -> dict[str, Any]:
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
