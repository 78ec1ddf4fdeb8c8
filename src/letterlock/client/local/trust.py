"""Comparing codes, and what the user decides about keys."""

from __future__ import annotations

import asyncio
import hmac

from ...errors import TrustRequired
from ...ids import Number, account_id
from ...trust import SecurityCode, matches, security_code
from .core import LocalCore

__all__ = ["LocalTrust"]


class LocalTrust(LocalCore):
    """Mixed into `LocalProfile`."""

    async def security_code(self, number: Number) -> SecurityCode:
        theirs = self._participant(number)
        mine = self.identity
        # Some 10 ms of hashing.
        return await asyncio.to_thread(security_code, mine.number, mine.participant_spki, number, theirs)

    async def verify(self, number: Number, scanned: bytes | None, last_group: str | None) -> None:
        account = account_id(self._participant(number))
        code = await self.security_code(number)
        if scanned is not None:
            same = matches(code, scanned)
        else:
            typed = "".join((last_group or "").split())
            same = hmac.compare_digest(typed.encode(), code.groups[-1].encode())
        if not same:
            raise TrustRequired(
                "the codes differ",
                code="trust.code_differs",
                hint="check that both phones are up to date and show this chat, then compare again",
            )
        await self._driver.submit(lambda s, now, rng: self._engine.mark_verified(s, number, account, now, rng))

    async def accept_keys(self, number: Number) -> None:
        await self._driver.submit(lambda s, now, rng: self._engine.accept_keys(s, number, now, rng))

    def _participant(self, number: Number) -> bytes:
        return self._engine.participant(self._store, number)
