"""The hands of the driver by themselves: no timer that the engine has asked for is forgotten."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from letterlock.client.checkpoints import no_checkpoint
from letterlock.client.driver import Driver
from letterlock.client.effects import Effects
from letterlock.engine.effects import WakeAt
from letterlock.engine.engine import Engine
from letterlock.ids import Instant

pytestmark = pytest.mark.anyio
DUE, LATER = 1_000, 10_000


class SlowDriver:
    """Its one step stays in the writing until it is let go."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self.written = asyncio.Semaphore(0)

    async def submit(self, step: Any, *, heavy: bool = False) -> None:
        self.begun.release()
        await self.written.acquire()


class TimedEngine:
    on_timer = clock_set_back = staticmethod(lambda state, now, rng: None)


def effects() -> tuple[Effects, SlowDriver]:
    driver = SlowDriver()

    def clock() -> Instant:
        return Instant(DUE)

    hands = Effects(cast(Engine, TimedEngine()), clock, no_checkpoint)
    hands.connect(cast(Driver, driver), None, None)
    return hands, driver


@pytest.mark.parametrize("committed", [False, True], ids=["being-written", "just-committed"])
async def test_what_is_due_again_while_its_timer_runs_is_looked_at_again(committed: bool) -> None:
    """The second alarm takes the place of the later one that the first step had set: nothing else would wake us, and a
    message that was refused once stayed where it was until something else happened."""
    hands, driver = effects()
    async with asyncio.timeout(20):
        hands.perform(WakeAt(DUE))
        await driver.begun.acquire()
        hands.perform(WakeAt(LATER))  # as its commit does, a moment before its task has ended
        if committed:
            driver.written.release()
        hands.perform(WakeAt(DUE))  # of a step that still saw what the timer has just done
        for _ in range(5):
            await asyncio.sleep(0)
        driver.written.release()
        await driver.begun.acquire()
        driver.written.release()
        await hands.close()


async def test_one_timer_at_a_time_however_often_it_is_asked_for() -> None:
    hands, driver = effects()
    async with asyncio.timeout(20):
        hands.perform(WakeAt(DUE))
        await driver.begun.acquire()
        for _ in range(50):
            hands.perform(WakeAt(DUE))
            await asyncio.sleep(0)
        assert driver.begun.locked()  # none of them runs beside it
        driver.written.release()
        await driver.begun.acquire()
        driver.written.release()
        while hands.busy:
            await asyncio.sleep(0)
        assert driver.begun.locked()  # and one was enough for all of them
        await hands.close()
