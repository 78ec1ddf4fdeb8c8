"""When a device is woken: something waits for it, and it has no link, or has one and takes nothing.

A push says nothing but that. However much arrives, the push service is asked once in a while at most; it coalesces too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ...errors import LetterlockError
from ...ids import Number
from .house import House

__all__ = ["Waking"]

_log = logging.getLogger("letterlock.gateway")


class Waking:
    """Of one device. `overdue()` says in how many seconds it is to be woken, if it takes nothing until then: 0 for now, None
    when nothing waits for it."""

    def __init__(self, house: House, number: Number, instance: str, overdue: Callable[[], float | None]) -> None:
        self._house, self._number, self._instance = house, number, instance
        self._overdue = overdue
        self._timer: asyncio.TimerHandle | None = None
        self._woken_at = float("-inf")
        self._tasks: set[asyncio.Task[None]] = set()

    def look(self) -> None:
        """Something is in the inbox, or the link has ended."""
        if self._house.pushes is None or self._timer is not None:
            return
        overdue = self._overdue()
        if overdue is None:
            return
        loop = asyncio.get_running_loop()
        pause = max(overdue, self._woken_at + self._house.limits.wake_every_ms / 1000 - loop.time())
        if pause <= 0:
            self._wake()
        else:
            self._timer = loop.call_later(pause, self._again)

    def look_later(self) -> None:
        """The gateway has begun: what was to be asked of the push service before may not have been; but most devices come
        by themselves now."""
        if self._house.pushes is not None and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._house.limits.wake_after_ms / 1000, self._again)

    def present(self) -> None:
        """It has linked by itself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._house.pushes is not None:
            self._spawn(present=True)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _again(self) -> None:
        self._timer = None
        self.look()

    def _wake(self) -> None:
        self._woken_at = asyncio.get_running_loop().time()
        self._spawn(present=False)

    def _spawn(self, *, present: bool) -> None:
        task = asyncio.get_running_loop().create_task(self._ask(present))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, present: bool) -> None:
        pushes = self._house.pushes
        assert pushes is not None
        try:
            if present:
                await pushes.present(self._number, self._instance)
            else:
                await pushes.wake(self._number, self._instance)
        except LetterlockError as error:
            # Nothing is lost: the message waits in the inbox, and the next one asks again.
            _log.warning("a device could not be woken: %s", error.code)
