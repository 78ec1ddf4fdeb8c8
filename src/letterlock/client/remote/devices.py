"""The devices of the account, where another process owns the profile."""

from __future__ import annotations

from collections.abc import Sequence

from ..api import DeviceInfo
from .line import RemoteLine

__all__ = ["RemoteDevices"]


class RemoteDevices(RemoteLine):
    """Mixed into `RemoteProfile`."""

    async def devices(self) -> Sequence[DeviceInfo]:
        devices: list[DeviceInfo] = await self._call("devices")
        return devices

    async def device_offer(self) -> str:
        return str(await self._call("device_offer"))

    async def add_device(self, request: str) -> int:
        return int(await self._call("add_device", request=request))

    async def vouch_for_device(self, request: str) -> str:
        return str(await self._call("vouch_for_device", request=request))

    async def remove_device(self, device: int) -> None:
        await self._call("remove_device", device=device)
