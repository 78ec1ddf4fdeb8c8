"""All devices that have a session now, by what leads to them: dialog, MSRP session, member."""

from __future__ import annotations

from collections.abc import Iterator

from ...ids import Number
from ...sip.session import Session
from .attendance import Attendance
from .room import Room

__all__ = ["Attendances"]


class Attendances:
    """Whoever is in here is not over."""

    def __init__(self) -> None:
        self._by_session: dict[Session, Attendance] = {}
        self._by_id: dict[str, Attendance] = {}
        self._of: dict[tuple[Room, Number], tuple[Attendance, ...]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Attendance]:
        return iter(list(self._by_id.values()))

    def add(self, attendance: Attendance) -> None:
        key = (attendance.room, attendance.number)
        self._by_session[attendance.session] = attendance
        self._by_id[attendance.id] = attendance
        self._of[key] = (*self._of.get(key, ()), attendance)

    def remove(self, attendance: Attendance) -> None:
        key = (attendance.room, attendance.number)
        self._by_session.pop(attendance.session, None)
        self._by_id.pop(attendance.id, None)
        rest = tuple(each for each in self._of.get(key, ()) if each is not attendance)
        if rest:
            self._of[key] = rest
        else:
            self._of.pop(key, None)

    def of_session(self, session: Session) -> Attendance | None:
        """By its dialog."""
        return self._by_session.get(session)

    def of_id(self, session: str) -> Attendance | None:
        """By its MSRP session."""
        return self._by_id.get(session)

    def of_member(self, room: Room, number: Number) -> tuple[Attendance, ...]:
        """The devices of a member in a room."""
        return self._of.get((room, number), ())
