"""The actor by itself, with toy steps: rounds, failures, order of commit and effects (SR-06)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from letterlock.client.driver import Driver
from letterlock.engine.effects import Effect, WakeAt
from letterlock.engine.step import Step
from letterlock.errors import InputError, StoreError
from letterlock.ids import Instant, Rng
from letterlock.seam import RecordKind, State, Writes
from letterlock.store import Prepared, Store

pytestmark = pytest.mark.anyio

COUNT = RecordKind[int]("count", lambda n: n.to_bytes(8, "big"), lambda data: int.from_bytes(data, "big"))
TOTAL = COUNT.key("total")


def add(n: int, name: str = "") -> Callable[[State, Instant, Rng], Step[int]]:
    """A step that must see every step before it, like a ratchet."""

    def step(state: State, now: Instant, rng: Rng) -> Step[int]:
        total = (state.get(TOTAL) or 0) + n
        writes: Writes = {TOTAL: total}
        if name:
            writes[COUNT.key("by", name)] = total
        return Step(total, writes, (WakeAt(total),))

    return step


class Watched(Store):
    """A store whose writes can be held up or fail."""

    hold: threading.Event | None = None
    fail: list[StoreError]
    writes_begun = 0

    def write(self, prepared: Prepared, *, previous: int | None = None) -> None:
        self.writes_begun += 1
        if self.hold is not None:
            assert self.hold.wait(10)
        if getattr(self, "fail", None):
            raise self.fail.pop(0)
        super().write(prepared, previous=previous)


@asynccontextmanager
async def driven(tmp_path: Path, performed: list[Effect] | None = None) -> AsyncIterator[tuple[Driver, Watched]]:
    store = Watched.open(tmp_path / "store.db", bytes(32))
    assert isinstance(store, Watched)
    driver = Driver(
        store,
        clock=lambda: 1000,
        rng=bytes,
        perform=performed.append if performed is not None else lambda effect: None,
    )
    driver.start()
    try:
        yield driver, store
    finally:
        await driver.close()
        store.close()


async def test_a_value_comes_back_when_it_is_on_disk(tmp_path: Path) -> None:
    async with driven(tmp_path) as (driver, store):
        assert await driver.submit(add(3)) == 3
        assert store.get(TOTAL) == 3
    with Store.open(tmp_path / "store.db", bytes(32)) as again:
        assert again.get(TOTAL) == 3


async def test_steps_submitted_together_share_a_commit_and_see_each_other(tmp_path: Path) -> None:
    async with driven(tmp_path) as (driver, store):
        before = store.writes_begun
        values = await asyncio.gather(*(driver.submit(add(1, f"{n:02d}")) for n in range(32)))
        assert sorted(values) == list(range(1, 33))
        assert store.writes_begun - before <= 3


async def test_a_step_that_raises_concerns_its_caller_alone(tmp_path: Path) -> None:
    def refuse(state: State, now: Instant, rng: Rng) -> Step[int]:
        raise InputError("no")

    async with driven(tmp_path) as (driver, store):
        results = await asyncio.gather(
            driver.submit(add(1)), driver.submit(refuse), driver.submit(add(1)), return_exceptions=True
        )
        assert [type(result) for result in results] == [int, InputError, int]
        assert store.get(TOTAL) == 2


async def test_nothing_is_told_or_performed_before_the_commit(tmp_path: Path) -> None:
    """SR-06: commit, then speak."""
    performed: list[Effect] = []
    async with driven(tmp_path, performed) as (driver, store):
        store.hold = threading.Event()
        sending = asyncio.ensure_future(driver.submit(add(5)))
        while store.writes_begun < 2:  # the first was the opening
            await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
        assert not sending.done()
        assert performed == []
        assert store.get(TOTAL) is None
        store.hold.set()
        assert await sending == 5
        assert performed == [WakeAt(5)]


async def test_the_next_round_is_staged_while_one_is_written(tmp_path: Path) -> None:
    async with driven(tmp_path) as (driver, store):
        store.hold = threading.Event()
        first = asyncio.ensure_future(driver.submit(add(1)))
        while store.writes_begun < 2:
            await asyncio.sleep(0)
        seen: list[int] = []

        def look(state: State, now: Instant, rng: Rng) -> Step[None]:
            seen.append(state.get(TOTAL) or 0)
            return Step(None, {})

        second = asyncio.ensure_future(driver.submit(look))
        while not seen:
            await asyncio.sleep(0)
        assert seen == [1]
        assert not second.done()
        store.hold.set()
        await asyncio.gather(first, second)


async def test_a_failed_commit_fails_its_callers_and_stages_the_round_above_again(tmp_path: Path) -> None:
    """SR-06: what was computed on top of a commit that did not happen is thrown away, never kept."""
    performed: list[Effect] = []
    async with driven(tmp_path, performed) as (driver, store):
        await driver.submit(add(10))
        performed.clear()
        store.hold, store.fail = threading.Event(), [StoreError("the disk is full", code="store.full")]
        begun = store.writes_begun
        lost = asyncio.ensure_future(driver.submit(add(100)))
        while store.writes_begun == begun:
            await asyncio.sleep(0)
        above = [asyncio.ensure_future(driver.submit(add(1))) for _ in range(3)]
        for _ in range(20):
            await asyncio.sleep(0)
        store.hold.set()
        with pytest.raises(StoreError):
            await lost
        assert await asyncio.gather(*above) == [11, 12, 13]
        assert performed == [WakeAt(11), WakeAt(12), WakeAt(13)]


async def test_a_cancelled_caller_takes_back_nothing_that_has_begun(tmp_path: Path) -> None:
    async with driven(tmp_path) as (driver, store):
        store.hold = threading.Event()
        sending = asyncio.ensure_future(driver.submit(add(1)))
        while store.writes_begun < 2:
            await asyncio.sleep(0)
        sending.cancel()
        store.hold.set()
        assert await driver.submit(add(1)) == 2


async def test_closing_finishes_what_was_submitted_and_refuses_the_rest(tmp_path: Path) -> None:
    async with driven(tmp_path) as (driver, _):
        submitted = [asyncio.ensure_future(driver.submit(add(1))) for _ in range(100)]
        await asyncio.sleep(0)
        await driver.close()
        assert [await value for value in submitted] == list(range(1, 101))
        with pytest.raises(StoreError):
            await driver.submit(add(1))


async def test_a_value_that_cannot_be_encoded_fails_alone(tmp_path: Path) -> None:
    def wrong(state: State, now: Instant, rng: Rng) -> Step[int]:
        return Step(0, {COUNT.key("wrong"): -1, TOTAL: 1000})

    async with driven(tmp_path) as (driver, store):
        results = await asyncio.gather(
            *(driver.submit(step) for step in (add(1), wrong, add(1), add(7))), return_exceptions=True
        )
        assert [type(result) for result in results] == [int, OverflowError, int, int]
        assert store.get(TOTAL) == 9


async def test_heavy_steps_leave_the_loop_free(tmp_path: Path) -> None:
    free = threading.Event()

    def slow(state: State, now: Instant, rng: Rng) -> Step[str]:
        assert free.wait(10), "the loop had turns while keys were made"
        return Step(threading.current_thread().name, {})

    async with driven(tmp_path) as (driver, _):
        working = asyncio.ensure_future(driver.submit(slow, heavy=True))
        for _turn in range(100):
            await asyncio.sleep(0)
        assert not working.done()
        free.set()
        assert (await working).startswith("letterlock-store")


async def test_many_steps_leave_the_loop_free(tmp_path: Path) -> None:
    def busy(state: State, now: Instant, rng: Rng) -> Step[None]:
        until = time.perf_counter() + 0.001
        while time.perf_counter() < until:
            pass
        return Step(None, {})

    async with driven(tmp_path) as (driver, _):
        turns = 0
        working = asyncio.gather(*(driver.submit(busy) for _ in range(200)))
        while not working.done():
            await asyncio.sleep(0)
            turns += 1
        # 200 ms of work in slices of 2 ms.
        assert turns > 50
