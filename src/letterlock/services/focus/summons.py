"""Members that have to be called: when, how many at once, and when again.

A member is called when something waits for one of its devices that has no session, and again, ever more rarely, until it
comes; a sign of life makes it sooner.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ...ids import Number
from ..sip_link import loop_now
from .room import Room

__all__ = ["Summons"]

_AT_ONCE = 8
"""Calls that are begun in one turn of the loop."""

_Key = tuple[Room, Number]


@dataclass(slots=True)
class _Owed:
    """Not before `at`, and after a failure `delay` later."""

    at: int
    delay: int
    under_way: bool = False


class Summons:
    """`call` begins a call, whose end is told by `settled`; `retry_ms` are the first delay and the longest."""

    def __init__(self, call: Callable[[Room, Number], None], retry_ms: tuple[int, int], max_calling: int) -> None:
        self._call = call
        self._retry_ms = retry_ms
        self._max_calling = max_calling
        self._owed: dict[_Key, _Owed] = {}
        self._ready: deque[_Key] = deque()
        self._calling = 0

    def wake(self, room: Room, number: Number) -> None:
        """Something waits for a member that nobody is bringing it: call, now or when the time has come."""
        key = (room, number)
        owed = self._owed.get(key)
        if owed is None:
            owed = self._owed[key] = _Owed(loop_now(), self._retry_ms[0])
        if not owed.under_way and owed.at <= loop_now():
            owed.under_way = True
            self._ready.append(key)
            self._next()

    def seen(self, room: Room, number: Number) -> None:
        """A sign of life of a member: whatever waits for it is worth another try."""
        if (room, number) in self._owed:
            self._soon(self._owed[room, number])
        if _needed(room, number):
            self.wake(room, number)

    def connected(self) -> None:
        """There is a way to the proxy again."""
        for owed in self._owed.values():
            self._soon(owed)

    def sweep(self) -> None:
        """Call whose time has come."""
        now = loop_now()
        for key, owed in list(self._owed.items()):
            if owed.under_way or owed.at > now:
                continue
            if _needed(*key):
                self.wake(*key)
            else:
                del self._owed[key]

    def settled(self, room: Room, number: Number) -> bool:
        """A call has come to its end, one way or the other: the next not before its time. False if none was owed."""
        owed = self._owed.get((room, number))
        if owed is None:
            return False
        self._calling -= 1
        owed.under_way = False
        owed.at = loop_now() + owed.delay
        owed.delay = min(2 * owed.delay, self._retry_ms[1])
        asyncio.get_running_loop().call_soon(self._next)
        return True

    def hung_up(self, room: Room, number: Number) -> None:
        """A session is over. Not at once: whoever hung up with something waiting has had it offered just now."""
        if _needed(room, number):
            owed = self._owed.setdefault((room, number), _Owed(0, self._retry_ms[0]))
            owed.at = max(owed.at, loop_now() + self._retry_ms[0])

    def forget(self, room: Room, number: Number) -> None:
        """It is no member any more."""
        self._owed.pop((room, number), None)

    def _soon(self, owed: _Owed) -> None:
        owed.at, owed.delay = loop_now(), self._retry_ms[0]

    def _next(self) -> None:
        """Call whom there is room for, some in each turn of the loop."""
        for _ in range(_AT_ONCE):
            if not self._ready or self._calling >= self._max_calling:
                return
            room, number = self._ready.popleft()
            if _needed(room, number):
                self._calling += 1
                self._call(room, number)
            else:
                self._owed.pop((room, number), None)
        if self._ready:
            asyncio.get_running_loop().call_soon(self._next)


def _needed(room: Room, number: Number) -> bool:
    member = room.conference.members.get(number)
    return member is not None and (not member.joined or room.waits(number))
