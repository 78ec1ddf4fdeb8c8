"""Google's access tokens for a service account (RFC 7523): signed for, kept until shortly before they end, fetched once
for all who wait.

The account comes from the JSON file that Google's consoles give. The key in it signs and is never shown (SR-10).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

from ..codec.addresses import is_loopback
from ..codec.jwt import signed_token
from ..crypto.rsa_pyca import RsaKey, read_rsa_key
from ..errors import InputError, TransportError
from ..ids import Instant
from .bounded_answer import bounded

__all__ = ["AccountRefused", "GoogleTokens", "ServiceAccount", "is_safe_base", "read_service_account"]

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_S = 3600
_EARLY_MS = 5 * 60 * 1000
_LONGEST_S = 3600
_MAX_FILE = 65_536
_MAX_ANSWER = 65_536
_NAMES = ("client_email", "private_key_id", "private_key", "token_uri")


class AccountRefused(Exception):
    """Google does not take the service account: its key was deleted, or this machine's clock is wrong."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the service account is not taken ({status})")
        self.status = status


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Who asks, where a token is got, and the key that vouches for it. `project` is empty where the file names none."""

    email: str
    key_id: str
    token_url: str
    key: RsaKey = field(repr=False)
    project: str = ""


def read_service_account(data: bytes, *, code: str, hint: str) -> ServiceAccount:
    """Raises InputError with this code and hint."""
    try:
        members = json.loads(data) if len(data) <= _MAX_FILE else None
    # Too deep is a RecursionError.
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict) or not all(isinstance(members.get(name), str) for name in _NAMES):
        raise InputError("not the key file of a service account", code=code, hint=hint)
    email, key_id, pem, url = (members[name] for name in _NAMES)
    if not is_safe_base(url):
        raise InputError("the service account's token address is not https", code=code, hint=hint)
    project = members.get("project_id")
    return ServiceAccount(
        email, key_id, url, read_rsa_key(pem.encode("utf-8", "replace")), project if isinstance(project, str) else ""
    )


def is_safe_base(url: str) -> bool:
    """Whether credentials may be sent there: over https, or on this machine (SR-19)."""
    try:
        parts = urlsplit(url)
        host, plain, _ = parts.hostname or "", parts.scheme == "http", parts.port
    except ValueError:
        return False
    if not host or not url.isascii() or not url.isprintable() or parts.query or parts.fragment or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (plain and is_loopback(host))


class GoogleTokens:
    """The current token of one account, for one scope. All who need a new one wait for the same."""

    def __init__(self, account: ServiceAccount, scope: str, now: Callable[[], Instant]) -> None:
        self._account, self._scope, self._now = account, scope, now
        self._token = ""
        self._until: Instant = 0
        self._fetching: asyncio.Task[str] | None = None

    async def token(self, session: aiohttp.ClientSession) -> str:
        """Raises TransportError when there is none to be had now, AccountRefused."""
        if self._token and self._now() < self._until:
            return self._token
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch(session))
            self._fetching.add_done_callback(self._fetched)
        return await asyncio.shield(self._fetching)

    def refused(self, token: str) -> None:
        """This one was not taken; the next is a new one, unless it is there already."""
        if token == self._token:
            self._token = ""

    async def close(self) -> None:
        """Before the session is closed."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    async def _fetch(self, session: aiohttp.ClientSession) -> str:
        account, now = self._account, self._now()
        issued = now // 1000
        claims: dict[str, str | int] = {
            "iss": account.email,
            "scope": self._scope,
            "aud": account.token_url,
            "iat": issued,
            "exp": issued + _ASSERTION_S,
        }
        assertion = signed_token("RS256", claims, account.key.sign, key_id=account.key_id)
        form = {"grant_type": _GRANT, "assertion": assertion}
        try:
            async with session.post(account.token_url, data=form, allow_redirects=False) as response:
                status, body = response.status, await bounded(response, _MAX_ANSWER)
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise TransportError("the token server does not answer", code="transport.token") from None
        if status in (400, 401, 403):
            raise AccountRefused(status)
        self._token, seconds = _parsed(status, body)
        lasts_ms = max(0, min(seconds, _LONGEST_S)) * 1000
        self._until = now + max(lasts_ms // 2, lasts_ms - _EARLY_MS)
        return self._token

    def _fetched(self, task: asyncio.Task[str]) -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()  # it belongs to those who wait, if anybody does


def _parsed(status: int, body: bytes) -> tuple[str, int]:
    try:
        members = json.loads(body) if status == 200 else {}
        token, seconds = members["access_token"], members["expires_in"]
    except (ValueError, RecursionError, KeyError, TypeError):
        token, seconds = None, None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or type(seconds) is not int:
        raise TransportError("the token server gives no token", code="transport.token")
    return token, seconds
