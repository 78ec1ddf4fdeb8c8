"""Deadlines by name: set, moved, cancelled and found in logarithmic time, in memory bounded by how many are set."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

from ..ids import Instant

__all__ = ["Timers"]

K = TypeVar("K", bound=Hashable)
_SLACK = 64


class Timers(Generic[K]):
    """At most one deadline for each key."""

    def __init__(self) -> None:
        self._at: dict[K, tuple[Instant, int]] = {}
        # An entry whose (instant, serial) is no longer the one in `_at` is stale and is skipped.
        self._heap: list[tuple[Instant, int, K]] = []
        self._serial = 0

    def set(self, key: K, at: Instant) -> None:
        """Fire at `at`, in the place of any deadline that this key had."""
        self._serial += 1
        self._at[key] = (at, self._serial)
        heapq.heappush(self._heap, (at, self._serial, key))
        if len(self._heap) > 2 * len(self._at) + _SLACK:
            self._heap = [(instant, serial, name) for name, (instant, serial) in self._at.items()]
            heapq.heapify(self._heap)

    def cancel(self, key: K) -> None:
        self._at.pop(key, None)

    def due(self, now: Instant) -> list[K]:
        """The keys whose time has come, earliest first; their deadlines are gone."""
        fired: list[K] = []
        while self._heap and self._heap[0][0] <= now:
            at, serial, key = heapq.heappop(self._heap)
            if self._at.get(key) == (at, serial):
                del self._at[key]
                fired.append(key)
        return fired

    def next(self) -> Instant | None:
        """The earliest deadline."""
        while self._heap:
            at, serial, key = self._heap[0]
            if self._at.get(key) == (at, serial):
                return at
            heapq.heappop(self._heap)
        return None

    def __contains__(self, key: object) -> bool:
        return key in self._at
