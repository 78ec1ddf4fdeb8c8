"""What is interrupted half-way: opening, closing, timers, uploads. Nothing goes on behind the back of the next owner."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from pathlib import Path
from typing import Any

import pytest

from client.phones import ANA, BookClient, Town
from letterlock.client import Client
from letterlock.client.driver import Driver
from letterlock.client.profile import ProfilePaths
from letterlock.crypto.pyca import Pyca
from letterlock.engine.limits import DEFAULTS
from letterlock.engine.step import Step
from letterlock.errors import StoreError, StoreLocked, TransportError
from letterlock.store import ProfileLock, Store

pytestmark = pytest.mark.anyio


class Gate:
    """A checkpoint that stops the thread that passes it, and can be waited for."""

    def __init__(self, name: str) -> None:
        self.name, self.reached, self.go = name, threading.Event(), threading.Event()
        self.threads: list[threading.Thread] = []

    def __call__(self, name: str) -> None:
        if name == self.name:
            self.threads.append(threading.current_thread())
            self.reached.set()
            assert self.go.wait(10)

    async def wait(self) -> None:
        async with asyncio.timeout(10):
            while not self.reached.is_set():
                await asyncio.sleep(0.005)


async def test_sr06_opening_that_is_cancelled_keeps_the_lock_until_it_has_ended(tmp_path: Path) -> None:
    """SR-06: the thread goes on opening the store; whoever came between would have the profile with it."""
    town = Town(tmp_path)
    path = await town.create(ANA)
    gate = Gate("store.before-commit")
    opening = asyncio.ensure_future(town.open(path, checkpoint=gate).__aenter__())
    await gate.wait()
    opening.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    with pytest.raises(StoreLocked):
        ProfileLock.acquire(ProfilePaths.of(path).lock)
    gate.go.set()
    with pytest.raises(asyncio.CancelledError):
        await opening
    ProfileLock.acquire(ProfilePaths.of(path).lock).release()
    async with town.open(path) as ana:
        assert ana.owner


async def test_set_up_commits_beside_the_event_loop(tmp_path: Path) -> None:
    threads: set[threading.Thread] = set()

    def note(name: str) -> None:
        if name == "store.before-commit":
            threads.add(threading.current_thread())

    town = Town(tmp_path)
    await town.create(ANA, checkpoint=note)
    async with town.open(tmp_path / ANA) as ana:
        await Client.join(
            tmp_path / "laptop",
            await ana.device_offer(),
            directory="http://127.0.0.1:1",
            passphrase="tulip",
            environment=town.environment(checkpoint=note),
        )
    assert threads
    assert threading.main_thread() not in threads


async def test_set_up_that_fails_while_it_publishes_leaves_nothing_running(tmp_path: Path) -> None:
    town = Town(tmp_path)
    closed: list[str] = []

    class Closing(BookClient):
        async def close(self) -> None:
            closed.append("closed")

    full = [False]

    class Later(BookClient):
        async def claim(self, code: str, device_list: bytes) -> None:
            await super().claim(code, device_list)
            full[0] = True

    made: list[Any] = []

    def directory(environment: Any, settings: Any, identity: Any) -> Any:
        made.append(identity)
        return (Later if len(made) == 1 else Closing)(town.book, identity.signer(Pyca()))

    def fail(name: str) -> None:
        if name == "step.before" and full[0]:
            raise StoreError("the disk is full", code="store.full")

    with pytest.raises(StoreError):
        await town.create(ANA, directory=directory, checkpoint=fail)
    assert closed == ["closed"]
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("letterlock")]


async def test_a_timer_whose_commit_failed_runs_again(tmp_path: Path) -> None:
    """SR-06: else a disk that was full for a moment would end all retries until the next restart."""
    town = Town(tmp_path)
    limits = dataclasses.replace(DEFAULTS, retry_first_ms=100, retry_longest_ms=100)
    await town.create(ANA)
    failing = threading.Event()

    def full(name: str) -> None:
        if name == "store.before-commit" and failing.is_set():
            failing.clear()
            raise StoreError("the disk is full", code="store.full")

    async with town.open(tmp_path / ANA, engine_limits=limits, checkpoint=full) as ana:
        await ana.settled()
        effects = ana.profile._effects  # type: ignore[attr-defined]
        async with asyncio.timeout(10):
            while effects._alarm is None:
                await asyncio.sleep(0)
            failing.set()
            effects._wake_at = 0
            effects._on_alarm()
            while failing.is_set() or effects.busy:
                await asyncio.sleep(0.005)
        assert effects._alarm is not None


async def test_a_removed_device_is_published_soon_after_the_directory_is_back(tmp_path: Path) -> None:
    """SR-04, SR-22: a stolen device stays listed for as long as the new list is not published; not until tomorrow."""
    town = Town(tmp_path)
    await town.create(ANA)
    async with town.open(tmp_path / ANA) as ana:
        request = await Client.join(
            tmp_path / "laptop",
            await ana.device_offer(),
            directory="http://127.0.0.1:1",
            passphrase="tulip",
            environment=town.environment(),
        )
        await ana.add_device(request)
        town.book.down = True
        with pytest.raises(TransportError):
            await ana.remove_device(2)
        town.book.down = False
        async with asyncio.timeout(10):
            while len(town.book.all_lists[ana.number]) < 3:
                await asyncio.sleep(0.01)


async def test_nobody_waits_for_ever_for_a_driver_that_died(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db", bytes(32)) as store:

        def bug(name: str) -> None:
            if name == "step.done":
                raise RuntimeError("a bug of ours")

        driver = Driver(store, clock=lambda: 0, rng=bytes, perform=lambda effect: None, checkpoint=bug)
        driver.start()
        idle = asyncio.ensure_future(driver.idle())
        change = driver.next_change()
        with pytest.raises(StoreError):
            await driver.submit(lambda state, now, rng: Step(None, {}))
        async with asyncio.timeout(5):
            await idle
            await driver.idle()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.shield(change)
        with pytest.raises(RuntimeError):
            await driver.close()
