"""Google's access tokens for a service account (RFC 7523): signed for, kept until shortly before they end, renewed once for all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from ...codec.addresses import is_loopback
from ...crypto.rsa_pyca import RsaKey, read_rsa_key
from ...errors import InputError
from ...ids import Instant
from .exchange import Lost, NotSent
from .jwt import rs256
from .posting import post

__all__ = ["CredentialsRefused", "GoogleTokens", "ServiceAccount", "read_service_account"]

_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_S = 3600
_EARLY_MS = 5 * 60 * 1000
_LONGEST_S = 3600
_MAX_FILE = 65_536


class CredentialsRefused(Exception):
    """Google does not take the service account."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """What a service account's JSON file holds."""

    project: str
    email: str
    key_id: str
    token_url: URL
    key: RsaKey = field(repr=False)


def read_service_account(data: bytes) -> ServiceAccount:
    """Raises InputError."""
    hint = "the JSON file of a service account, from the Firebase console"
    try:
        members = json.loads(data) if len(data) <= _MAX_FILE else None
    except (ValueError, RecursionError):
        members = None
    names = ("project_id", "client_email", "private_key_id", "token_uri", "private_key")
    if not isinstance(members, dict) or not all(isinstance(members.get(name), str) for name in names):
        raise InputError("not a service account", code="input.fcm", hint=hint)
    project, email, key_id, token_url, pem = (members[name] for name in names)
    try:
        url = URL(token_url)
    except ValueError:
        url = URL()
    if not url.host or (url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.host))):
        raise InputError("the service account's token address is not https", code="input.fcm", hint=hint)  # SR-19
    return ServiceAccount(project, email, key_id, url, read_rsa_key(pem.encode()))


class GoogleTokens:
    """The current access token. All who need a new one wait for the same."""

    def __init__(self, account: ServiceAccount, now: Callable[[], Instant]) -> None:
        self._account, self._now = account, now
        self._token = ""
        self._until: Instant = 0
        self._fetching: asyncio.Task[str] | None = None

    async def token(self, session: aiohttp.ClientSession) -> str:
        """Raises NotSent when there is none to be had now, CredentialsRefused."""
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
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    async def _fetch(self, session: aiohttp.ClientSession) -> str:
        account, now = self._account, self._now()
        issued = now // 1000
        claims: dict[str, str | int] = {
            "iss": account.email, "scope": _SCOPE, "aud": str(account.token_url), "iat": issued,
            "exp": issued + _ASSERTION_S,
        }  # fmt: skip
        body = urlencode({"grant_type": _GRANT, "assertion": rs256(account.key, claims, account.key_id)}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            answer = await post(session, account.token_url, headers, body)
        except Lost as error:
            raise NotSent("no access token") from error  # of the push itself nothing was sent
        if answer.status in (400, 401, 403):
            raise CredentialsRefused
        try:
            members = json.loads(answer.body) if answer.status == 200 else {}
            token, seconds = members["access_token"], members["expires_in"]
        except (ValueError, RecursionError, KeyError, TypeError) as error:
            raise NotSent("no access token") from error
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or type(seconds) is not int:
            raise NotSent("no access token")
        lasts_ms = max(0, min(seconds, _LONGEST_S)) * 1000
        self._token, self._until = token, now + max(lasts_ms // 2, lasts_ms - _EARLY_MS)
        return token

    def _fetched(self, task: asyncio.Task[str]) -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()  # it belongs to those who wait, if anybody does
