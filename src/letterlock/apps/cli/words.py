"""How states and messages read in a terminal; events are in `event_words.py`. Every sentence is of the one table of words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...codec.file_names import safe_file_name
from ...engine.security import WORDS, Security, words
from ...words import ENGLISH, text
from ...words.en import STRINGS
from ..verbs.chat_records import security_words
from ..verbs.names import chat_label
from .bot_words import bot_lines
from .terminal import visible

__all__ = [
    "chat_label",
    "health_words",
    "mark",
    "message_text",
    "protocol_words",
    "said",
    "security_label",
    "security_sentence",
    "with_cards",
]


def security_label(state: Security, name: str, *, group: bool = False, locale: str = ENGLISH) -> str:
    """At most four words, with the contact's name filled in; of a group without one."""
    label, _ = security_words(state, name, locale=locale, group=group)
    return label


def security_sentence(state: Security, name: str, date: str = "an earlier day") -> str:
    """One sentence that says who can read. `date`: when codes were compared, where that is known."""
    return words(state, name).sentence.replace(" ({wait})", "").format(name=name, date=date)


def protocol_words(protocol: str, locale: str = ENGLISH) -> str:
    """A protocol by what it does; one of a later version by its name."""
    return _one_of("terminal.protocol", protocol or "none", locale, protocol=protocol)


def health_words(state: str, locale: str = ENGLISH) -> str:
    """How the repair of a conversation stands, by the name of its state (rcc16.md 5.1)."""
    return _one_of("terminal.health", state, locale, state=state)


def _one_of(family: str, name: str, locale: str, **values: object) -> str:
    """The words of a name, or what is said of one that is of a later version."""
    key = f"{family}.{name}"
    return text(key if key in STRINGS else f"{family}.other", locale, **values)


def mark(encrypted: bool, medium: str, locale: str = ENGLISH) -> str:
    """What a line says behind it of how its message was carried."""
    if encrypted:
        return ""
    if medium == "sms":
        label = WORDS[Security.PLAIN_SMS].label if locale == ENGLISH else text("security.plain-sms.label", locale)
        return "  " + text("terminal.mark.other", locale, label=label)
    return "  " + text("terminal.mark.plain", locale)


def said(plain: str | None, content: Mapping[str, Any] | None, content_type: str, locale: str = ENGLISH) -> str:
    """What a message says, in words."""
    if plain is not None:
        return plain
    kind = content["kind"] if content is not None else ""
    if content is None or kind not in _NO_TEXTS:
        return text("terminal.said.other", locale, type=content_type)
    if kind == "location":
        return _place(content["latitude"], content["longitude"], content["label"], locale)
    if kind == "file":
        duration = content.get("duration_ms")
        return _file(content["name"], content["content_type"], content["size"], duration, locale)
    return text(f"terminal.said.{kind}", locale, type=content_type, size=content.get("size", 0))


_NO_TEXTS = frozenset({"deleted", "location", "file", "unknown", "card", "carousel", "suggestions", "device-report"})


def with_cards(line: str, content: Mapping[str, Any] | None) -> str:
    """Cards and suggestions of a chatbot take lines of their own."""
    if content is None or content["kind"] not in ("card", "carousel", "suggestions"):
        return line
    return "\n".join((line, *bot_lines(dict(content))))


def _place(latitude: float, longitude: float, label: str, locale: str = ENGLISH) -> str:
    where = {"latitude": f"{latitude:.6f}", "longitude": f"{longitude:.6f}"}
    if label:
        return text("terminal.said.location.label", locale, label=label, **where)
    return text("terminal.said.location", locale, **where)


def _file(name: str, content_type: str, size: int, duration_ms: int | None, locale: str = ENGLISH) -> str:
    """A file by the name that it would get here: what its sender calls it may be meant to mislead (SR-14)."""
    called = safe_file_name(name) if name else text("terminal.said.file-name.none", locale)
    facts = {"name": called, "type": content_type, "size": f"{size:,}"}
    if duration_ms is None:
        return text("terminal.said.file", locale, **facts)
    duration = f"{duration_ms // 60_000}:{duration_ms // 1_000 % 60:02d}"
    return text("terminal.said.file.duration", locale, duration=duration, **facts)


# --- messages ----------------------------------------------------------------------------------------------
def message_text(message: Mapping[str, Any]) -> str:
    """A message of a chat as it is now (`verbs.message_records.message_record`): one line, and those of a card below it."""
    if message["kind"] == "notice":
        return f"{'':<8}  {'--':>16}  {visible(message['notice']['text'])}"
    who = text("terminal.message.me") if message["mine"] else message["sender_name"]
    marks = mark(message["encrypted"], message["medium"]) if message["kind"] not in _NO_MESSAGES else ""
    if message["edited_at"] is not None:
        marks += "  " + text("terminal.mark.edited")
    if message["reactions"]:
        marks += "  " + " ".join(each["emoji"] for each in message["reactions"])
    line = (
        f"{message['message_id'][:8]:<8}  {visible(who):>16}  {visible(_answered(message) + _shown(message) + marks)}"
    )
    ended = message["outcome"]
    if ended is not None and message["kind"] != "unreadable":
        why = text("terminal.message.not-delivered", reason=ended["reason"], next_step=ended["next_step"])
        line = f"{line}\n          {visible(why)}"
    return with_cards(line, message.get("chatbot"))


_NO_MESSAGES = ("missing", "unreadable")


def _answered(message: Mapping[str, Any]) -> str:
    quote = message["reply"]
    if quote is None:
        return ""
    if quote["missing"]:
        return text("terminal.mark.answer.missing") + " "
    if quote["deleted"]:
        return text("terminal.mark.answer.deleted") + " "
    if quote["text"] is None:
        return text("terminal.mark.answer.message") + " "
    short = quote["text"][:30] + ("…" if len(quote["text"]) > 30 else "")
    return text("terminal.mark.answer", text=short) + " "


def _shown(message: Mapping[str, Any]) -> str:
    match message["kind"]:
        case "location":
            return _place(*(message["location"][name] for name in ("latitude", "longitude", "label")))
        case "file":
            return _file(*(message["file"][name] for name in ("name", "content_type", "size", "duration_ms")))
        case "missing":
            return text("terminal.message.missing", message=message["message_id"])
        case "unreadable" if message["outcome"] is None:
            return text("terminal.message.unreadable")
        case "unreadable":
            ended = message["outcome"]
            return text("terminal.message.unreadable.reason", reason=ended["reason"], next_step=ended["next_step"])
        case "bot" if message["text"] is None:
            return text(f"terminal.said.{message['chatbot']['kind']}")
        case "unknown":
            return text("terminal.said.unknown", type=message["content_type"], size=message["unknown"]["size"])
        case "deleted":
            return text("terminal.said.deleted")
    return said(message["text"], None, message["content_type"])
