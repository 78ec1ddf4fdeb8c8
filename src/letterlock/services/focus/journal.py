"""What is kept of one conference's messages, and how far each device of each member has read: pure, in memory.

The truth is on the disk (`tables`); here is its index, and the bytes of the newest, one copy for all who read them.
Messages for all and messages for one member are separate lanes of one numbering, so that nobody walks past a thousand
messages that are not his. A message goes when every device that should read it has acknowledged it, when it is too old,
or when there are too many.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from ...ids import Instant, Number

__all__ = ["Entry", "Journal", "Places", "is_for"]


@dataclass(slots=True, eq=False)
class Entry:
    """One message. `recipient` None: all but the sender. `data` None: on the disk only.

    `origin` is the device that sent it, as far as that is known. With `audience` it is for those of all alone; with
    `own_devices` also for the sender's devices but that one.
    """

    position: int
    sender: Number
    recipient: Number | None
    message_id: str
    size: int
    at: Instant
    data: bytes | None = field(default=None, repr=False)
    origin: str = ""
    audience: frozenset[Number] | None = None
    own_devices: bool = False


class _Lane:
    """Entries in their order."""

    __slots__ = ("bytes", "entries", "positions")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.positions: list[int] = []
        self.bytes = 0

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.positions.append(entry.position)
        self.bytes += entry.size

    def after(self, position: int) -> Iterator[Entry]:
        return islice(self.entries, bisect_right(self.positions, position), None)

    def cut(self, count: int) -> None:
        self.bytes -= sum(entry.size for entry in self.entries[:count])
        del self.entries[:count]
        del self.positions[:count]


class Places:
    """How far the devices of one member have read. `reached` is how far any of them has, and where a new one begins."""

    __slots__ = ("devices", "reached", "seen")

    def __init__(self, since: int) -> None:
        self.reached = since
        self.devices: dict[str, int] = {}
        self.seen: dict[str, Instant] = {}

    @property
    def all_read(self) -> int:
        """The position up to which every known device has read."""
        return min(self.devices.values(), default=self.reached)


class Journal:
    """See the module. `head` is the last position that this conference has used."""

    def __init__(self, head: int) -> None:
        self.head = head
        self._shared = _Lane()
        self._private: dict[Number, _Lane] = {}
        self._tail_bytes = 0
        self._tail: list[Entry] = []

    def add(self, entry: Entry, *, max_tail_bytes: int) -> None:
        """A message that is on the disk now."""
        lane = self._shared if entry.recipient is None else self._private.setdefault(entry.recipient, _Lane())
        lane.add(entry)
        self.head = max(self.head, entry.position)
        if entry.data is None:
            return
        self._tail.append(entry)
        self._tail_bytes += entry.size
        if self._tail_bytes > max_tail_bytes:
            self._shorten(max_tail_bytes // 2)

    def after(self, reader: Number, device: str, position: int) -> Iterator[Entry]:
        """What this device of a member has yet to read, oldest first."""
        lanes = [self._shared.after(position)]
        if reader in self._private:
            lanes.append(self._private[reader].after(position))
        merged = heapq.merge(*lanes, key=lambda entry: entry.position) if len(lanes) > 1 else lanes[0]
        return (entry for entry in merged if is_for(entry, reader, device))

    def waits(self, reader: Number, places: Places) -> bool:
        """Whether anything is kept that one of a member's devices has not acknowledged."""
        return next(self.after(reader, "", places.all_read), None) is not None

    def private(self, reader: Number) -> tuple[int, int]:
        """(messages, bytes) that are kept for one member alone."""
        lane = self._private.get(reader)
        return (0, 0) if lane is None else (len(lane.entries), lane.bytes)

    def answers(self, reader: Number) -> int:
        """How many answers of the focus itself to one member are kept."""
        lane = self._private.get(reader)
        return 0 if lane is None else sum(entry.sender == reader for entry in lane.entries)

    @property
    def kept(self) -> tuple[int, int]:
        """(messages, bytes) that are kept for all."""
        return len(self._shared.entries), self._shared.bytes

    # --- what goes ---------------------------------------------------------------------------------
    def trim(self, places: dict[Number, Places]) -> list[int]:
        """Let go of what everybody has read who should; the positions."""
        gone = self._cut_count(self._shared, self._read_by_all(places))
        for number in list(self._private):
            read = places[number].all_read if number in places else self.head
            gone += self.trim_private(number, read)
        return gone

    def _read_by_all(self, places: dict[Number, Places]) -> int:
        """How many of those for all may go. Nobody waits for its author, who never reads it."""
        if not self._shared.entries:
            return 0
        slowest = heapq.nsmallest(2, ((each.all_read, number) for number, each in places.items()))
        lowest, who = slowest[0] if slowest else (self.head, None)
        second = slowest[1][0] if len(slowest) > 1 else self.head
        count = 0
        for entry in self._shared.entries:
            if entry.position > (second if entry.sender == who and not entry.own_devices else lowest):
                break
            count += 1
        return count

    def trim_private(self, number: Number, read: int) -> list[int]:
        """The same for what is for one member alone."""
        lane = self._private.get(number)
        if lane is None:
            return []
        gone = self._cut_count(lane, bisect_right(lane.positions, read))
        if not lane.entries:
            del self._private[number]
        return gone

    def limit(self, max_messages: int, max_bytes: int, not_before: Instant) -> list[int]:
        """Let go of what is too old, and of the oldest of those for all while they are too many; the positions."""
        gone: list[int] = []
        for lane in (self._shared, *self._private.values()):
            old = next((i for i, entry in enumerate(lane.entries) if entry.at >= not_before), len(lane.entries))
            gone += self._cut_count(lane, old)
        excess = max(0, len(self._shared.entries) - max_messages)
        size = self._shared.bytes - sum(entry.size for entry in self._shared.entries[:excess])
        while size > max_bytes:
            size -= self._shared.entries[excess].size
            excess += 1
        return gone + self._cut_count(self._shared, excess)

    def _cut_count(self, lane: _Lane, count: int) -> list[int]:
        gone = lane.positions[:count]
        for entry in lane.entries[:count]:
            self._drop_data(entry)
        lane.cut(count)
        return gone

    # --- bytes in memory -----------------------------------------------------------------------------
    def _drop_data(self, entry: Entry) -> None:
        if entry.data is not None:
            entry.data = None
            self._tail_bytes -= entry.size
            if len(self._tail) > 1024 and self._tail[0].data is None:
                self._tail = [each for each in self._tail if each.data is not None]

    def _shorten(self, max_bytes: int) -> None:
        kept = [each for each in self._tail if each.data is not None]
        for entry in kept:
            if self._tail_bytes <= max_bytes:
                break
            entry.data = None
            self._tail_bytes -= entry.size
        self._tail = [each for each in kept if each.data is not None]


def is_for(entry: Entry, reader: Number, device: str) -> bool:
    """Whether a device should get a message: not one of its own, and what is for all not back to who wrote it."""
    if entry.recipient is None:
        if entry.audience is not None and reader not in entry.audience:
            return False
        if entry.sender != reader:
            return True
        return entry.own_devices and not (entry.origin and entry.origin == device)
    return entry.recipient == reader and not (entry.sender == reader and entry.origin and entry.origin == device)
