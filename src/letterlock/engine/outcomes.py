"""How a message ended that was not delivered, in words: why, and what to do next. One table for every application."""

from __future__ import annotations

from dataclasses import dataclass

from ..words import table, text
from .events import MessageExpired, MessageFailed

__all__ = ["Outcome", "outcome"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Two clauses without a full stop; `{name}` is who it was for."""

    reason: str
    next_step: str
    code: str = ""
    """Its stable name in the table of words: `outcome.<code>.reason`."""


_KNOWN = table()
_STATUSES = {403: "forbidden", 413: "too-large", 513: "too-large", 415: "content", 488: "content", 606: "content"}


def outcome(event: MessageFailed | MessageExpired, name: str) -> Outcome:
    """What to tell the user of it."""
    if isinstance(event, MessageExpired):
        return _in_words("expired", name, 0)
    known = f"outcome.{event.reason}.reason" in _KNOWN
    return _in_words(event.reason if known else _STATUSES.get(event.status, "refused"), name, event.status)


def _in_words(code: str, name: str, status: int) -> Outcome:
    reason, next_step = (text(f"outcome.{code}.{part}", name=name, status=status) for part in ("reason", "next"))
    return Outcome(reason, next_step, code)
