"""Messages kept for devices that are away: one queue for each device, bounded by count, bytes and age (SR-08, SR-17)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..codec.sip import Request
from ..ids import Instant
from .location import DeviceKey

__all__ = ["Mailbox", "MailboxLimits", "Stored"]

_OVERHEAD = 1024  # counted for one message beside its text


@dataclass(frozen=True, slots=True)
class MailboxLimits:
    """Per device, but for `max_total_bytes`."""

    max_messages: int = 1000
    max_bytes: int = 16 * 1024 * 1024
    max_total_bytes: int = 256 * 1024 * 1024
    max_age_ms: int = 7 * 24 * 3600 * 1000


@dataclass(slots=True, eq=False)
class Stored:
    """One message for one device. `in_flight` while it is being handed over."""

    request: Request
    stored_at: Instant
    size: int
    in_flight: bool = False


class Mailbox:
    """The queues, oldest message first."""

    def __init__(self, limits: MailboxLimits) -> None:
        self._limits = limits
        self._queues: dict[DeviceKey, list[Stored]] = {}
        self._total = 0

    def put(self, key: DeviceKey, request: Request, now: Instant) -> bool:
        """Keep a message; False when a bound forbids it."""
        size = len(request.body) + sum(len(name) + len(value) for name, value in request.headers) + _OVERHEAD
        queue = self._queues.get(key, [])
        if (
            len(queue) >= self._limits.max_messages
            or sum(stored.size for stored in queue) + size > self._limits.max_bytes
            or self._total + size > self._limits.max_total_bytes
        ):
            return False
        self._queues.setdefault(key, []).append(Stored(request, now, size))
        self._total += size
        return True

    def of(self, key: DeviceKey) -> tuple[Stored, ...]:
        return tuple(self._queues.get(key, ()))

    def waiting(self, key: DeviceKey) -> bool:
        """Whether anything is kept for this device: newer messages queue behind it, so that order is kept."""
        return key in self._queues

    def remove(self, key: DeviceKey, stored: Stored) -> None:
        """Take one out: it was handed over, or refused for good."""
        queue = self._queues.get(key)
        if queue is None or stored not in queue:
            return
        queue.remove(stored)
        self._total -= stored.size
        if not queue:
            del self._queues[key]

    def forget(self, keys: Iterable[DeviceKey]) -> None:
        """The devices are gone, and with them what was kept for them."""
        for key in keys:
            self._total -= sum(stored.size for stored in self._queues.pop(key, ()))

    def expire(self, now: Instant) -> int:
        """Drop what is too old; how many that were."""
        dropped = 0
        for key in list(self._queues):
            for stored in self.of(key):
                if not stored.in_flight and stored.stored_at + self._limits.max_age_ms <= now:
                    self.remove(key, stored)
                    dropped += 1
        return dropped
