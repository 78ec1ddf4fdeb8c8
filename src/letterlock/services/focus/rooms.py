"""All conferences of the focus: found, changed, written to. Every step is on the disk before anybody hears of it (SR-06).

Rates are counted by account and over all its conferences, before work is done (SR-17).
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable, Sequence
from functools import partial

from ...errors import FocusError, StoreError
from ...ids import Instant, Number, Rng
from ..buckets import Buckets
from ..writer import Writer
from .conference import PREFIX, Change, Conference, admit, found
from .distribution import Distribution, Kind
from .focus_message import FocusMessage, keep
from .journal import Entry
from .limits import FocusLimits, Rate
from .mls.tables import MlsGroup
from .outlet import Outlet
from .requests import Creation
from .room import Room
from .tables import Tables

__all__ = ["Rooms", "check_open"]

_log = logging.getLogger("letterlock.focus")


def check_open(room: Room) -> None:
    """Roster and tree move together: where there is a live MLS group a commit changes both (rcc16.md 6)."""
    if room.encrypted:
        raise FocusError(
            "members of an encrypted group come and go with a commit",
            code="focus.mls.mismatched-rcs-group-state",
            status=403,
        )


_BLOCK = 16_384
"""Bytes are counted in blocks of so many."""


class Rooms:
    """`load` first. `flush` writes what acknowledgements left; `purge` lets go of what is too old."""

    def __init__(self, writer: Writer[Tables], limits: FocusLimits, clock: Callable[[], Instant], rng: Rng) -> None:
        self._writer = writer
        self._limits = limits
        self._clock = clock
        self._rng = rng
        self._rooms: dict[str, Room] = {}
        self._by_contribution: dict[str, set[str]] = {}
        self._created: dict[Number, int] = {}
        # Each is there as long as somebody holds it or waits for it.
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._creating: weakref.WeakValueDictionary[Number, asyncio.Lock] = weakref.WeakValueDictionary()
        self._buckets = Buckets(limits.max_buckets)
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self) -> list[Room]:
        """Everything that the last process left; the rooms in which somebody waits for something."""
        stored, position = await self._writer.run(lambda tables: (tables.load(), tables.last_position()))
        for each in stored:
            self._put(Room.restored(each, position))
        return [room for room in self._rooms.values() if next(room.waiting(), None) is not None]

    def all(self) -> tuple[Room, ...]:
        return tuple(self._rooms.values())

    # --- finding -------------------------------------------------------------------------------------
    def new_name(self) -> str:
        """A name for a conference that nobody can guess."""
        return PREFIX + self._rng(16).hex()

    def get(self, name: str, member: Number) -> Room:
        """A conference, for one of its members. For anybody else there is none: FocusError 404."""
        room = self._rooms.get(name)
        if room is None or member not in room.conference.members:
            raise FocusError("no such conference", code="focus.not_found", status=404)
        return room

    def by_name(self, name: str) -> Room | None:
        return self._rooms.get(name)

    def of_contribution(self, contribution: str, member: Number) -> Room | None:
        """The conference with this Contribution-ID that a member is in. Others may have one of the same id: nobody can
        take an id from those who use it by being first."""
        names = self._by_contribution.get(contribution, ())
        rooms = (self._rooms[name] for name in sorted(names))
        return next((room for room in rooms if member in room.conference.members), None)

    # --- changing ------------------------------------------------------------------------------------
    async def create(self, name: str, sender: Number, creation: Creation) -> tuple[Room, Change]:
        """A conference for an INVITE to the factory. With the id of one that the sender is in: that one, and whoever is
        not in it is added (a member restarts what it believes to be gone)."""
        # One at a time of each account: two devices of it may begin the same group at once, or one begin it again.
        lock = self._creating.setdefault(sender, asyncio.Lock())
        async with lock:
            return await self._create(name, sender, creation)

    async def _create(self, name: str, sender: Number, creation: Creation) -> tuple[Room, Change]:
        known = self.of_contribution(creation.contribution, sender)
        if known is not None:
            change = await self.invite(known, sender, creation.invited)
            return known, change
        limits = self._limits
        self._spend("created", sender, limits.created)
        if (
            len(self._rooms) >= limits.max_conferences
            or self._created.get(sender, 0) >= limits.max_conferences_by_account
        ):
            raise FocusError("too many conferences", code="focus.limit", status=403)
        self.spend_invitations(sender, len(creation.invited))
        now = self._clock()
        change = found(
            name=name,
            contribution=creation.contribution,
            conversation=creation.conversation,
            creator=sender,
            invited=creation.invited,
            subject=creation.subject,
            position=0,
            now=now,
            limits=limits,
        )
        position = await self._writer.run(lambda tables: tables.save(change, now))
        room = Room(change.conference, position, 0, now)
        room.apply(change)
        self._put(room)
        return room, change

    async def invite(self, room: Room, by: Number, numbers: tuple[Number, ...]) -> Change:
        """A member adds others."""
        new = [number for number in numbers if number not in room.conference.members]
        if new:
            self.spend_invitations(by, len(new))
        return await self.change(room, partial(self._admit, room, by, numbers))

    async def change(self, room: Room, step: Callable[[Conference], Change]) -> Change:
        """One step on the roster, one at a time. Raises FocusError, StoreError: then nothing has changed."""
        async with self.lock(room):
            change = step(room.conference)
            if not change.any:
                return change
            now = self._clock()
            await self._writer.run(lambda tables: tables.save(change, now))
            room.used_at = now
            room.apply(change)
            if not change.conference.members:
                self._drop(room)
        return change

    def lock(self, room: Room) -> asyncio.Lock:
        """Whoever holds it may change the roster."""
        return self._locks.setdefault(room.conference.name, asyncio.Lock())

    async def order(
        self, room: Room, change: Change, put: Callable[[Tables], None], told: Sequence[FocusMessage], group: MlsGroup
    ) -> list[tuple[Entry, bytes]]:
        """A request to the MLS group and all that follows from it, in one transaction, for whoever holds the lock: `put`
        writes the group. Raises StoreError, and what `put` raises: then nothing has changed."""
        name, now = room.conference.name, self._clock()

        def write(tables: Tables) -> list[int]:
            put(tables)
            if change.any:
                tables.save(change, now)
            return [] if not change.conference.members else [keep(tables, name, each, now) for each in told]

        positions = await self._writer.run(write)
        room.used_at = now
        room.apply(change)
        room.regrouped(group)
        if not change.conference.members:
            self._drop(room)
        entries = [(each.entry(position, now), each.data) for position, each in zip(positions, told, strict=False)]
        for entry, _ in entries:
            room.journal.add(entry, max_tail_bytes=self._limits.tail_bytes)
        self._shorten(room, now)
        return entries

    async def answer(self, room: Room, told: FocusMessage) -> Entry:
        """Keep what the focus has to say to one member. Raises FocusError for one who asks and does not listen; StoreError."""
        assert told.recipient is not None
        if room.journal.answers(told.recipient) >= self._limits.max_answers:
            raise FocusError("too many answers wait for this member", code="focus.full", status=413)
        name, now = room.conference.name, self._clock()
        position = await self._writer.run(lambda tables: keep(tables, name, told, now))
        entry = told.entry(position, now)
        room.journal.add(entry, max_tail_bytes=self._limits.tail_bytes)
        return entry

    def spend_control(self, sender: Number, *, pull: bool) -> None:
        """One request to the MLS group, or one question after it. Raises FocusError 413."""
        if pull:
            self._spend("pulled", sender, self._limits.pulls)
        else:
            self._spend("control", sender, self._limits.controls)

    def spend_description(self, by: Number) -> None:
        """One change of subject or icon."""
        self._spend("described", by, self._limits.described)

    # --- messages ------------------------------------------------------------------------------------
    def spend_message(self, sender: Number, size: int, *, typing: bool) -> None:
        """One message, or request: those to MLS groups are the largest. Raises FocusError 413 when there are too many:
        slower, or elsewhere."""
        limits = self._limits
        if typing:
            self._spend("typing", sender, limits.typing)
            return
        self._spend("messages", sender, limits.messages)
        blocks = Rate(max(1, limits.bytes_sent.burst // _BLOCK), limits.bytes_sent.per_ms)
        for _ in range(_BLOCK, size, _BLOCK):  # the first is in the number of messages
            self._spend("bytes", sender, blocks)

    async def author(self, room: Room, message_id: str) -> Number | None:
        """Who wrote a message of this id; None when nobody did, or more than one."""
        name = room.conference.name
        found = await self._writer.run(lambda tables: tables.authors(name, message_id))
        return found[0] if len(found) == 1 else None

    async def append(self, room: Room, sender: Number, origin: str, message: Distribution) -> Entry | None:
        """Keep a message; None when it is a repeat. Raises FocusError when there is no room, or for one
        member who never came; StoreError.

        The entry is not in the journal yet: that is `published`, in the order in which calls of this come back.
        """
        limits, recipient = self._limits, message.recipient
        if recipient is not None:
            if not room.came_ever(recipient):
                # A phone that takes no conferences, for all we know: its sender has another way to this one member.
                raise FocusError("this member has not come yet", code="focus.not_come", status=403)
            count, size = room.journal.private(recipient)
            if count >= limits.max_private_messages or size + len(message.data) > limits.max_private_bytes:
                raise FocusError("too much waits for this member", code="focus.full", status=413)
        now = self._clock()
        name = room.conference.name
        # A member's other devices are members of the MLS group like any other, and read what one of them has written.
        siblings = message.kind is Kind.ENCRYPTED and recipient is None and bool(origin)
        position = await self._writer.run(
            lambda tables: tables.append(
                *(name, sender, recipient, message.message_id, message.data, now),
                origin=origin if siblings else "",
                own_devices=siblings,
            )
        )
        if position is None:
            return None
        entry = Entry(
            *(position, sender, recipient, message.message_id, len(message.data), now, message.data, origin),
            own_devices=siblings,
        )
        room.used_at = now
        room.journal.add(entry, max_tail_bytes=limits.tail_bytes)
        self._shorten(room, now)
        return entry

    async def bodies(self, entries: list[Entry]) -> list[tuple[Entry, bytes]]:
        """Messages with their bytes, those that are still kept."""
        missing = [entry.position for entry in entries if entry.data is None]
        found = await self._writer.run(lambda tables: tables.bodies(missing)) if missing else {}
        pairs = ((entry, entry.data if entry.data is not None else found.get(entry.position)) for entry in entries)
        return [(entry, data) for entry, data in pairs if data is not None]

    # --- devices -------------------------------------------------------------------------------------
    def open(self, room: Room, number: Number, device: str) -> Outlet:
        """A device of a member has come."""
        outlet, forgotten = room.open(number, device, self._clock(), self._limits)
        if forgotten is not None:
            name = room.conference.name
            self._later(lambda tables: tables.forget_device(name, number, forgotten))
        return outlet

    def invited(self, room: Room, number: Number) -> None:
        """A member is being called."""
        room.invited(number, self._clock())

    # --- housekeeping --------------------------------------------------------------------------------
    async def flush(self) -> None:
        """Write how far everybody has read, and drop what nobody waits for."""
        dirty = [(room, found) for room in self.all() if (found := room.dirty()) is not None]
        if not dirty:
            return

        def write(tables: Tables) -> None:
            for room, each in dirty:
                tables.put_places(room.conference.name, each.places)
                tables.put_reached(room.conference.name, each.reached)
                tables.remove(each.gone)

        try:
            await self._writer.run(write)
        except StoreError as error:
            _log.error("what was read could not be noted: %s", error)
            for room, each in dirty:
                room.not_written(each)

    async def note_version(self, room: Room) -> None:
        """Remember how many documents were published."""
        name, version = room.conference.name, room.version
        await self._quietly(lambda tables: tables.set_version(name, version))

    async def purge(self) -> None:
        """Let go of what is too old, in every table (SR-17)."""
        limits, now = self._limits, self._clock()
        await self._quietly(lambda tables: tables.purge_known(now - limits.known_ids_age_ms))
        for room in self.all():
            name = room.conference.name
            if room.used_at < now - limits.unused_age_ms:
                self._drop(room)
                await self._quietly(lambda tables, name=name: tables.forget(name))  # type: ignore[misc]
                continue
            room.limit(limits, now)
            forgotten = room.forget_devices(now - limits.device_age_ms)

            def tidy(tables: Tables, name: str = name, forgotten: list[tuple[Number, str]] = forgotten) -> None:
                tables.limit_known(name, limits.max_known_ids)
                for number, device in forgotten:
                    tables.forget_device(name, number, device)

            await self._quietly(tidy)
        await self.flush()

    # --- inside --------------------------------------------------------------------------------------
    def _put(self, room: Room) -> None:
        conference = room.conference
        self._rooms[conference.name] = room
        self._by_contribution.setdefault(conference.contribution, set()).add(conference.name)
        self._created[conference.creator] = self._created.get(conference.creator, 0) + 1

    def _drop(self, room: Room) -> None:
        conference = room.conference
        if self._rooms.pop(conference.name, None) is None:
            return
        names = self._by_contribution[conference.contribution]
        names.discard(conference.name)
        if not names:
            del self._by_contribution[conference.contribution]
        self._created[conference.creator] -= 1
        if not self._created[conference.creator]:
            del self._created[conference.creator]

    def _admit(self, room: Room, by: Number, numbers: tuple[Number, ...], conference: Conference) -> Change:
        change = admit(conference, by, numbers, room.journal.head, self._limits)
        if change.any:
            check_open(room)
        return change

    def _shorten(self, room: Room, now: Instant) -> None:
        limits, (count, size) = self._limits, room.journal.kept
        if count > limits.max_stored_messages or size > limits.max_stored_bytes:
            room.limit(limits, now)

    def _spend(self, purpose: str, account: Number, rate: Rate) -> None:
        if self._buckets.take(purpose, account, rate, self._clock()):
            raise FocusError("too fast", code="focus.rate", status=413)

    def spend_invitations(self, account: Number, count: int) -> None:
        """So many are added. Raises FocusError 413."""
        for _ in range(count):
            self._spend("invited", account, self._limits.invited)

    def _later(self, step: Callable[[Tables], None]) -> None:
        task = asyncio.get_running_loop().create_task(self._quietly(step))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _quietly(self, step: Callable[[Tables], None]) -> None:
        try:
            await self._writer.run(step)
        except StoreError as error:
            _log.error("housekeeping failed: %s", error)
