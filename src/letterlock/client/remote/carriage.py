"""What carries the messages of a profile that another process owns."""

from __future__ import annotations

from ...codec.push_subscription import Subscription
from ...ids import Number
from ..api import SmsInfo
from .line import RemoteLine

__all__ = ["RemoteCarriage"]


class RemoteCarriage(RemoteLine):
    """Mixed into `RemoteProfile`."""

    async def capabilities(self, number: Number, fresh: bool) -> tuple[str, ...] | None:
        features: tuple[str, ...] | None = await self._call("capabilities", number=number, fresh=fresh)
        return features

    async def carried(self, medium: str) -> bool:
        return bool(await self._call("carried", medium=medium))

    async def sms(self) -> SmsInfo | None:
        info: SmsInfo | None = await self._call("sms")
        return info

    async def set_push(self, push: Subscription | None) -> None:
        await self._call("set_push", push=push)
