"""Where devices are: bindings of numbers to connections, and devices that are away (RFC 3261 section 10.3, RFC 5626).

A device is known by its `+sip.instance`, and has one binding however often it reconnects: no contact
of a dead connection is left behind. A device without one is known only while it is bound.

A registered client costs about six hundred bytes here: a contact is kept as text, and the feature tags, which are
the same for all clients of one make, once for all of them (`bench/bench_register.py` measures it).
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from ..codec.sip import NameAddr, quote
from ..ids import Instant, Number

__all__ = ["Device", "DeviceKey", "Locations", "device_key"]

DeviceKey = tuple[Number, str]
"""Number and instance, or number and contact address where there is no instance."""

_INSTANCE = "+sip.instance"


@dataclass(slots=True, eq=False)
class Device:
    """One device of a number. `connection` is None while it is away.

    `until` is when its binding runs out, or while it is away, when it is forgotten. `tags` is what else its Contact
    carried, encoded; `order` is the Call-ID, hashed, and the CSeq of the REGISTER that bound it.
    """

    number: Number
    name: str
    lasting: bool
    uri: str
    tags: str
    connection: int | None
    until: Instant
    order: tuple[bytes, int]

    @property
    def key(self) -> DeviceKey:
        return self.number, self.name

    def contact(self, seconds: int) -> str:
        """Its Contact as a registrar answers it (RFC 3261 section 10.3 step 8)."""
        instance = f";{_INSTANCE}={quote(self.name)}" if self.lasting else ""
        return f"<{self.uri}>{instance}{self.tags};expires={max(0, seconds)}"


class Locations:
    """All devices of all numbers."""

    def __init__(self, grace_ms: int) -> None:
        self._grace_ms = grace_ms
        self._devices: dict[Number, tuple[Device, ...]] = {}
        self._on: dict[int, list[Device]] = {}

    def of(self, phone: Number) -> tuple[Device, ...]:
        """The known devices of a number, bound or away."""
        return self._devices.get(phone, ())

    def numbers(self) -> int:
        """How many numbers have a known device."""
        return len(self._devices)

    def find(self, key: DeviceKey) -> Device | None:
        return next((device for device in self.of(key[0]) if device.name == key[1]), None)

    def on(self, connection: int) -> tuple[Device, ...]:
        """The devices bound over one connection."""
        return tuple(self._on.get(connection, ()))

    def bound(self, phone: Number, connection: int) -> tuple[Device, ...]:
        """The devices of one number that are bound over one connection."""
        return tuple(device for device in self.of(phone) if device.connection == connection)

    def bind(
        self, phone: Number, contact: NameAddr, connection: int, expires_at: Instant, call_id: str, cseq: int
    ) -> Device:
        """Set the one binding of this device, in the place of any older one."""
        key = device_key(phone, contact)
        tags = contact.params.without("expires").without(_INSTANCE).encode()
        device = self.find(key)
        if device is None:
            device = Device(phone, key[1], bool(contact.params.get(_INSTANCE)), "", "", None, 0, (b"", 0))
            self._devices[phone] = (*self.of(phone), device)
        if device.connection != connection:
            self._leave(device)
            device.connection = connection
            self._on.setdefault(connection, []).append(device)
        device.uri = contact.uri.encode()
        device.tags = sys.intern(tags)
        device.until = expires_at
        device.order = (hashed(call_id), cseq)
        return device

    def release(self, device: Device, now: Instant) -> bool:
        """The device is away; True when it is forgotten because it could not be recognised again."""
        self._leave(device)
        device.until = now + self._grace_ms
        if device.lasting:
            return False
        self._forget(device)
        return True

    def expire(self, now: Instant) -> tuple[list[Device], list[Device]]:
        """(devices whose binding ran out, devices that are forgotten) by now."""
        released: list[Device] = []
        forgotten: list[Device] = []
        for device in [device for device in self if device.until <= now]:
            if device.connection is not None:
                (forgotten if self.release(device, now) else released).append(device)
            else:
                self._forget(device)
                forgotten.append(device)
        return released, forgotten

    def _leave(self, device: Device) -> None:
        if device.connection is None:
            return
        others = self._on[device.connection]
        others.remove(device)
        if not others:
            del self._on[device.connection]
        device.connection = None

    def _forget(self, device: Device) -> None:
        left = tuple(other for other in self.of(device.number) if other is not device)
        if left:
            self._devices[device.number] = left
        else:
            self._devices.pop(device.number, None)

    def __iter__(self) -> Iterator[Device]:
        for devices in self._devices.values():
            yield from devices


def device_key(phone: Number, contact: NameAddr) -> DeviceKey:
    """What a contact's device is known by."""
    return phone, contact.params.get(_INSTANCE) or contact.uri.address


def hashed(call_id: str) -> bytes:
    """A Call-ID as it is kept: a peer chooses how long it is."""
    return hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).digest()[:16]
