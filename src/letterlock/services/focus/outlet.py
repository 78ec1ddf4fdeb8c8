"""What one session has been handed and has acknowledged: a window over the journal, pure.

A session that has read everything is handed new messages as they come; one that lags asks the journal again each time
it has acknowledged some. So a slow reader holds a bounded number of messages, and all else waits on the disk (SR-08).
"""

from __future__ import annotations

from ...ids import Number
from .journal import Entry, Journal, is_for

__all__ = ["Outlet"]


class Outlet:
    """`place` is the position that its device had acknowledged before."""

    __slots__ = ("_bytes", "_given", "_in_flight", "_max_bytes", "_max_messages", "device", "lags", "number")

    def __init__(self, number: Number, device: str, place: int, *, max_messages: int, max_bytes: int) -> None:
        self.number = number
        self.device = device
        self.lags = True
        self._given = place
        self._in_flight: dict[int, int] = {}
        self._bytes = 0
        self._max_messages = max_messages
        self._max_bytes = max_bytes

    @property
    def idle(self) -> bool:
        """Whether everything that it was handed is acknowledged."""
        return not self._in_flight

    def place(self, journal: Journal) -> int:
        """The position up to which all is acknowledged that is for it."""
        if self._in_flight:
            return next(iter(self._in_flight)) - 1
        return self._given if self.lags else max(self._given, journal.head)

    def take(self, entry: Entry) -> bool:
        """A new message: whether to hand it over now. One that does not fit is found in the journal later."""
        if self.lags or entry.position <= self._given or not is_for(entry, self.number, self.device):
            return False
        if not self._fits(entry):
            self.lags = True
            return False
        self._put(entry)
        return True

    def more(self, journal: Journal) -> list[Entry]:
        """What to hand over next, as far as the window allows."""
        found: list[Entry] = []
        for entry in journal.after(self.number, self.device, self._given):
            if not self._fits(entry):
                self.lags = True
                return found
            self._put(entry)
            found.append(entry)
        self.lags = False
        return found

    def acknowledged(self, position: int) -> bool:
        """One is safe with the device; whether it was in flight."""
        size = self._in_flight.pop(position, None)
        if size is None:
            return False
        self._bytes -= size
        return True

    def _fits(self, entry: Entry) -> bool:
        # One always fits, or what is larger than the window would never go out.
        return not self._in_flight or (
            len(self._in_flight) < self._max_messages and self._bytes + entry.size <= self._max_bytes
        )

    def _put(self, entry: Entry) -> None:
        self._in_flight[entry.position] = entry.size
        self._bytes += entry.size
        self._given = entry.position
