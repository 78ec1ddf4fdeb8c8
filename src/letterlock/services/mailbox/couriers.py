"""Sending on: one courier for each device, one copy at a time, oldest first.

A courier stops when nothing waits or the device does not take it, and comes back after a pause. The device's registration ends a pause for
absence at once; a pause that the device asked for, or that follows its trouble, is kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ...codec.sip import Request, Response, delta_seconds
from ...errors import DecodeError, InputError, StoreError
from ...ids import Instant, Number
from ..writer import Writer
from . import logic
from .limits import MailboxLimits
from .logic import Fate
from .requests import Copy, forward
from .tables import Tables, Waiting

__all__ = ["Couriers"]

_log = logging.getLogger("letterlock.mailbox")


@dataclass(slots=True, eq=False)
class _Courier:
    """`task` while it is on its way, `timer` while it pauses."""

    failures: int = 0
    fate: Fate = Fate.TAKEN
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    again: bool = False


class Couriers:
    """`send` brings a request to the proxy; None is no answer. `on_empty` is called when all was taken."""

    def __init__(
        self,
        writer: Writer[Tables],
        limits: MailboxLimits,
        domain: str,
        send: Callable[[Request], Awaitable[Response | None]],
        on_empty: Callable[[Number], None],
        clock: Callable[[], Instant],
    ) -> None:
        self._writer = writer
        self._limits = limits
        self._domain = domain
        self._send = send
        self._on_empty = on_empty
        self._clock = clock
        self._couriers: dict[tuple[Number, str], _Courier] = {}
        self._places = asyncio.Semaphore(limits.max_sending)

    def wake(self, number: Number, device: str, *, present: bool) -> None:
        """Something waits for this device. `present`: it is known to be there, so that a pause for absence is over."""
        courier = self._couriers.setdefault((number, device), _Courier())
        if courier.task is not None:
            courier.again = True
            return
        if courier.timer is not None:
            if not (present and courier.fate is Fate.AWAY):
                return
            courier.timer.cancel()
            courier.failures = 0
        self._go(number, device, courier)

    def wake_all(self, waiting: list[Waiting]) -> None:
        """The proxy is there again: whatever was tried before was tried in vain."""
        for each in waiting:
            courier = self._couriers.get((each.number, each.device))
            if courier is not None and courier.timer is not None and courier.fate is not Fate.LATER:
                courier.timer.cancel()
                courier.timer = None
            self.wake(each.number, each.device, present=True)

    def forget(self, number: Number, device: str) -> None:
        """The device is gone for good."""
        courier = self._couriers.get((number, device))
        if courier is not None and courier.task is None:
            if courier.timer is not None:
                courier.timer.cancel()
            del self._couriers[number, device]

    async def close(self) -> None:
        """Stop all; what is under way is kept, and tried again another time."""
        couriers, self._couriers = self._couriers, {}
        tasks = []
        for courier in couriers.values():
            if courier.timer is not None:
                courier.timer.cancel()
            if courier.task is not None:
                courier.task.cancel()
                tasks.append(courier.task)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _go(self, number: Number, device: str, courier: _Courier) -> None:
        courier.timer = None
        courier.again = False
        courier.task = asyncio.get_running_loop().create_task(self._bring(number, device, courier))

    async def _bring(self, number: Number, device: str, courier: _Courier) -> None:
        retry_after: int | None = None
        done: list[int] = []
        try:
            async with self._places:
                courier.fate = Fate.TAKEN
                while courier.fate is Fate.TAKEN and (copies := await self._advance(number, device, done)):
                    done = []
                    for copy in copies:
                        fate, retry_after = await self._try(copy)
                        if fate not in (Fate.TAKEN, Fate.REFUSED):
                            courier.fate = fate
                            break
                        done.append(copy.message)
                if courier.fate is not Fate.TAKEN and done:
                    await self._advance(number, device, done)
                courier.failures = 0 if courier.fate is Fate.TAKEN or done else courier.failures
                courier.failures += courier.fate is not Fate.TAKEN
        except StoreError as error:
            _log.error("a kept message could not be read: %s", error)
            courier.fate = Fate.LATER
            courier.failures += 1
        courier.task = None
        if (number, device) not in self._couriers:
            return
        if courier.fate is Fate.TAKEN:
            if courier.again:
                self._go(number, device, courier)
            else:
                del self._couriers[number, device]
                self._on_empty(number)
            return
        wait = logic.pause(self._limits, courier.fate, courier.failures, retry_after)
        if courier.again and courier.fate is Fate.AWAY:
            wait = self._limits.retry_first_ms  # it registered while we found it away
        loop = asyncio.get_running_loop()
        courier.timer = loop.call_later(wait / 1000, self._go, number, device, courier)

    async def _advance(self, number: Number, device: str, done: list[int]) -> list[Copy]:
        now = self._clock()
        return await self._writer.run(lambda tables: logic.advance(tables, self._limits, number, device, done, now))

    async def _try(self, copy: Copy) -> tuple[Fate, int | None]:
        try:
            response = await self._send(forward(copy, self._domain))
        except (DecodeError, InputError) as error:
            # It came in and cannot go out: too long with our Via. Nothing would change that.
            _log.warning("a kept message cannot be sent on (%s)", error.code)
            return Fate.REFUSED, None
        if response is None:
            return Fate.LATER, None
        fate = logic.fate_of(response.status)
        if fate is Fate.REFUSED:
            _log.info("a device refused a kept message: %d", response.status)
        return fate, _retry_after(response)


def _retry_after(response: Response) -> int | None:
    text = response.headers.get("Retry-After")
    try:
        return None if text is None else delta_seconds(text) * 1000
    except DecodeError:
        return None
