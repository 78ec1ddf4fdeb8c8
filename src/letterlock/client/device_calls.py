"""The part of a client that is of the devices of its account."""

from __future__ import annotations

from collections.abc import Sequence

from .api import CertificateInfo, DeviceInfo
from .asks import Asks

__all__ = ["DeviceCalls"]


class DeviceCalls:
    """Mixed into `Client`."""

    async def devices(self: Asks) -> Sequence[DeviceInfo]:
        """The devices of this account."""
        return await self.ask(lambda profile: profile.devices())

    async def device_offer(self: Asks) -> str:
        """A string for the new device (`Client.join`). On the primary only; raises InputError elsewhere."""
        return await self.ask(lambda profile: profile.device_offer())

    async def add_device(self: Asks, request: str) -> int:
        """List the device that made this request, and publish the list; its id.

        Raises DecodeError for a string that was not copied whole, DeviceListError when its keys did not agree.
        """
        return await self.ask(lambda profile: profile.add_device(request))

    async def vouch_for_device(self: Asks, request: str) -> str:
        """Vouch for the RCC.16 key of a listed device that made this request; the answer is for its `link` (primary only).

        It is then brought into the groups of this number. Raises DecodeError, InputError, InvalidRcc16.
        """
        return await self.ask(lambda profile: profile.vouch_for_device(request))

    async def remove_device(self: Asks, device: int) -> None:
        """Take a device off the list; contacts stop encrypting for it."""
        await self.ask(lambda profile: profile.remove_device(device))

    async def certificate(self: Asks) -> CertificateInfo | None:
        """What this device has at the key distribution server; None for a profile that does not speak RCC.16."""
        return await self.ask(lambda profile: profile.certificate())
