"""A focus that lies: a ghost in the roster, rosters that differ, messages withheld, another's message re-sent.

All else it does as the real one does. What a client makes of it is for the tests that use it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from letterlock.codec.conference_info import (
    Endpoint,
    EndpointStatus,
    State,
    User,
    decode_conference_info,
    encode_conference_info,
)
from letterlock.codec.cpim import CpimLimits, decode_cpim, encode_cpim, headers
from letterlock.codec.transfer import inflate
from letterlock.codec.xml import XmlLimits
from letterlock.ids import Number
from letterlock.services.focus import Focus
from letterlock.services.focus.attendance import Attendance
from letterlock.services.focus.delivery import Deliveries
from letterlock.services.focus.journal import Entry
from letterlock.services.focus.mls.desk import Desk
from letterlock.services.focus.msrp_wire import Arrived
from letterlock.services.focus.subscribers import Subscribers
from letterlock.sip.effects import Body

__all__ = ["Lies", "LyingFocus"]


@dataclass
class Lies:
    """`ghosts`: whom a viewer is shown beside the members; `hidden`: whom it is not. By viewer; None is everybody.

    `withheld` says of (reader, sender, message id) whether the reader does not get it; it counts as read.
    """

    ghosts: dict[Number | None, tuple[Number, ...]]
    hidden: dict[Number | None, tuple[Number, ...]]
    withheld: Callable[[Number, Number, str], bool] = lambda reader, sender, message_id: False


class LyingFocus(Focus):
    """As `Focus`; `lies` may be changed at any time."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.lies = Lies({}, {})
        calls = self._calls
        self._subscribers = _Subscribers(
            self.lies, self._layer, self._rooms, self._limits, self._settings, self.domain, self._work, self._rng
        )
        calls._changed = calls._movements._changed = self._subscribers.changed
        self._deliveries = calls._deliveries = _Deliveries(
            self.lies,
            self._rooms,
            self._limits,
            self.domain,
            calls._attendances.of_member,
            calls.wake,
            self._subscribers.changed,
            lambda each, why: calls.hang_up(each, why, ()),
            partial(Desk, None, self._rooms, self.domain, lambda: 0, self._rng, lambda *_: None),
        )

    def resend(self, message_id: str, *, reader: Number, sender: Number | None = None) -> int:
        """Send what somebody sent once more to one member, under another's name when `sender` is given; how often."""
        found = [each for each in self._deliveries.seen if each[1] == message_id]
        for attendance in self._calls._attendances:
            if attendance.number != reader or attendance.wire is None:
                continue
            for author, _, data in found:
                name = f"r{self._deliveries.resent:x}.focus"
                self._deliveries.resent += 1
                attendance.wire.send(attendance.id, name, "message/cpim", self._under(data, sender or author))
        return len(found)

    def _under(self, data: bytes, sender: Number) -> bytes:
        message = decode_cpim(data, CpimLimits(1 << 20, 64, 8192))
        rest = tuple(header for header in message.headers if header.local.lower() != "from")
        return encode_cpim(replace(message, headers=(*headers(("From", f"<sip:{sender}@{self.domain}>")), *rest)))


class _Subscribers(Subscribers):
    """Every document is the whole roster as this viewer is to see it."""

    def __init__(self, lies: Lies, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._lies = lies

    def _small(self, subscriber: Any, body: Body) -> Body:
        return self._state(subscriber)

    def _state(self, subscriber: Any) -> Body:
        body = super()._state(subscriber)
        data = inflate(body.data, body.encoding or "identity", 1 << 22)
        info = decode_conference_info(data, XmlLimits(1 << 22, 12, 40_000), max_users=4000)
        hidden = {self._address(each) for each in self._for(subscriber.number, self._lies.hidden)}
        users = [user for user in info.users or () if user.entity not in hidden]
        for ghost in self._for(subscriber.number, self._lies.ghosts):
            entity = self._address(ghost)
            users.append(User(entity, endpoints=(Endpoint(entity, EndpointStatus.CONNECTED),)))
        return Body(body.content_type, encode_conference_info(replace(info, state=State.FULL, users=tuple(users))))

    def _address(self, number: Number) -> str:
        return f"sip:{number}@{self._domain}"

    @staticmethod
    def _for(viewer: Number, told: dict[Number | None, tuple[Number, ...]]) -> tuple[Number, ...]:
        return (*told.get(None, ()), *told.get(viewer, ()))


class _Deliveries(Deliveries):
    def __init__(self, lies: Lies, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._lies = lies
        self.seen: list[tuple[Number, str | None, bytes]] = []
        self.resent = 0

    def arrived(self, attendance: Attendance, message: Arrived) -> None:
        identifier = decode_cpim(message.data, CpimLimits(1 << 20, 64, 8192)).message_id
        self.seen.append((attendance.number, identifier, message.data))
        super().arrived(attendance, message)

    def _send(self, attendance: Attendance, entry: Entry, data: bytes) -> None:
        if self._lies.withheld(attendance.number, entry.sender, entry.message_id):
            self._settle(attendance, entry.position)
        else:
            super()._send(attendance, entry, data)
