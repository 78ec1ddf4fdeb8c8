"""Members come and go: by a REFER, by leaving, by never coming, or by a commit that changes roster and tree together.

Each is on the disk before anybody is called or hung up on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial

from ...codec.conference_info import Disconnection
from ...errors import FocusError
from ...ids import Number
from .attendance import Attendance
from .attendances import Attendances
from .conference import Change, Conference, give_up, join, leave, remove
from .requests import Referral
from .room import Room
from .rooms import Rooms, check_open
from .summons import Summons

__all__ = ["Movements"]


class Movements:
    """`changed` is told of rooms whose roster has changed, `hang_up` ends the session of who is no member any more."""

    def __init__(
        self,
        rooms: Rooms,
        attendances: Attendances,
        summons: Summons,
        changed: Callable[[Room], None],
        hang_up: Callable[[Attendance], None],
    ) -> None:
        self._rooms = rooms
        self._attendances = attendances
        self._summons = summons
        self._changed = changed
        self._hang_up = hang_up

    async def referred(self, room: Room, sender: Number, referral: Referral) -> None:
        """A REFER of a member. Raises FocusError, StoreError."""
        if referral.added:
            self.follow(room, await self._rooms.invite(room, sender, referral.added))
        for number in referral.removed:
            self.follow(room, await self._rooms.change(room, partial(_removed, room, sender, number)))

    async def joined(self, room: Room, number: Number) -> None:
        """A member has come."""
        self.follow(room, await self._rooms.change(room, lambda now: join(now, number)))

    async def leave(self, room: Room, number: Number) -> None:
        """A member has hung up for good."""
        with contextlib.suppress(FocusError):  # removed meanwhile
            self.follow(room, await self._rooms.change(room, lambda now: leave(now, number)))

    async def give_up(self, room: Room, number: Number, how: Disconnection) -> None:
        """Whoever was invited will not come."""
        self.follow(room, await self._rooms.change(room, lambda now: give_up(now, number, how)))

    def follow(self, room: Room, change: Change) -> None:
        """What a change that is on the disk asks for."""
        for number in change.added:
            self._summons.wake(room, number)
        for departure in change.departed:
            self._summons.forget(room, departure.number)
            for attendance in self._attendances.of_member(room, departure.number):
                self._hang_up(attendance)
        self._changed(room)


def _removed(room: Room, by: Number, number: Number, conference: Conference) -> Change:
    change = remove(conference, by, number)
    if change.any and number != by:
        check_open(room)  # whoever wants to leave may leave
    return change
