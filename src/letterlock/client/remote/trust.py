"""Comparing codes, and decisions about keys, in a profile that another process owns."""

from __future__ import annotations

from ...ids import Number
from ...trust import SecurityCode
from .chats import RemoteChats

__all__ = ["RemoteTrust"]


class RemoteTrust(RemoteChats):
    """Mixed into `RemoteProfile`."""

    async def security_code(self, number: Number) -> SecurityCode:
        code: SecurityCode = await self._call("security_code", number=number)
        return code

    async def verify(self, number: Number, scanned: bytes | None, last_group: str | None) -> None:
        await self._call("verify", number=number, scanned=scanned, last_group=last_group)
        await self.open_chat(number)

    async def accept_keys(self, number: Number) -> None:
        await self._call("accept_keys", number=number)
        await self.open_chat(number)
