"""A history to be read: Markdown, a heading a chat, a line a message, and a divider wherever protection changes.

What people wrote is text: characters that mean something in Markdown are escaped, and control characters are made visible,
so that no message can look like another one's, bring a link, or be HTML (SR-14).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from .terminal import visible

__all__ = ["Markdown"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~:&$@=])")


class Markdown:
    """Writes records of `Client.export` as they come."""

    def __init__(self, write: Callable[[str], Any]) -> None:
        self._write = write
        self._encrypted: bool | None = None
        self._day = ""

    def add(self, record: dict[str, Any]) -> None:
        match record["type"]:
            case "profile":
                self._write(f"# Messages of {escaped(str(record.get('number', '')))}\n\nNot encrypted here.\n")
            case "chat":
                self._encrypted, self._day = None, ""
                chat = str(record["chat"])
                name = str(record.get("name") or record.get("subject") or "")
                self._write(f"\n## {escaped(f'{name} ({chat})' if name and name != chat else chat)}\n")
            case "member":
                who = record.get("number") or record.get("member") or ""
                self._write(f"\nMember: {escaped(str(who))}\n")
            case "message":
                self._message(record)
            case "end":
                count = record.get("messages", 0)
                self._write(f"\n---\n\n{count} messages\n")

    def _message(self, record: dict[str, Any]) -> None:
        at = datetime.fromtimestamp(record["at"] / 1000, UTC)
        day = f"{at:%Y-%m-%d}"
        if day != self._day:
            self._day = day
            self._write(f"\n### {day}\n")
        if record.get("encrypted") is not self._encrypted and record.get("kind") != "notice":
            self._encrypted = bool(record.get("encrypted"))
            medium = "SMS" if record.get("medium") == "sms" else "RCS"
            self._write(f"\n*From here: {'encrypted' if self._encrypted else f'not encrypted, {medium}'}*\n")
        who = "me" if record.get("mine") else str(record.get("sender_name") or record.get("sender") or "")
        edited = " (edited)" if record.get("edited_at") else ""
        lines = escaped_lines(_said(record))
        self._write(f"\n**{escaped(who)}** {at:%H:%M} UTC{edited}: {lines}\n")
        reactions = record.get("reactions") or []
        if reactions:
            marks = ", ".join(f"{each['emoji']} {'me' if each.get('mine') else each['sender']}" for each in reactions)
            self._write(f"  {escaped(marks)}\n")


def escaped(text: str) -> str:
    """Text as Markdown shows it unchanged, on one line."""
    return _SPECIAL.sub(r"\\\1", visible(text))


def escaped_lines(text: str) -> str:
    """The same, where line breaks are its author's."""
    return "\\\n".join(escaped(line) for line in text.split("\n"))


def _said(record: dict[str, Any]) -> str:
    kind = record.get("kind", "text")
    text = record.get("text")
    if kind == "file":
        file = record.get("file") or {}
        return f"(file: {file.get('name', '')}, {file.get('size', 0)} bytes)"
    if kind == "location":
        place = record.get("location") or {}
        return f"(place: {place.get('latitude')}, {place.get('longitude')} {place.get('label', '')})".replace(" )", ")")
    if kind == "notice":
        return str((record.get("notice") or {}).get("text") or text or "")
    if text is not None:
        return str(text)
    return {"deleted": "(deleted)", "missing": "(messages are missing here)", "unreadable": "(not readable)"}.get(
        kind, f"({kind})"
    )
