"""One conference as the running focus knows it: its roster, its journal, how far everybody has read. No sockets here.

What must be on the disk is there before it is put in here; what follows from acknowledgements is written a little later
(`dirty`), for losing it costs no more than a repetition that the reader recognises.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...ids import Instant, Number
from .conference import Change, Conference, Departure
from .journal import Journal, Places
from .limits import FocusLimits
from .mls.tables import MlsGroup
from .outlet import Outlet
from .roster import changed_roster, ended_roster, whole_roster
from .tables import Place, Stored

__all__ = ["Dirty", "Room"]

_FORK_MS = 60_000
"""A device that was not known may come so long after an invitation and get what waited then."""


@dataclass(frozen=True, slots=True)
class Dirty:
    """What is to be written: rows of devices and members, and messages that can go."""

    places: tuple[Place, ...]
    reached: dict[Number, int]
    gone: tuple[int, ...]


class Room:
    """See the module."""

    def __init__(self, conference: Conference, position: int, version: int, used_at: Instant) -> None:
        self.conference = conference
        self.version = version
        self.used_at = used_at
        self.journal = Journal(position)
        self.places = {number: Places(member.since) for number, member in conference.members.items()}
        self.outlets: dict[Number, list[Outlet]] = {}
        self._invited: dict[Number, tuple[Instant, int]] = {}
        self._altered: dict[Number, None] = {}
        self._departed: dict[Number, Departure] = {}
        self._described = False
        self.group: MlsGroup | None = None
        self._dirty_devices: set[tuple[Number, str]] = set()
        self._dirty_reached: set[Number] = set()
        self._gone: list[int] = []

    @classmethod
    def restored(cls, stored: Stored, position: int) -> Room:
        """From the disk. The version goes one up: what was changed and not yet told is told by it."""
        room = cls(stored.conference, position, stored.version + 1, stored.used_at)
        for number, reached in stored.reached.items():
            room.places[number].reached = reached
        for place in stored.places:
            room.places[place.number].devices[place.device] = place.position
            room.places[place.number].seen[place.device] = place.seen
        for entry in stored.entries:
            room.journal.add(entry, max_tail_bytes=0)
        room.group = stored.group
        return room

    # --- roster --------------------------------------------------------------------------------------
    def apply(self, change: Change) -> None:
        """A change that is on the disk."""
        self.conference = change.conference
        for number in change.added:
            self.places[number] = Places(change.conference.members[number].since)
        for departure in change.departed:
            self.places.pop(departure.number, None)
            self.outlets.pop(departure.number, None)
            self._departed[departure.number] = departure
        for number in (*change.added, *change.altered):
            self._altered[number] = None
        self._described |= change.described

    def document(self, domain: str, limits: FocusLimits, max_bytes: int) -> bytes:
        """The whole roster, as of the version that was published last."""
        return whole_roster(
            self.conference, self.version, domain, limits.max_members, max_bytes, group_info=self._group_info
        )

    def regrouped(self, group: MlsGroup) -> None:
        """The MLS group has moved on."""
        self.group = group
        self._described = True

    @property
    def encrypted(self) -> bool:
        """Whether messages here have to be encrypted, and the roster moves with the tree alone."""
        return self.group is not None and not self.group.ended

    @property
    def _group_info(self) -> bytes | None:
        return None if self.group is None else self.group.group_info

    @property
    def unpublished(self) -> bool:
        """Whether anything has changed since the last document."""
        return bool(self._altered or self._departed or self._described)

    def publish(self, domain: str) -> bytes:
        """One document with everything that has changed; for all subscribers, whose versions are the same."""
        self.version += 1
        data = changed_roster(
            self.conference,
            self.version,
            domain,
            altered=self._altered,
            departed=self._departed,
            described=self._described,
            group_info=self._group_info,
        )
        self._altered, self._departed, self._described = {}, {}, False
        return data

    def ended(self, domain: str) -> bytes:
        """The last document of all."""
        self.version += 1
        return ended_roster(self.conference, self.version, domain)

    # --- devices -------------------------------------------------------------------------------------
    def invited(self, number: Number, now: Instant) -> None:
        """A member is being called: any of its devices that comes soon begins where we are now."""
        self._invited[number] = (now, self.places[number].reached)

    def open(self, number: Number, device: str, now: Instant, limits: FocusLimits) -> tuple[Outlet, str | None]:
        """A device of a member has come. Its outlet, and the device that is forgotten for it, if there are too many."""
        places = self.places[number]
        forgotten = None
        if device and device not in places.devices:
            if len(places.devices) >= limits.max_devices:
                forgotten = min(places.devices, key=lambda each: places.seen.get(each, 0))
                del places.devices[forgotten]
            at, began = self._invited.get(number, (-_FORK_MS, 0))
            recent = now - at < _FORK_MS
            places.devices[device] = min(began, places.reached) if recent else places.reached
        if device:
            places.seen[device] = now
            self._dirty_devices.add((number, device))
        place = places.devices.get(device, places.reached)
        outlet = Outlet(number, device, place, max_messages=limits.window_messages, max_bytes=limits.window_bytes)
        self.outlets.setdefault(number, []).append(outlet)
        return outlet, forgotten

    def came_ever(self, number: Number) -> bool:
        """Whether any device of this member has ever had a session here."""
        places = self.places[number]
        return (
            bool(places.devices or self.outlets.get(number)) or places.reached > self.conference.members[number].since
        )

    def close(self, outlet: Outlet) -> None:
        """Its session is over."""
        others = [each for each in self.outlets.get(outlet.number, ()) if each is not outlet]
        if others:
            self.outlets[outlet.number] = others
        else:
            self.outlets.pop(outlet.number, None)

    def read(self, outlet: Outlet) -> None:
        """An outlet has got further."""
        places = self.places.get(outlet.number)
        if places is None:
            return
        place = outlet.place(self.journal)
        if place > places.reached:
            places.reached = place
            self._dirty_reached.add(outlet.number)
        if outlet.device and place > places.devices.get(outlet.device, place):
            places.devices[outlet.device] = place
            self._dirty_devices.add((outlet.number, outlet.device))
        if self.journal.private(outlet.number)[0] > 0:
            self._gone += self.journal.trim_private(outlet.number, places.all_read)

    def waiting(self) -> Iterator[Number]:
        """Members for whom something is kept that nobody is bringing them."""
        return (number for number in self.places if self.waits(number))

    def waits(self, number: Number) -> bool:
        """Whether a member has to be called: one of its devices has no session and should have something."""
        places = self.places[number]
        there = {outlet.device for outlet in self.outlets.get(number, ())}
        if not places.devices:
            return not there and self.journal.waits(number, places)
        away = [position for device, position in places.devices.items() if device not in there]
        return bool(away) and next(self.journal.after(number, "", min(away)), None) is not None

    # --- what is to be written -----------------------------------------------------------------------
    def forget_devices(self, before: Instant) -> list[tuple[Number, str]]:
        """Devices that did not come since then, and have no session."""
        gone = []
        for number, places in self.places.items():
            there = {outlet.device for outlet in self.outlets.get(number, ())}
            for device in [each for each in places.devices if places.seen.get(each, 0) < before and each not in there]:
                del places.devices[device]
                places.seen.pop(device, None)
                gone.append((number, device))
        return gone

    def limit(self, limits: FocusLimits, now: Instant) -> None:
        """Let go of what is too old or too much."""
        self._gone += self.journal.limit(limits.max_stored_messages, limits.max_stored_bytes, now - limits.max_age_ms)

    def dirty(self) -> Dirty | None:
        """What is to be written, once; None when that is nothing."""
        if self._dirty_devices or self._dirty_reached:
            self._gone += self.journal.trim(self.places)
        places = tuple(
            Place(number, device, self.places[number].devices[device], self.places[number].seen[device])
            for number, device in self._dirty_devices
            if number in self.places and device in self.places[number].devices
        )
        reached = {number: self.places[number].reached for number in self._dirty_reached if number in self.places}
        gone = tuple(self._gone)
        self._dirty_devices, self._dirty_reached, self._gone = set(), set(), []
        return Dirty(places, reached, gone) if places or reached or gone else None

    def not_written(self, dirty: Dirty) -> None:
        """It could not be written; it is tried again with the next."""
        self._dirty_devices.update((place.number, place.device) for place in dirty.places)
        self._dirty_reached.update(dirty.reached)
        self._gone += dirty.gone
