"""The wall clock was set back: whatever was put off is put off no longer than it would be from now.

Without this a retry that was four seconds away would be a day away. Expiry needs nothing: it comes later, never earlier.
"""

from __future__ import annotations

from dataclasses import replace

from ..ids import chat_name
from . import chats, fetching, outbox
from .conversations import working
from .core import Core
from .groups.values import GROUP
from .records import HELD, UPKEEP
from .step import Turn

__all__ = ["set_back"]


def set_back(core: Core, turn: Turn) -> None:
    """Bring every time that was set by the former clock within its interval from now."""
    limits = core.limits
    outbox.put_off_no_longer(core, turn)
    fetching.put_off_no_longer(core, turn)
    working.put_off_no_longer(core, turn)
    for name in sorted({chat_name(key.name.split("/")[1]) for key in turn.staged.scan(HELD)}):
        chat = chats.load(turn, name)
        latest = turn.now + limits.reorder_ms
        held = tuple(replace(note, until=min(note.until, latest)) for note in chat.held)
        if held != chat.held:
            chats.save(core, turn, replace(chat, held=held))
    for key in list(turn.staged.scan(GROUP)):
        group = turn.staged.get(key)
        if group is not None and group.asked_at > turn.now:
            turn.staged.put(key, replace(group, asked_at=turn.now))
    upkeep = turn.staged.get(UPKEEP)
    if upkeep is not None:
        publishing = tuple((name, data, tries, min(at, turn.now)) for name, data, tries, at in upkeep.publishing)
        check = min(upkeep.self_check_at, turn.now + limits.self_check_ms)
        prune = min(upkeep.prune_at, turn.now + limits.prune_ms)
        # A protocol says itself when it wants to be asked next.
        upkeep = replace(upkeep, protocols=(), publishing=publishing, self_check_at=check, prune_at=prune)
        turn.staged.put(UPKEEP, upkeep)
