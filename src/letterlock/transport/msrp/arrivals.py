"""Messages on their way in: each is written to its sink piece by piece, and confirmed only when the sink has kept it.

A sink that is busy makes the connection wait: what comes meanwhile is counted, so that whoever reads the socket can pause.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ...errors import LetterlockError
from ...msrp import Connection, MessageBroken, MessagePiece, MessageReceived
from .bodies import MsrpRefusal, Sink

__all__ = ["Arrivals"]


@dataclass(slots=True, eq=False)
class _Arrival:
    number: int
    sink: Sink
    waiting: deque[memoryview | bytes] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None
    complete: bool = False


class Arrivals:
    """Of one connection. `after` is called when a busy sink is done with everything, `relieved` after each piece."""

    def __init__(self, core: Connection, after: Callable[[], None], relieved: Callable[[], None]) -> None:
        self._core = core
        self._after = after
        self._relieved = relieved
        self._loop = asyncio.get_running_loop()
        self._arrivals: dict[int, _Arrival] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.waiting_bytes = 0
        """What busy sinks have yet to take."""

    def begin(self, message: int, sink: Sink) -> None:
        """A message that the handler wants."""
        self._arrivals[message] = _Arrival(message, sink)

    def on_piece(self, event: MessagePiece) -> None:
        """A piece of one; of a message that nobody wants, nothing."""
        arrival = self._arrivals.get(event.message)
        if arrival is None:
            return
        if arrival.task is not None:
            arrival.waiting.append(event.data)
            self.waiting_bytes += len(event.data)
            return
        try:
            busy = arrival.sink.write(event.data)
        except MsrpRefusal as refusal:
            self._core.refuse(arrival.number, refusal.status, refusal.reason)
            return
        if busy is not None:
            self._start(arrival, busy)

    def on_received(self, event: MessageReceived) -> None:
        """All of it is here. Its success report waits for the sink (SR-06)."""
        arrival = self._arrivals.get(event.message)
        if arrival is None:
            self._core.reject(event.message, 413, "not wanted")
            return
        arrival.complete = True
        if arrival.task is None:
            self._start(arrival, None)

    def on_broken(self, event: MessageBroken) -> None:
        """It will never be complete."""
        arrival = self._arrivals.pop(event.message, None)
        if arrival is not None:
            self._drop_waiting(arrival)
            arrival.sink.broken(event.reason)

    async def finished(self) -> None:
        """Wait for the sinks that are at work."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, arrival: _Arrival, busy: Awaitable[None] | None) -> None:
        task = arrival.task = self._loop.create_task(self._take(arrival, busy))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take(self, arrival: _Arrival, busy: Awaitable[None] | None) -> None:
        """What a busy sink is given piece by piece, and its end."""
        try:
            if busy is not None:
                await busy
            while arrival.waiting:
                piece = arrival.waiting.popleft()
                self.waiting_bytes -= len(piece)
                busy = arrival.sink.write(piece)
                if busy is not None:
                    await busy
                self._relieved()
            if arrival.complete:
                await arrival.sink.finish()
                self._arrivals.pop(arrival.number, None)
                self._core.confirm(arrival.number)
        except MsrpRefusal as refusal:
            self._give_up(arrival, refusal.status, refusal.reason)
        except LetterlockError as error:
            # Nothing of ours may be lost silently: the sender hears that it was not kept (SR-06).
            self._give_up(arrival, 413, f"it could not be kept ({error.code})")
        finally:
            arrival.task = None
            self._after()

    def _give_up(self, arrival: _Arrival, status: int, reason: str) -> None:
        self._drop_waiting(arrival)
        self._arrivals.pop(arrival.number, None)
        if arrival.complete:
            self._core.reject(arrival.number, status, reason)
        else:
            self._core.refuse(arrival.number, status, reason)

    def _drop_waiting(self, arrival: _Arrival) -> None:
        self.waiting_bytes -= sum(map(len, arrival.waiting))
        arrival.waiting.clear()
