"""Access tokens for a service account (RFC 7523): signed for, kept until shortly before they end, fetched once for all
who wait."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import aiohttp

from ...codec.jwt import signed_token
from ...errors import RbmError, TransportError
from ...ids import Instant
from .account import ServiceAccount
from .reading import bounded

__all__ = ["SCOPE", "AccessTokens"]

SCOPE = "https://www.googleapis.com/auth/rcsbusinessmessaging"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_S = 3600
_LONGEST_S = 3600
_EARLY_MS = 60_000
_MAX_ANSWER = 65_536


class AccessTokens:
    """The current token of one account."""

    def __init__(self, account: ServiceAccount, now: Callable[[], Instant]) -> None:
        self._account, self._now = account, now
        self._token = ""
        self._until: Instant = 0
        self._lock = asyncio.Lock()

    async def token(self, session: aiohttp.ClientSession) -> str:
        """Raises TransportError when there is none to be had now, RbmError when the account is not taken."""
        async with self._lock:
            if not self._token or self._now() >= self._until:
                await self._fetch(session)
            return self._token

    def refused(self, token: str) -> None:
        """The platform did not take this one; the next is a new one, unless it is there already."""
        if token == self._token:
            self._token = ""

    async def _fetch(self, session: aiohttp.ClientSession) -> None:
        account, now = self._account, self._now()
        issued = now // 1000
        claims: dict[str, str | int] = {
            "iss": account.email,
            "scope": SCOPE,
            "aud": account.token_url,
            "iat": issued,
            "exp": issued + _ASSERTION_S,
        }
        assertion = signed_token("RS256", claims, account.key.sign, key_id=account.key_id)
        form = {"grant_type": _GRANT, "assertion": assertion}
        try:
            async with session.post(account.token_url, data=form, allow_redirects=False) as response:
                status, body = response.status, await bounded(response, _MAX_ANSWER)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TransportError("the token server does not answer", code="transport.rbm") from error
        if status in (400, 401, 403):
            raise RbmError(
                "the service account is not taken",
                code="rbm.credentials",
                hint="check that its key was not deleted, and this machine's clock",
                status=status,
            )
        self._token, seconds = _parsed(status, body)
        lasts_ms = max(0, min(seconds, _LONGEST_S)) * 1000
        self._until = now + max(lasts_ms // 2, lasts_ms - _EARLY_MS)


def _parsed(status: int, body: bytes) -> tuple[str, int]:
    try:
        members = json.loads(body) if status == 200 else {}
        token, seconds = members["access_token"], members["expires_in"]
    except (ValueError, RecursionError, KeyError, TypeError):
        token, seconds = None, None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or type(seconds) is not int:
        raise TransportError("the token server gives no token", code="transport.rbm")
    return token, seconds
