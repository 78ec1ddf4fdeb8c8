"""Messages through the focus: taken from one device, kept, handed to all others in order.

A sender hears of success when its message is on the disk, once for all recipients; what a device has acknowledged is not
kept for it any longer. A message for a thousand goes out in slices, so that no turn of the loop is long.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ...codec import cpim
from ...codec.group_data import GroupTarget
from ...errors import DecodeError, FocusError, LetterlockError, StoreError
from ...ids import Number
from ..sip_link import loop_now
from .attendance import Attendance
from .conference import describe
from .distribution import Distribution, Kind, distribute
from .journal import Entry
from .limits import FocusLimits
from .mls.desk import Desk
from .msrp_wire import Arrived
from .room import Room
from .rooms import Rooms

__all__ = ["Deliveries"]

_log = logging.getLogger("letterlock.focus")

_BURST = 32
_BURST_WAIT_S = 0.005
"""A fan-out hands out so many copies, and goes on when half of so many are acknowledged, or after that time: else the
answers of a thousand devices would come all at once, in one long turn of the loop. Slow devices hold up nobody by more."""

_LIVE = 0
"""The position of what is not in the journal."""


@dataclass(slots=True, eq=False)
class _Queue:
    """What is to be handed out in one room, in order."""

    waiting: deque[tuple[Entry, bytes]]
    task: asyncio.Task[None] | None = None


class Deliveries:
    """`wake` calls a member for whom something waits; `changed` is told of a room whose roster or subject has changed."""

    def __init__(
        self,
        rooms: Rooms,
        limits: FocusLimits,
        domain: str,
        attendances: Callable[[Room, Number], tuple[Attendance, ...]],
        wake: Callable[[Room, Number], None],
        changed: Callable[[Room], None],
        hang_up: Callable[[Attendance, str], None],
        desk: Callable[[Callable[[Room, Entry, bytes], None]], Desk],
    ) -> None:
        self._rooms = rooms
        self._limits = limits
        self._domain = domain
        self._attendances = attendances
        self._wake = wake
        self._changed = changed
        self._hang_up = hang_up
        self._desk = desk(lambda room, entry, data: self._hand_out(room, entry, data, entry.sender))
        self._queues: dict[Room, _Queue] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._typed = 0
        self._told = 0
        self._handed = 0
        self._settled = 0
        self._drained = asyncio.Event()
        self._drained_at = 0

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- from a device -------------------------------------------------------------------------------
    def arrived(self, attendance: Attendance, message: Arrived) -> None:
        """A whole message came over a member's session. Read at once, so that order is kept; kept in its own time."""
        attendance.used = loop_now()
        try:
            attendance.check()
            distribution = distribute(
                attendance.room.conference,
                attendance.number,
                message.content_type,
                message.data,
                domain=self._domain,
                fallback_id=f"{attendance.id}.{message.message_id}"[:64],
                limits=self._limits,
            )
            typing = distribution.kind is Kind.TYPING
            self._rooms.spend_message(attendance.number, len(message.data), typing=typing)
        except FocusError as error:
            self._reject(message, error.status, error.code)
            return
        except DecodeError as error:
            message.wire.reject(message.number, 400, error.code)
            return
        if distribution.kind is Kind.TYPING:
            message.wire.confirm(message.number)
            self._hand_out(attendance.room, None, distribution.data, attendance.number)
            return
        self._spawn(self._take(attendance, message, distribution))

    async def _take(self, attendance: Attendance, message: Arrived, distribution: Distribution) -> None:
        room, sender = attendance.room, attendance.number
        afterwards: Callable[[], None] | None = None
        try:
            if distribution.kind is Kind.MLS_REQUEST:
                afterwards = await self._desk.request(room, sender, attendance.device, distribution)
            elif distribution.kind is Kind.MLS_PULL:
                self._tell(attendance, await self._desk.pull(room, sender, distribution))
            elif await self._desk.passes(room, sender, distribution):
                await self._distribute(room, sender, attendance.device, distribution)
        except FocusError as error:
            self._reject(message, error.status, error.code)
        except StoreError as error:
            _log.error("a message could not be kept: %s", error)
            message.wire.reject(message.number, 413, "it could not be kept")
        else:
            message.wire.confirm(message.number)
            if afterwards is not None:
                afterwards()

    async def _distribute(self, room: Room, sender: Number, device: str, distribution: Distribution) -> None:
        if distribution.change is not None:
            await self._describe(room, sender, distribution)
            return
        if distribution.receipt_for is not None:
            distribution = await self._addressed(room, sender, distribution)
        entry = await self._rooms.append(room, sender, device, distribution)
        if entry is not None:
            self._hand_out(room, entry, distribution.data, sender)

    def _reject(self, message: Arrived, status: int, reason: str) -> None:
        """One message is refused and the session goes on: only these statuses leave it alive (RFC 4975 section 10)."""
        message.wire.reject(message.number, status if status in (400, 403, 413, 415) else 403, reason)

    async def _describe(self, room: Room, sender: Number, distribution: Distribution) -> None:
        change = distribution.change
        assert change is not None
        self._rooms.spend_description(sender)
        value = change.value or ""
        if change.target is GroupTarget.SUBJECT:
            await self._rooms.change(room, lambda now: describe(now, sender, self._limits, subject=value))
        else:
            await self._rooms.change(room, lambda now: describe(now, sender, self._limits, icon=value))
        self._changed(room)

    async def _addressed(self, room: Room, sender: Number, distribution: Distribution) -> Distribution:
        """A receipt that names nobody goes to who wrote what it is for, and to nobody else."""
        assert distribution.receipt_for is not None
        author = await self._rooms.author(room, distribution.receipt_for)
        if author is None or author not in room.conference.members:
            raise FocusError("a receipt for nobody here", code="focus.receipt", status=404)
        return distribution.addressed_to(author, sender, self._domain)

    # --- to devices ----------------------------------------------------------------------------------
    def pump(self, attendance: Attendance) -> None:
        """Hand a device what it has yet to get, as far as its window allows."""
        if not attendance.ready or attendance.outlet is None or attendance.fetching:
            return
        entries = attendance.outlet.more(attendance.room.journal)
        if entries and any(entry.data is None for entry in entries):
            attendance.fetching = True
            self._spawn(self._fetch(attendance, entries))
            return
        for entry in entries:
            self._send(attendance, entry, entry.data or b"")
        if attendance.outlet.idle:
            attendance.room.read(attendance.outlet)

    async def _fetch(self, attendance: Attendance, entries: list[Entry]) -> None:
        """The same with bytes that are on the disk only."""
        try:
            pairs = await self._rooms.bodies(entries)
        except StoreError as error:
            _log.error("messages could not be read: %s", error)
            self._hang_up(attendance, "the store failed")
            return
        finally:
            attendance.fetching = False
        there = {entry.position for entry, _ in pairs}
        for entry in entries:
            if entry.position not in there and attendance.outlet is not None:
                attendance.outlet.acknowledged(entry.position)  # too old by now
        for entry, data in pairs:
            self._send(attendance, entry, data)
        self.pump(attendance)

    def acknowledged(self, attendance: Attendance, message_id: str, status: int) -> None:
        """How a message to a device has ended."""
        position = attendance.sent.pop(message_id, None)
        if position is None or attendance.outlet is None:
            return
        self._settled += 1
        if self._settled >= self._drained_at:
            self._drained.set()
        if status in (200, 400, 413, 415):
            # Safe with the device; or the device will never take it, however often it is offered.
            attendance.used = loop_now()
            attendance.outlet.acknowledged(position)
            attendance.room.read(attendance.outlet)
            if attendance.outlet.lags:
                self.pump(attendance)
        elif not attendance.over:
            self._hang_up(attendance, "it does not take messages")

    def _send(self, attendance: Attendance, entry: Entry, data: bytes) -> None:
        if not attendance.ready or attendance.wire is None or attendance.agreement is None:
            return
        largest = attendance.agreement.peer.max_size
        if largest is not None and len(data) > largest:
            self._settle(attendance, entry.position)  # it said that it will not take it
            return
        name = f"p{entry.position:x}.focus"
        attendance.sent[name] = entry.position
        self._handed += 1
        attendance.used = loop_now()
        attendance.wire.send(attendance.id, name, cpim.MEDIA_TYPE, data)

    def _settle(self, attendance: Attendance, position: int) -> None:
        if attendance.outlet is not None:
            attendance.outlet.acknowledged(position)

    # --- fan-out -------------------------------------------------------------------------------------
    def _hand_out(self, room: Room, entry: Entry | None, data: bytes, sender: Number) -> None:
        """Give it to those who are there, and call those who are not."""
        if entry is not None and entry.recipient is not None and room not in self._queues:
            self._to_member(room, entry.recipient, entry, data)
            return
        # Never past one that is still being handed out: a reader that was given a later message has done with earlier ones.
        queue = self._queues.setdefault(room, _Queue(deque()))
        queue.waiting.append((entry or Entry(_LIVE, sender, None, "", len(data), 0), data))
        if queue.task is None:
            queue.task = self._spawn(self._fan_out(room, queue))

    async def _fan_out(self, room: Room, queue: _Queue) -> None:
        """One message after the other to everybody, in bursts."""
        try:
            while queue.waiting:
                entry, data = queue.waiting.popleft()
                before = self._handed
                readers = room.conference.members if entry.recipient is None else (entry.recipient,)
                for number in tuple(readers):
                    if entry.position != _LIVE:
                        self._to_member(room, number, entry, data)
                    elif number != entry.sender:
                        self._live(room, number, data)
                    if self._handed - before >= _BURST:
                        await self._breathe()
                        before = self._handed
                await asyncio.sleep(0)
        finally:
            queue.task = None
            del self._queues[room]

    async def _breathe(self) -> None:
        """Let what was handed out be answered, for a moment."""
        self._drained_at = self._settled + _BURST // 2
        self._drained.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_BURST_WAIT_S):
                await self._drained.wait()

    def _to_member(self, room: Room, number: Number, entry: Entry, data: bytes) -> None:
        if entry.recipient is None and entry.sender == number and not entry.own_devices:
            return
        for attendance in self._attendances(room, number):
            if attendance.ready and attendance.outlet is not None and attendance.outlet.take(entry):
                self._send(attendance, entry, data)
                if attendance.wire is not None:
                    attendance.wire.flush()
        if number in room.places and room.waits(number):
            self._wake(room, number)

    def _tell(self, attendance: Attendance, data: bytes | None) -> None:
        """An answer to a question, to the session that asked and nobody later."""
        if data is None or not attendance.ready or attendance.wire is None or attendance.agreement is None:
            return
        largest = attendance.agreement.peer.max_size
        if largest is not None and len(data) > largest:
            _log.warning("an answer of %d bytes is larger than the device takes", len(data))
            return
        self._told += 1
        attendance.used = loop_now()
        attendance.wire.send(attendance.id, f"a{self._told:x}.live", cpim.MEDIA_TYPE, data, reported=False)

    def farewell(self, attendance: Attendance, data: bytes) -> None:
        """The last thing that a member gets, before its session ends."""
        self._tell(attendance, data)
        if attendance.wire is not None:
            attendance.wire.flush()

    def _live(self, room: Room, number: Number, data: bytes) -> None:
        """Typing: to a session with nothing in its way, once."""
        for attendance in self._attendances(room, number):
            outlet, wire = attendance.outlet, attendance.wire
            if attendance.ready and wire is not None and outlet is not None and not outlet.lags and outlet.idle:
                self._typed += 1
                wire.send(attendance.id, f"t{self._typed:x}.live", cpim.MEDIA_TYPE, data, reported=False)

    def _spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        async def run() -> None:
            try:
                await work
            except LetterlockError as error:
                _log.error("a delivery failed: %s", error)

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
