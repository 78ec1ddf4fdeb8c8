"""Simulated time: what is to happen, in order. Nothing here waits for anything."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from letterlock.ids import Instant

__all__ = ["Agenda"]

Act = Callable[[], object]


class Agenda:
    """`now` moves only by `run`. What is due at the same instant happens in the order it was asked for."""

    def __init__(self, now: Instant) -> None:
        self.now = now
        self.happened = 0
        self._due: list[tuple[Instant, int, Act]] = []
        self._count = 0

    def at(self, when: Instant, act: Act) -> None:
        self._count += 1
        heapq.heappush(self._due, (max(when, self.now), self._count, act))

    def after(self, ms: int, act: Act) -> None:
        self.at(self.now + ms, act)

    def run(self, until: Instant, most: int) -> bool:
        """Everything that is due up to `until`, at most `most` acts; False when those did not suffice."""
        for _ in range(most):
            if not self._due or self._due[0][0] > until:
                self.now = max(self.now, until)
                return True
            self.now, _, act = heapq.heappop(self._due)
            self.happened += 1
            act()
        return False
