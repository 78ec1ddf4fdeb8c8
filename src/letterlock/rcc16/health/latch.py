"""The latch: a conversation that was encrypted once stays so (rcc16.md 9).

It is the whole defence against a stripped capability (SR-01, SR-02): once it is set, nothing that a carrier says or
leaves out sends a letter in the clear. It is cleared by a downgrade alone, which is shown.
"""

from __future__ import annotations

from typing import Final

from .states import State

__all__ = ["latched_after"]

_CLEARS_LATCH: Final = frozenset(map(State, (8, 9, 10, 15)))


def latched_after(latched: bool, state: State, encrypted: bool) -> bool:
    """The latch after a step: set by the first encryption, cleared by a downgrade (states 8, 9, 10, 15) alone."""
    if state in _CLEARS_LATCH:
        return False
    return latched or encrypted
