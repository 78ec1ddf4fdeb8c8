"""What a tap makes of requests and responses: passed on, changed, doubled, answered, or kept back for a while."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TypeAlias

from ..codec.sip import Request, Response
from ..ids import Instant, Number
from .answers import Upstream
from .effects import Effect, Send
from .tap import Interference, Seen, Tap

__all__ = ["Passing", "Tapping"]

Passing: TypeAlias = Callable[[Upstream | None, Request, Instant], list[Effect]]
"""Forwards a request; its sender, if there is one, gets the answer."""

_Job: TypeAlias = Callable[[Instant], list[Effect]]


class Tapping:
    """`answer` makes the answer with a status to a request. Without a tap everything passes untouched."""

    def __init__(self, tap: Tap | None, answer: Callable[[Request, int], Response]) -> None:
        self._tap = tap
        self._answer = answer
        self._jobs: list[tuple[Instant, int, _Job]] = []
        self._sequence = 0

    def request(
        self,
        upstream: Upstream,
        request: Request,
        sender: Number | None,
        recipient: Number | None,
        forward: Passing,
        now: Instant,
    ) -> list[Effect]:
        """Forward a request, or what a tap makes of it."""
        seen = None if self._tap is None else self._tap(Seen(request, sender, recipient))
        if seen is None:
            return forward(upstream, request, now)
        return self._interfered(upstream, seen, forward, now)

    def _interfered(self, upstream: Upstream, seen: Interference, forward: Passing, now: Instant) -> list[Effect]:
        effects: list[Effect] = []
        waiting: Upstream | None = upstream
        if seen.answer is not None:
            effects.append(Send(upstream[0], self._answer(upstream[1], seen.answer)))
            waiting = None
        for message, delay in seen.deliver:
            if not isinstance(message, Request):
                continue
            job = _job(forward, waiting, message)
            waiting = None  # the sender hears of the first copy only
            if delay:
                self.later(now + delay, job)
            else:
                effects += job(now)
        return effects

    def response(self, response: Response, device: Number | None) -> list[tuple[Response, int]]:
        """What goes back in place of a response, each after so many milliseconds."""
        seen = None if self._tap is None else self._tap(Seen(response, device, None))
        if seen is None:
            return [(response, 0)]
        return [(message, delay) for message, delay in seen.deliver if isinstance(message, Response)]

    # --- what is kept back -----------------------------------------------------------------------------
    def later(self, when: Instant, job: _Job) -> None:
        """Do it then."""
        self._sequence += 1
        heapq.heappush(self._jobs, (when, self._sequence, job))

    def on_deadline(self, now: Instant) -> list[Effect]:
        """Do what is due."""
        effects: list[Effect] = []
        while self._jobs and self._jobs[0][0] <= now:
            effects += heapq.heappop(self._jobs)[2](now)
        return effects

    def next_deadline(self) -> Instant | None:
        return self._jobs[0][0] if self._jobs else None


def _job(forward: Passing, upstream: Upstream | None, request: Request) -> _Job:
    return lambda now: forward(upstream, request, now)
