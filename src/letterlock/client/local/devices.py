"""The devices of the account, as the owner of a profile changes them."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import InputError
from ..api import DeviceInfo
from .core import LocalCore

__all__ = ["LocalDevices"]


class LocalDevices(LocalCore):
    """Mixed into `LocalProfile`."""

    async def devices(self) -> Sequence[DeviceInfo]:
        return self._devices.listed()

    async def device_offer(self) -> str:
        return self._devices.offer()

    async def add_device(self, request: str) -> int:
        return await self._devices.add(request.partition(".")[0])

    async def vouch_for_device(self, request: str) -> str:
        if self._linked is None:
            raise InputError(
                "only the primary device of an account with rcc16 vouches for others", code="input.not_primary"
            )
        return await self._linked.vouch(request)

    async def remove_device(self, device: int) -> None:
        if self._linked is not None and device != self.me.device:
            await self._linked.remove(device)
        await self._devices.remove(device)
