"""Key material of a device has come, or there is none: what waited for it goes on."""

from __future__ import annotations

from ..seam import MaterialNeeded
from . import fetching, queue, waiting
from .core import Core
from .records import WAITING, material_key
from .step import Turn

__all__ = ["came"]


def came(core: Core, turn: Turn, needed: MaterialNeeded, material: bytes | None) -> None:
    """See Engine.on_material."""
    key = material_key(needed.account, needed.device)
    asked = fetching.pending(turn, needed)
    if material is None:
        fetching.failed(core, turn, needed)
    else:
        turn.staged.put(key, material)
    if needed.number == core.me.number:
        for chat in queue.chats_waiting(turn):
            waiting.flush(core, turn, chat)
    else:
        waiting.keys_came(core, turn, needed.number)
    if material is not None and fetching.pending(turn, needed) is asked:
        # Not before it was tried: a bundle that is refused counts as no answer, and is asked for ever more rarely.
        fetching.answered(turn, needed)
    if not any(True for _ in turn.staged.scan(WAITING)):
        # Nobody waits for it any more: a bundle that lies about would only age.
        turn.staged.delete(key)
