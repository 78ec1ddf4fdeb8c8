"""What every engine call returns, and the working area of one call.

A step is a value: what the call answers, what to store, what to do afterwards, what to tell. The
caller commits `writes` in one transaction and performs `effects` only after it (SR-06). A call that
raises leaves nothing behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from ..ids import GroupName, Instant, MessageId, Rng
from ..seam import Staged, State, Writes
from .derived import derive
from .effects import Effect, WakeAt
from .events import Event, Recorded
from .record_values import EventLog
from .records import EVENT_LOG, event_key

__all__ = ["Step", "Turn"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step(Generic[T]):
    """The outcome of one engine call. `events` are in `writes` too, under their cursors."""

    value: T
    writes: Writes
    effects: tuple[Effect, ...] = ()
    events: tuple[Recorded, ...] = ()


class Turn:
    """The private working area of one call: staged state, and what has been decided so far."""

    __slots__ = ("_events", "_wake_at", "effects", "message_id", "now", "only_encrypted", "rng", "staged", "whole_logs")

    def __init__(
        self,
        state: State,
        now: Instant,
        rng: Rng,
        message_id: MessageId | None = None,
        only_encrypted: bool = False,
    ) -> None:
        self.staged = Staged(state)
        self.now = now
        self.rng = rng
        self.message_id = message_id
        """What the caller wants the message to be called that this call sends; None: a new id."""
        self.only_encrypted = only_encrypted
        """The message that this call sends is never to leave in the clear, also when it waits and the user decides."""
        self.effects: list[Effect] = []
        self.whole_logs: dict[tuple[GroupName, int], bytes] = {}
        """Of a group, and so many entries: what newcomers get, so that it is not worked out for each of them (SR-08)."""
        self._events: list[Recorded] = []
        self._wake_at: Instant | None = None

    def tell(self, event: Event) -> int:
        """Record an event under the next cursor; gives the cursor."""
        log = self.staged.get(EVENT_LOG) or EventLog(first=1, next=1)
        recorded = Recorded(log.next, self.now, event)
        self.staged.put(event_key(log.next), recorded)
        self.staged.put(EVENT_LOG, EventLog(log.first, log.next + 1))
        self._events.append(recorded)
        return recorded.cursor

    def wake(self, at: Instant) -> None:
        """Ask to be called again at `at` or earlier."""
        if self._wake_at is None or at < self._wake_at:
            self._wake_at = at

    def finish(self, value: T) -> Step[T]:
        """The step."""
        derive(self.staged, self._events)
        if self._wake_at is not None:
            self.effects.append(WakeAt(self._wake_at))
        return Step(value, self.staged.writes, tuple(self.effects), tuple(self._events))
