"""When the list of trust anchors is looked at (rcc16.md 1.7, SR-22): each day, at once for a newer one, later after a failure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from letterlock.client.encryption_watch import LOOKED, EncryptionWatch
from letterlock.engine.step import Step
from letterlock.rcc16.credentials.anchors import TrustAnchors
from rcc16.certificates import DAY, NOW, Lab
from rcc16.world import ANA, MemoryState, World

pytestmark = pytest.mark.anyio


class Bench:
    """A watch without its clockwork. `taken` are the lists that the protocol was given."""

    def __init__(self) -> None:
        self.state: MemoryState = World().phone(ANA).state
        self.now, self.named_generation = NOW, 1
        self.found: TrustAnchors | None = TrustAnchors(1, Lab().anchors.certificates)
        self.taken: list[tuple[bytes, ...]] = []
        engine: Any = self
        self.watch = EncryptionWatch(self, engine, self.state, lambda: self.now, self.submit, lambda: None)

    async def look_for_anchors(self) -> TrustAnchors | None:
        return self.found

    def on_anchors(self, state: Any, protocol: str, entries: tuple[bytes, ...], now: int, rng: Any) -> Step[None]:
        assert protocol == "rcc16"
        self.taken.append(entries)
        return Step(None, {})

    async def submit(self, step: Any) -> None:
        self.state.apply(step(self.state, self.now, bytes).writes)


@pytest.fixture
def bench() -> Iterator[Bench]:
    yield Bench()


async def test_once_a_day(bench: Bench) -> None:
    assert bench.watch.due(bench.now)
    await bench.watch.look()
    assert bench.state.get(LOOKED) == bench.now and not bench.taken  # there is no other list than before
    bench.now += DAY - 1
    assert not bench.watch.due(bench.now)
    bench.now += 1
    assert bench.watch.due(bench.now)
    bench.found = TrustAnchors(2, Lab().anchors.certificates, frozenset({7}))
    await bench.watch.look()
    assert bench.taken == [bench.found.entries()]


async def test_at_once_when_the_operator_names_a_newer_one(bench: Bench) -> None:
    await bench.watch.look()
    bench.named_generation = 2
    assert bench.watch.due(bench.now)


async def test_what_fails_changes_nothing_and_is_tried_again_later_and_later(bench: Bench) -> None:
    bench.found = None
    waits = []
    for _ in range(9):
        await bench.watch.look()
        began = bench.now
        while not bench.watch.due(bench.now):
            bench.now += 30_000
        waits.append((bench.now - began) // 60_000)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert not bench.taken and bench.state.get(LOOKED) is None


async def test_a_clock_that_was_set_back_puts_nothing_off(bench: Bench) -> None:
    await bench.watch.look()
    bench.now -= 300 * DAY
    assert bench.watch.due(bench.now)
    bench.found = None
    await bench.watch.look()
    bench.now -= DAY
    assert bench.watch.due(bench.now)
