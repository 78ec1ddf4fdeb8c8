"""A history to be read: Markdown, a heading a chat, a line a message, and a divider wherever protection changes.

What people wrote is text: characters that mean something in Markdown are escaped, and control characters are made visible,
so that no message can look like another one's, bring a link, or be HTML (SR-14).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ...engine.view import Notice
from ..verbs.names import chat_label
from ..verbs.notices import notice_text
from .terminal import visible

__all__ = ["Markdown"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~:&$@=])")


_REPEATED = frozenset(("encrypted", "keys-new", "plain-rcs", "plain-sms", "checking"))
"""States of the chat that the dividers tell, of each message by itself; told twice they would contradict each other."""


class Markdown:
    """Writes records of `Client.export` as they come."""

    def __init__(self, write: Callable[[str], Any]) -> None:
        self._write = write
        self._me = ""
        self._encrypted: bool | None = None
        self._day = ""

    def add(self, record: dict[str, Any]) -> None:
        match record["type"]:
            case "profile":
                self._me = record["number"]
                self._write(f"# Messages of {escaped(self._me)}\n\nThis file is not encrypted.\n")
            case "chat":
                self._encrypted, self._day = None, ""
                name = record["name"] or record["subject"]
                chat = chat_label(record["chat"])
                self._write(f"\n## {escaped(f'{name} ({chat})' if name and name != chat else chat)}\n")
            case "member":
                self._write(f"\nMember: {escaped(record['number'])}{' (me)' if record['me'] else ''}\n")
            case "message":
                self._date(record["at"])
                self._message(record)
            case "notice" if record["key"] == "security-changed" and record["values"].get("state") in _REPEATED:
                pass
            case "notice":
                self._date(record["at"])
                notice = Notice(record["key"], record["values"])
                self._write(f"\n*{escaped(notice_text(record['chat'], notice, me=self._me))}*\n")
            case "end":
                self._write("\n---\n\nThe end of the export.\n")

    def _date(self, at: int) -> None:
        day = f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d}"
        if day != self._day:
            self._day = day
            self._write(f"\n### {day}\n")

    def _message(self, record: dict[str, Any]) -> None:
        if record["encrypted"] is not self._encrypted and record["status"] != "missing":
            # Of each message by itself: what a chat is now says nothing about what it was (SR-01).
            self._encrypted = record["encrypted"]
            said = "encrypted" if self._encrypted else f"not encrypted, {record['medium'].upper()}"
            self._write(f"\n*From here: {escaped(said)}*\n")
        who = "me" if record["mine"] else record["sender"]
        time = f"{datetime.fromtimestamp(record['at'] / 1000, UTC):%H:%M} UTC"
        edited = " (edited)" if record.get("edited_at") else ""
        self._write(f"\n**{escaped(who)}** {time}{edited}: {escaped_lines(_said(record))}\n")
        for mark in record["reactions"]:
            self._write(f"* {escaped(mark['emoji'])} {escaped(mark['sender'])}\n")


def escaped(text: str) -> str:
    """Text as Markdown shows it unchanged, on one line."""
    return _SPECIAL.sub(r"\\\1", visible(text))


def escaped_lines(text: str) -> str:
    """The same, where line breaks are its author's."""
    return "\\\n".join(escaped(line) for line in text.split("\n"))


def _said(record: dict[str, Any]) -> str:
    """What a message is, where it is no text."""
    if record["deleted"]:
        return "(deleted)"
    if (file := record.get("file")) is not None:
        return f"(file: {file['name']}, {file['size']} bytes)"
    if (place := record.get("location")) is not None:
        label = f", {place['label']}" if place["label"] else ""
        return f"(place: {place['latitude']}, {place['longitude']}{label})"
    if record["text"] is not None:
        return str(record["text"])
    if record["status"] == "missing":
        return "(messages are missing here)"
    return f"(not readable: {record['unreadable']})" if "unreadable" in record else f"({record['content_type']})"
