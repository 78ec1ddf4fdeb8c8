"""Where devices are: bindings of numbers to connections, and devices that are away (RFC 3261 section 10.3, RFC 5626).

A device is known by its `+sip.instance`, and has one binding however often it reconnects: no contact
of a dead connection is left behind. A device without one is known only while it is bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..codec.sip import NameAddr
from ..ids import Instant, Number

__all__ = ["Device", "DeviceKey", "Locations"]

DeviceKey = tuple[Number, str]
"""Number and instance, or number and contact address where there is no instance."""


@dataclass(slots=True, eq=False)
class Device:
    """One device of a number. `connection` is None while it is away; `known_until` bounds how long it is stored for."""

    key: DeviceKey
    contact: NameAddr
    connection: int | None
    expires_at: Instant
    known_until: Instant
    call_id: str
    cseq: int

    @property
    def number(self) -> Number:
        return self.key[0]

    @property
    def lasting(self) -> bool:
        """Whether it can be recognised when it comes back."""
        return "+sip.instance" in self.contact.params


class Locations:
    """All devices of all numbers."""

    def __init__(self, grace_ms: int) -> None:
        self._grace_ms = grace_ms
        self._devices: dict[Number, dict[DeviceKey, Device]] = {}

    def of(self, phone: Number) -> tuple[Device, ...]:
        """The known devices of a number, bound or away."""
        return tuple(self._devices.get(phone, {}).values())

    def numbers(self) -> int:
        """How many numbers have a known device."""
        return len(self._devices)

    def find(self, key: DeviceKey) -> Device | None:
        return self._devices.get(key[0], {}).get(key)

    def on(self, connection: int) -> tuple[Device, ...]:
        """The devices bound over one connection."""
        return tuple(device for device in self if device.connection == connection)

    def bind(
        self, phone: Number, contact: NameAddr, connection: int, expires_at: Instant, call_id: str, cseq: int
    ) -> Device:
        """Set the one binding of this device, in the place of any older one."""
        key = device_key(phone, contact)
        device = Device(key, contact, connection, expires_at, expires_at + self._grace_ms, call_id, cseq)
        self._devices.setdefault(phone, {})[key] = device
        return device

    def release(self, device: Device, now: Instant) -> bool:
        """The device is away; True when it is forgotten because it could not be recognised again."""
        device.connection = None
        device.expires_at = min(device.expires_at, now)
        device.known_until = now + self._grace_ms
        if device.lasting:
            return False
        self._forget(device)
        return True

    def expire(self, now: Instant) -> tuple[list[Device], list[Device]]:
        """(devices whose binding ran out, devices that are forgotten) by now."""
        released: list[Device] = []
        forgotten: list[Device] = []
        for device in list(self):
            if device.connection is not None and device.expires_at <= now:
                (forgotten if self.release(device, now) else released).append(device)
            elif device.connection is None and device.known_until <= now:
                self._forget(device)
                forgotten.append(device)
        return released, forgotten

    def _forget(self, device: Device) -> None:
        devices = self._devices.get(device.number, {})
        devices.pop(device.key, None)
        if not devices:
            self._devices.pop(device.number, None)

    def __iter__(self) -> Iterator[Device]:
        for devices in self._devices.values():
            yield from devices.values()


def device_key(phone: Number, contact: NameAddr) -> DeviceKey:
    """What a contact's device is known by."""
    return phone, contact.params.get("+sip.instance") or contact.uri.address
