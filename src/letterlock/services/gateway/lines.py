"""All lines of a gateway: found by number and device, opened one after another when it starts."""

from __future__ import annotations

import asyncio
import logging

from ...errors import LetterlockError
from ...ids import Number
from .house import House
from .line import Line
from .link import CLOSED, REVOKED
from .tables import Device

__all__ = ["Lines"]

_log = logging.getLogger("letterlock.gateway")


class Lines:
    """In memory; what is on disk is read at the start. A device is registered with the carrier from its first link on:
    one that was enrolled and never came takes nobody's messages."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._lines: dict[tuple[Number, str], Line] = {}
        self._opening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the devices and register those that have linked, one after another in the house's pace."""
        house = self._house
        for device in await house.writer.run(lambda tables: house.office.begin(tables, house.rng)):
            self._lines[device.number, device.instance] = Line(self._house, device)
        self._opening = asyncio.get_running_loop().create_task(self._open_all())

    async def close(self) -> None:
        """Let all links go and take all registrations off."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        lines = list(self._lines.values())
        self._lines.clear()
        await asyncio.gather(*(line.close(CLOSED, "the gateway ends") for line in lines))

    def find(self, number: Number, instance: str) -> Line | None:
        return self._lines.get((number, instance))

    def __len__(self) -> int:
        return len(self._lines)

    def linked_devices(self) -> list[int]:
        """Those that have a link."""
        return [line.device.id for line in self._lines.values() if line.link is not None]

    async def admit(self, device: Device, *, changed: bool) -> None:
        """A device was enrolled. `changed`: with another token or another account at the carrier than before, so that links
        of before end, and the registration is made again."""
        known = self._lines.get((device.number, device.instance))
        if known is not None and not changed:
            return
        self._lines[device.number, device.instance] = Line(self._house, device)
        if known is not None:
            await known.close(REVOKED, "this device was enrolled again")

    async def drop(self, device: Device) -> None:
        """A device was removed."""
        line = self._lines.pop((device.number, device.instance), None)
        if line is not None:
            await line.close(REVOKED, "this device was removed")

    async def _open_all(self) -> None:
        for line in list(self._lines.values()):
            if line.device.linked:
                try:
                    await line.begin()
                except LetterlockError as error:
                    _log.error("an account cannot be registered: %s", error.code)
