"""What waits in a chat to be encrypted: the records themselves, without what is done about them (waiting.py)."""

from __future__ import annotations

from ..ids import ChatName, chat_name
from ..seam import Key
from .record_values import Waiting
from .records import WAITING, waiting_key
from .step import Turn

__all__ = ["chats_waiting", "tasks", "wait_for"]


def wait_for(turn: Turn, chat: ChatName, waiting: Waiting) -> None:
    """Have `flush` encrypt this when it can."""
    turn.staged.put(waiting_key(chat, waiting), waiting)


def chats_waiting(turn: Turn) -> list[ChatName]:
    """The chats whose tasks wait for keys."""
    return sorted({chat_name(key.name.split("/")[1]) for key in turn.staged.scan(WAITING)})


def tasks(turn: Turn, number: ChatName) -> list[tuple[Key[Waiting], Waiting]]:
    """All that waits in a chat, messages first."""
    found = []
    for key in turn.staged.scan(WAITING, f"{number}/"):
        waiting = turn.staged.get(key)
        if waiting is not None:
            found.append((key, waiting))
    return found
