"""What carries the messages of the profile: whether there is anything, and what is known of others."""

from __future__ import annotations

from ...carriage import Medium
from ...codec.push_subscription import Subscription
from ...errors import InputError
from ...ids import Number
from ..api import SmsInfo
from ..network import Capabilities, Wakeable
from ..settings import SETTINGS
from .core import LocalCore

__all__ = ["LocalCarriage"]


class LocalCarriage(LocalCore):
    """Mixed into `LocalProfile`."""

    async def capabilities(self, number: Number, fresh: bool) -> tuple[str, ...] | None:
        if not isinstance(self._transport, Capabilities):
            return None
        return await self._transport.features(number, fresh=fresh)

    async def carried(self, medium: str) -> bool:
        return (self._sms if medium == Medium.SMS.label else self._transport) is not None

    async def sms(self) -> SmsInfo | None:
        settings = self._store.get(SETTINGS)
        account = None if settings is None else settings.sms
        return None if account is None else SmsInfo(account.host, account.port, account.username, account.tls)

    async def set_push(self, push: Subscription | None) -> None:
        if not isinstance(self._transport, Wakeable):
            raise InputError(
                "nobody takes messages for this device while it is away",
                code="push.no_gateway",
                hint="set the profile up with a gateway: letterlock setup NUMBER --gateway URL",
            )
        await self._transport.subscribe(push)
