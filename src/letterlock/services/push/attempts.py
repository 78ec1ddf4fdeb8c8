"""Making the attempts that are due: committed first, then made, then how it ended written down (SR-06).

One loop takes what is due and there is room for; every attempt is a task of its own with an end. Logs name neither device
nor address (SR-17).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence

from ...errors import LetterlockError
from ...ids import Instant
from ..writer import Writer
from . import steps
from .limits import PushLimits
from .outcome import Later, Outcome, Reason, Refused, Unknown
from .provider import Provider
from .steps import Job, Jobs
from .tables import Tables

__all__ = ["Attempts"]

_log = logging.getLogger("letterlock.push")

_STORE_RETRY_S = 1.0


class Attempts:
    """The attempts of one process."""

    def __init__(
        self, writer: Writer[Tables], providers: Sequence[Provider], limits: PushLimits, now: Callable[[], Instant]
    ) -> None:
        self._writer, self._limits, self._now = writer, limits, now
        self._providers = {provider.pool: provider for provider in providers}
        self._room = {"apns": limits.max_apns, "fcm": limits.max_fcm, "web": limits.max_web}
        self._under_way: dict[asyncio.Task[None], Job] = {}
        self._look = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._loop = asyncio.create_task(self._run())

    def look(self) -> None:
        """Something may be due."""
        self._look.set()

    async def close(self) -> None:
        """Take nothing more; what does not end soon counts as without an answer, once its time is over."""
        if self._loop is not None:
            self._loop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loop
            self._loop = None
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=self._limits.drain_ms / 1000)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._look.clear()
            started = loop.time()
            try:
                taken = await self._writer.run(self._take())
            except Exception as error:  # a bug of ours too: nobody would be woken any more, and nothing would say so
                what = str(error) if isinstance(error, LetterlockError) else type(error).__name__
                _log.error("what is due could not be read: %s", what)
                await asyncio.sleep(_STORE_RETRY_S)
                continue
            for job in taken.jobs:
                task = asyncio.create_task(self._attempt(job, started + self._limits.attempt_ms / 1000))
                self._under_way[task] = job
                task.add_done_callback(self._ended)
            if taken.more:
                continue
            wait_ms = self._limits.poll_ms
            if taken.next_due is not None:
                wait_ms = min(wait_ms, max(0, taken.next_due - self._now()) + 1)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_ms / 1000):
                    await self._look.wait()

    def _take(self) -> Callable[[Tables], Jobs]:
        under_way = tuple(self._under_way.values())
        pools = Counter(job.pool for job in under_way)
        room = {pool: most - pools[pool] for pool, most in self._room.items()}
        busy = Counter(job.place for job in under_way if job.place)
        return lambda tables: steps.take(tables, self._limits, room, busy, self._now())

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._look.set()

    async def _attempt(self, job: Job, until: float) -> None:
        outcome = await self._made(job, until)
        try:
            await self._writer.run(lambda tables: steps.finish(tables, self._limits, job, outcome, self._now()))
        except LetterlockError as error:
            _log.error("how an attempt ended could not be written down: %s", error)

    async def _made(self, job: Job, until: float) -> Outcome:
        provider = self._providers.get(job.pool)
        if provider is None:
            return Refused(Reason.NOT_SET_UP)
        if asyncio.get_running_loop().time() >= until:
            return Later(Reason.CONNECTION)  # the commit took so long that another process may hold it for lost
        try:
            async with asyncio.timeout_at(until):
                return await provider.send(job.subscription, job.collapse)
        except TimeoutError:
            return Unknown(Reason.NO_ANSWER)
        except Exception as error:  # ours: the wake-up goes on. Its text is not logged: it may hold an address (SR-10)
            _log.error("bug in %s: %s", job.pool, type(error).__name__)
            return Unknown(Reason.NO_ANSWER)
