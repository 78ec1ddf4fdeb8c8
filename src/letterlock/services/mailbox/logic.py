"""What the mailbox decides: who gets a copy, what is refused, what an answer means, who may be reached past it.

Each function is one step on the tables inside a transaction; `now` and the limits are parameters.
"""

from __future__ import annotations

import enum

from ...errors import MailboxError
from ...ids import Instant, Number
from .limits import MailboxLimits
from .requests import Arrival, Copy, expires_at
from .tables import Tables, Waiting

__all__ = ["Fate", "accept", "advance", "direct_device", "fate_of", "pause", "purge", "see"]

# After these a device may still take the message another time; so may it after no answer at all.
# The first five are a proxy that is set up wrongly: it must not empty the mailbox, where all of it expires anyway.
_MAY_PASS = frozenset({401, 403, 404, 405, 407, 408, 481, 500, 503, 504})
_AWAY = frozenset({430, 477, 480})
_PURGE_STEP = 500


class Fate(enum.Enum):
    """What an answer means for the copy that was sent."""

    TAKEN = "taken"
    REFUSED = "refused"
    """For good: nothing of it would change by trying again, and it would stop all that is behind it."""
    AWAY = "away"
    LATER = "later"


def see(tables: Tables, limits: MailboxLimits, number: Number, devices: tuple[str, ...], now: Instant) -> None:
    """These devices are there. A number keeps its latest devices, up to the limit (SR-17)."""
    for device in devices:
        known = tables.devices(number)
        if device not in known:
            for oldest in known[limits.max_devices_per_number - 1 :]:
                tables.forget_device(number, oldest)
            if tables.totals()[0] >= limits.max_devices:
                raise MailboxError("no room for another device", code="mailbox.devices", status=480)
        tables.see(number, device, now)


def accept(tables: Tables, limits: MailboxLimits, arrival: Arrival, now: Instant) -> list[str]:
    """Keep a message; the devices that have a copy waiting. When this is committed the answer is 202.

    Raises MailboxError: there is nobody to keep it for, or no room (SR-08, SR-17). A device that is away and full gets
    no copy, so that a phone in a drawer stops nobody; one that is there and full is only slow, and stops the sender.
    """
    see(tables, limits, arrival.number, arrival.present, now)
    devices = [device for device in tables.devices(arrival.number) if device != arrival.sender_device]
    if not devices:
        raise MailboxError("no known device", code="mailbox.unknown", status=480)
    if tables.has(arrival.repeat):
        return devices
    if tables.totals()[1] + arrival.size > limits.max_bytes:
        raise MailboxError("the mailbox is full", code="mailbox.full", status=480)
    room = [device for device in devices if _has_room(tables, limits, arrival, device)]
    if any(device not in room for device in devices if device in arrival.present):
        raise MailboxError("a device does not keep up", code="mailbox.busy", status=480)
    if not room:
        raise MailboxError("the mailbox of this number is full", code="mailbox.number_full", status=480)
    tables.put(arrival, room, now, expires_at(arrival, now, limits.min_age_ms, limits.max_age_ms))
    return room


def _has_room(tables: Tables, limits: MailboxLimits, arrival: Arrival, device: str) -> bool:
    count, size = tables.kept_for(arrival.number, device)
    return (
        count < limits.max_messages_per_device
        and size + arrival.size <= limits.max_bytes_per_device
        and tables.kept_from(arrival.number, device, arrival.sender) < limits.max_messages_per_sender
    )


def advance(
    tables: Tables, limits: MailboxLimits, number: Number, device: str, done: list[int], now: Instant
) -> list[Copy]:
    """Forget what a device has, and find what is next for it: the oldest that are still worth bringing."""
    for message in done:
        tables.remove(number, device, message)
    while tables.expire(now, _PURGE_STEP) == _PURGE_STEP:
        pass
    return tables.oldest(number, device, limits.batch)


def direct_device(tables: Tables, number: Number) -> str | None:
    """The device that messages may reach past the mailbox: the only one that is known, with nothing waiting."""
    devices = tables.devices(number)
    if len(devices) != 1 or tables.oldest(number, devices[0], 1):
        return None
    return devices[0]


def fate_of(status: int) -> Fate:
    """`status` 0 is no answer."""
    if 200 <= status < 300:
        return Fate.TAKEN
    if status in _AWAY:
        return Fate.AWAY
    return Fate.LATER if status == 0 or status in _MAY_PASS else Fate.REFUSED


def pause(limits: MailboxLimits, fate: Fate, failures: int, retry_after_ms: int | None) -> int:
    """How long to leave a device alone after so many failures in a row; never shorter than it asked (RFC 3261 section 20.33)."""
    first = limits.retry_away_ms if fate is Fate.AWAY else limits.retry_first_ms
    own = min(limits.retry_longest_ms, first << min(failures - 1, 20))
    return own if retry_after_ms is None else max(own, min(retry_after_ms, limits.retry_longest_ms))


def purge(tables: Tables, limits: MailboxLimits, now: Instant) -> list[Waiting]:
    """Some of what is too old (SR-17): messages, and devices, which are returned."""
    tables.expire(now, _PURGE_STEP)
    gone = tables.unseen(now - limits.known_ms, _PURGE_STEP)
    for each in gone:
        tables.forget_device(each.number, each.device)
    return gone
