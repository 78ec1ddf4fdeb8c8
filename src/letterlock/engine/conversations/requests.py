"""What a protocol wants of the key distribution server: asked for until it is answered, after a restart too."""

from __future__ import annotations

from dataclasses import replace

from ...conversation_seam import Request
from ..core import Core
from ..effects import PerformRequest
from ..step import Turn
from .records import ASKED, asked_key
from .values import Asked

__all__ = ["answered", "ask", "ask_all", "due", "put_off_no_longer"]


def ask(core: Core, turn: Turn, protocol: str, request: Request) -> None:
    """Ask, and remember that we did."""
    asked = Asked(protocol, request, turn.now + core.limits.fetch_longest_ms)
    turn.staged.put(asked_key(protocol, request.request), asked)
    turn.effects.append(PerformRequest(protocol, request))
    turn.wake(asked.next_at)


def answered(turn: Turn, protocol: str, request: str) -> bool:
    """There is an answer. False when it was answered before: the effect may have been performed twice."""
    key = asked_key(protocol, request)
    if turn.staged.get(key) is None:
        return False
    turn.staged.delete(key)
    return True


def ask_all(core: Core, turn: Turn) -> None:
    """After a restart nobody is asking any more."""
    for key in list(turn.staged.scan(ASKED)):
        asked = turn.staged.get(key)
        if asked is not None:
            ask(core, turn, asked.protocol, asked.request)


def due(core: Core, turn: Turn) -> None:
    """Ask again where the answer is overdue."""
    for key in list(turn.staged.scan(ASKED)):
        asked = turn.staged.get(key)
        if asked is None:
            continue
        if asked.next_at <= turn.now:
            ask(core, turn, asked.protocol, asked.request)
        else:
            turn.wake(asked.next_at)


def put_off_no_longer(core: Core, turn: Turn) -> None:
    """The clock was set back."""
    latest = turn.now + core.limits.fetch_longest_ms
    for key in list(turn.staged.scan(ASKED)):
        asked = turn.staged.get(key)
        if asked is not None and asked.next_at > latest:
            turn.staged.put(key, replace(asked, next_at=latest))
