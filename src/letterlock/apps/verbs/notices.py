"""Changes that stand between the messages of a history, in words of the string table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...engine.view import Notice
from ...words import ENGLISH, table, text

__all__ = ["notice_text"]

_PEOPLE = ("by", "member", "sender", "chat", "source")
_LISTS = ("members", "numbers", "added", "removed")


def notice_text(
    chat: str, notice: Notice, name: Callable[[str], str] = str, me: str = "", locale: str = ENGLISH
) -> str:
    """One line, with people by the names that the user gave them, and the user as "you"."""

    def called(key: str, number: str) -> str:
        if number and number == me:
            return text("notice.you.first" if key == "by" else "notice.you", locale)
        return name(number)

    values = {key: _said(key, value, called) for key, value in {"chat": chat, **notice.values}.items()}
    known = table(locale)
    for key in _keys(notice):
        if key in known:
            return text(key, locale, **values)
    return text("notice.other", locale, **values)


def _keys(notice: Notice) -> tuple[str, ...]:
    """The most exact one first: `notice.security-changed.plain-sms`, `notice.group-joined.by.none`."""
    key, values = f"notice.{notice.key}", notice.values
    exact = [f"{key}.{values[name]}" for name in ("state", "reason") if isinstance(values.get(name), str)]
    if any(name in values and not values[name] for name in ("icon", "subject")):
        exact += [f"{key}.by.none", f"{key}.none"] if values.get("by") else [f"{key}.none"]
    if values.get("by"):
        exact.append(f"{key}.by")
    return (*exact, key)


def _said(key: str, value: Any, called: Callable[[str, str], str]) -> str:
    if key in _PEOPLE and isinstance(value, str):
        return called(key, value)
    if key in _LISTS and isinstance(value, list | tuple):
        return ", ".join(called(key, str(each)) for each in value)
    return str(value)
