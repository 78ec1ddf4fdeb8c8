"""One call of the REST API: authorised, bounded, tried again where that can help, and an error that says what to do.

A call is tried again with the same bytes and the same id, so the platform counts it once however often it arrives (SR-06).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import aiohttp

from ...errors import RbmError, TransportError
from ...ids import Instant, Rng
from ...net.bounded_answer import bounded
from ...net.google_tokens import AccountRefused, GoogleTokens
from .account import SCOPE, ServiceAccount

__all__ = ["Calls", "RbmSettings"]

_MAX_ANSWER = 1 << 20


@dataclass(frozen=True, slots=True)
class RbmSettings:
    """Times in seconds. `backoff_s` doubles from the first to the second; `patience_s` bounds what the platform may ask
    for with Retry-After."""

    timeout_s: float = 20.0
    attempts: int = 5
    backoff_s: tuple[float, float] = (0.5, 30.0)
    patience_s: float = 120.0
    at_once: int = 32


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    retry_after_s: float | None = None


class Calls:
    """What all calls of one agent share. Close it at the end."""

    def __init__(
        self, base: str, account: ServiceAccount, settings: RbmSettings, now: Callable[[], Instant], rng: Rng
    ) -> None:
        self._base, self._settings, self._rng = base, settings, rng
        self._tokens = GoogleTokens(account, SCOPE, now)
        self._slots = asyncio.Semaphore(settings.at_once)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        await self._tokens.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None = None,
        *,
        ways: Mapping[int, tuple[str, str]] = MappingProxyType({}),
    ) -> dict[str, Any]:
        """The members of the answer. Raises RbmError when the platform refused, TransportError when it did not answer.

        `ways`: code and hint of the statuses that mean something else here than where a message is sent.
        """
        async with self._slots:
            answer = await self._persist(method, path, query, body)
        if not 200 <= answer.status < 300:
            raise _refusal(answer, {**_WAYS_ON, **ways})
        try:
            members = json.loads(answer.body or b"{}")
        except (ValueError, RecursionError):
            members = None
        if not isinstance(members, dict):
            raise TransportError("the platform's answer makes no sense", code="transport.rbm")
        return members

    async def _persist(self, method: str, path: str, query: Mapping[str, str], body: bytes | None) -> _Answer:
        wait, longest = self._settings.backoff_s
        renewed = False
        for attempt in range(1, self._settings.attempts + 1):
            last = attempt == self._settings.attempts
            try:
                answer, token = await self._once(method, path, query, body)
            except TransportError:
                if last:
                    raise
                answer, token = None, ""
            if answer is not None:
                if answer.status == 401 and not renewed:
                    renewed = True
                    self._tokens.refused(token)
                    continue
                if answer.status != 429 and answer.status < 500:
                    return answer
                if last or (answer.retry_after_s or 0) > self._settings.patience_s:
                    return answer
            asked = None if answer is None else answer.retry_after_s
            # Whoever was refused at the same moment does not come back at the same moment.
            jitter = 0.5 + int.from_bytes(self._rng(2), "big") / 0x1_FFFE
            await asyncio.sleep(asked if asked is not None else wait * jitter)
            wait = min(2 * wait, longest)
        assert answer is not None, "the last attempt has an answer, or raised"
        return answer

    async def _once(self, method: str, path: str, query: Mapping[str, str], body: bytes | None) -> tuple[_Answer, str]:
        session = self._open()
        try:
            token = await self._tokens.token(session)
        except AccountRefused as error:
            code, hint = _WAYS_ON[401]
            raise RbmError("the service account is not taken", code=code, hint=hint, status=error.status) from None
        headers = {"Authorization": f"Bearer {token}"} | ({"Content-Type": "application/json"} if body else {})
        url = f"{self._base}/v1/{path}"
        try:
            async with session.request(
                method, url, params=query, data=body, headers=headers, allow_redirects=False
            ) as response:
                data = await bounded(response, _MAX_ANSWER)
                return _Answer(response.status, data, _seconds(response.headers.get("Retry-After"))), token
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TransportError("the platform does not answer", code="transport.rbm") from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._settings.timeout_s)
            self._session = aiohttp.ClientSession(timeout=timeout)
        return self._session


def _seconds(text: str | None) -> float | None:
    """A Retry-After in seconds; a date, which the platform does not use, counts as none."""
    return float(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 6 else None


_WAYS_ON = {
    400: (
        "rbm.feature",
        "the phone lacks a feature that the message uses: ask capabilities(), and send something plainer",
    ),
    401: ("rbm.credentials", "check the service account's key, and this machine's clock"),
    403: ("rbm.forbidden", "the account does not act for this agent: stop, and check agent and account in the console"),
    404: ("rbm.unreachable", "no RCS there, or the agent is not launched in that network: fall back to SMS"),
    429: ("rbm.busy", "the quota is used up: send the rest later, under the same message id"),
}


def _refusal(answer: _Answer, ways: Mapping[int, tuple[str, str]]) -> RbmError:
    status = answer.status
    if 300 <= status < 400:
        # Nobody is followed with a token in hand (SR-14).
        code, hint = "rbm.redirect", "check the address of the platform"
    elif status >= 500:
        code, hint = "rbm.unavailable", "the platform has trouble: send it later, under the same message id"
    else:
        code, hint = ways.get(status, ("rbm.refused", "the platform does not take this call"))
    return RbmError(
        f"the platform refused ({status} {_named(answer.body)})".replace(" )", ")"),
        code=code,
        hint=hint,
        status=status,
        retry_after_s=int(answer.retry_after_s or 0),
    )


def _named(body: bytes) -> str:
    """The platform's own name for the error; its sentence may quote the message, and stays out of ours."""
    try:
        name = json.loads(body)["error"]["status"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return ""
    return name if isinstance(name, str) and name.isascii() and name.replace("_", "").isalnum() else ""
