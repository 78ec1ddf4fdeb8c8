"""Notices that the wall clock was set back, by a clock that never jumps.

What the engine puts off it puts off to a time of the wall clock, because that survives a restart. Set back by a day, it
would do nothing for a day. A clock that is set forward needs nobody: what is put off is due at once, each thing once.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ..ids import Instant

__all__ = ["ClockWatch"]

_SLACK_MS = 5_000  # not worth a step: nothing waits much longer for it


class ClockWatch:
    """`steady` gives seconds and never jumps."""

    def __init__(self, clock: Callable[[], Instant], steady: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steady = steady
        self._last = clock(), steady()

    def was_set_back(self) -> bool:
        """Whether that happened since this was asked last."""
        wall, steady = self._last
        self._last = self._clock(), self._steady()
        return wall + (self._last[1] - steady) * 1000 - self._last[0] > _SLACK_MS
