"""Turns, so many a second, for what all accounts would otherwise do at once."""

from __future__ import annotations

import asyncio

__all__ = ["Pace"]


class Pace:
    """Whoever asks after a pause has a turn at once; the others stand in line."""

    def __init__(self, per_s: int) -> None:
        self._between_s = 1 / per_s
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for it."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._next)
        self._next = at + self._between_s
        if at > now:
            await asyncio.sleep(at - now)
