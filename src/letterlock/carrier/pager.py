"""Messages for devices that are not there: kept, and handed over when they come back, oldest first (RFC 3428).

A device that fails in a way that may pass is offered its messages again after a while. What is handed over has no
way back to its sender, who was told 202 when it was kept.
"""

from __future__ import annotations

from ..codec.sip import Request, Response
from ..ids import Instant
from .branches import Branch, Branches, Target
from .effects import Effect
from .location import Device, DeviceKey, Locations
from .mailbox import Mailbox, Stored
from .settings import Settings
from .timers import Timers

__all__ = ["MAY_PASS", "Pager"]

MAY_PASS = frozenset({408, 480, 500, 503, 504})
"""After these a device may still take the message another time."""


class Pager:
    """The mailbox, and the devices that it is emptied to."""

    def __init__(self, settings: Settings, locations: Locations, mailbox: Mailbox, branches: Branches) -> None:
        self._settings = settings
        self._locations = locations
        self._mailbox = mailbox
        self._branches = branches
        self._retries: Timers[DeviceKey] = Timers()

    def waiting(self, key: DeviceKey) -> bool:
        """Whether anything is kept for this device: newer messages queue behind it, so that order is kept."""
        return self._mailbox.waiting(key)

    def keep(self, key: DeviceKey, request: Request, now: Instant) -> bool | None:
        """Keep a message for a device: whether there was room, None when it could not be recognised again."""
        device = self._locations.find(key)
        if device is None or not device.lasting:
            return None
        # Without the way back: the sender has its answer, so the device's goes no further than us.
        return self._mailbox.put(
            key, Request(request.method, request.uri, request.headers.without("Via"), request.body), now
        )

    def retry_later(self, key: DeviceKey, now: Instant) -> None:
        """It failed for now."""
        if key not in self._retries:
            self._retries.set(key, now + self._settings.retry_ms)

    def hand_over(self, device: Device, now: Instant) -> list[Effect]:
        """Offer a device that has come back what was kept for it, some at a time."""
        self._retries.cancel(device.key)
        return self.offer(device.key, now)

    def offer(self, key: DeviceKey, now: Instant) -> list[Effect]:
        """Send what there is room for."""
        device = self._locations.find(key)
        effects: list[Effect] = []
        if device is None or device.connection is None or key in self._retries:
            return effects
        target = Target(device.connection, device.uri, key)
        for stored in self._mailbox.of(key)[: self._settings.drain_window]:
            if stored.in_flight:
                continue
            if len(self._branches) >= self._settings.max_open_branches:
                self.retry_later(key, now)
                break
            stored.in_flight = True
            deadline = now + self._settings.branch_timeout_ms
            effects.append(self._branches.send(_Offered(self, key, stored), target, stored.request, deadline))
        return effects

    def settled(self, key: DeviceKey, stored: Stored, status: int, now: Instant) -> list[Effect]:
        """What came of one that was offered."""
        stored.in_flight = False
        if status in MAY_PASS:
            self._retries.set(key, now + self._settings.retry_ms)
            return []
        self._mailbox.remove(key, stored)
        return self.offer(key, now)

    def on_deadline(self, now: Instant) -> list[Effect]:
        return [effect for key in self._retries.due(now) for effect in self.offer(key, now)]

    def next_deadline(self) -> Instant | None:
        return self._retries.next()

    def close(self, branch: Branch) -> None:
        self._branches.close(branch)


class _Offered(Branch):
    """One kept message at its device."""

    __slots__ = ("_key", "_pager", "_stored")

    def __init__(self, pager: Pager, key: DeviceKey, stored: Stored) -> None:
        super().__init__()
        self._pager = pager
        self._key = key
        self._stored = stored

    def answered(self, response: Response, now: Instant) -> list[Effect]:
        if response.status < 200:
            return []
        self._pager.close(self)
        return self._pager.settled(self._key, self._stored, response.status, now)

    def expired(self, now: Instant) -> list[Effect]:
        self._pager.close(self)
        return self._pager.settled(self._key, self._stored, 408, now)

    def cut(self, now: Instant) -> list[Effect]:
        return self._pager.settled(self._key, self._stored, 480, now)
