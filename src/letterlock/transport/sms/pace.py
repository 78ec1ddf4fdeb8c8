"""How fast we may submit: an SMSC that says "throttled" or "queue full" is given more and more time."""

from __future__ import annotations

import asyncio

__all__ = ["Pace"]


class Pace:
    """One for all submissions to an SMSC. Times in seconds, of the event loop."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first = first_s
        self._longest = longest_s
        self._pause = 0.0
        self._until = 0.0

    def well(self) -> None:
        """The SMSC took something."""
        self._pause /= 2
        if self._pause < self._first:
            self._pause = 0.0

    def slow_down(self) -> None:
        """It asks for time. Answers to what was already on its way are one and the same wish."""
        now = asyncio.get_running_loop().time()
        if now >= self._until:
            self._pause = min(self._longest, max(self._first, 2 * self._pause))
            self._until = now + self._pause

    @property
    def left_s(self) -> float:
        """How long there is still to wait."""
        return max(0.0, self._until - asyncio.get_running_loop().time())

    async def turn(self) -> None:
        """Wait until something may be submitted."""
        while (left := self.left_s) > 0:  # noqa: ASYNC110 - it may have become longer meanwhile
            await asyncio.sleep(left)
