"""Google's push service, Firebase Cloud Messaging over HTTP v1: a data message without data, at high priority.

The body holds the registration token and constants: no number, sender, count or text (SR-17).
"""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from ...codec.push_subscription import PushKind, Subscription
from ...errors import InputError, TransportError
from ...ids import Instant
from ...net import google_tokens
from ...net.google_tokens import AccountRefused, GoogleTokens, ServiceAccount
from ..http import system_now
from .exchange import Answer, Lost, NotSent, retry_after_ms
from .outcome import Gone, Later, Outcome, Reason, Refused, Sent, Unknown
from .posting import POST_TIMES, post
from .steps import Target

__all__ = ["FCM_URL", "Fcm", "FcmSettings", "read_service_account"]

_log = logging.getLogger("letterlock.push")

FCM_URL = "https://fcm.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_DAY_S = 86_400
_TOO_MANY_MS = 60_000
"""What Google asks for after a 429 without Retry-After."""
_GONE = frozenset({"UNREGISTERED", "SENDER_ID_MISMATCH", "message.token"})


@dataclass(frozen=True, slots=True)
class FcmSettings:
    """The operator's project. `ttl_s`: how long Google keeps it for a device that is off."""

    account: ServiceAccount
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    url: str = FCM_URL
    ttl_s: int = _DAY_S


def read_service_account(data: bytes) -> ServiceAccount:
    """Raises InputError."""
    hint = "the JSON file of a service account, from the Firebase console"
    account = google_tokens.read_service_account(data, code="input.fcm", hint=hint)
    if not account.project:
        raise InputError("the service account names no project", code="input.fcm", hint=hint)
    return account


class Fcm:
    """A `Provider`."""

    kinds: Set[PushKind] = frozenset({PushKind.FCM})
    pool = "fcm"

    def __init__(self, settings: FcmSettings, now: Callable[[], Instant] = system_now) -> None:
        self._settings, self._now = settings, now
        self._url = URL(settings.url) / "v1/projects" / settings.account.project / "messages:send"
        self._tokens = GoogleTokens(settings.account, _SCOPE, now)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        await self._tokens.close()
        if self._session is not None:
            await self._session.close()

    def target(self, subscription: Subscription) -> Target:
        return Target(subscription, self.pool, "")

    async def send(self, subscription: Subscription, collapse: str) -> Outcome:
        session = self._open()
        body = self._body(subscription, collapse)
        try:
            token = await self._tokens.token(session)
            answer = await post(session, self._url, _headers(token), body)
            if answer.status == 401 and "THIRD_PARTY_AUTH_ERROR" not in _words(answer):  # that one is the app's key
                self._tokens.refused(token)
                answer = await post(session, self._url, _headers(await self._tokens.token(session)), body)
        except (NotSent, TransportError):  # without a token nothing of the push itself was sent
            return Later(Reason.CONNECTION)
        except Lost:
            return Unknown(Reason.NO_ANSWER)
        except AccountRefused:
            _log.error("Google does not take the service account: check its file, and this machine's clock")
            return Later(Reason.CREDENTIALS)
        return self._outcome(answer)

    def _body(self, subscription: Subscription, collapse: str) -> bytes:
        android = {"priority": "HIGH", "ttl": f"{self._settings.ttl_s}s", "collapse_key": collapse}
        return json.dumps({"message": {"token": subscription.address, "data": {}, "android": android}}).encode()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=self._settings.tls, limit=0)  # the attempts are bounded
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=POST_TIMES, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    def _outcome(self, answer: Answer) -> Outcome:
        status, wait = answer.status, retry_after_ms(answer, self._now())
        if status == 200:
            return Sent()
        words = set(_words(answer))
        if words & _GONE or words == {"INVALID_ARGUMENT"}:
            # The last without a field that is wrong: all but the token is constant. A 404 alone says nothing of a device:
            # so answer, for all of them, a project that is none and a server that is not Google's.
            return Gone(Reason.UNREGISTERED)
        if status in (401, 403):
            _log.error("FCM does not let the service account send: check its roles")
            return Later(Reason.CREDENTIALS, wait)
        if status == 429:
            return Later(Reason.TOO_MANY, _TOO_MANY_MS if wait is None else wait)
        if status >= 500:
            return Later(Reason.FAILED, wait)
        return Refused(Reason.TOO_LARGE if status == 413 else Reason.REFUSED)


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def _words(answer: Answer) -> Iterator[str]:
    """What the details of an error say: FCM's own code, and which field of ours was wrong."""
    try:
        details: Any = json.loads(answer.body)["error"]["details"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            if isinstance(code := detail.get("errorCode"), str):
                yield code
            violations = detail.get("fieldViolations")
            for violation in violations if isinstance(violations, list) else ():
                if isinstance(violation, dict) and isinstance(name := violation.get("field"), str):
                    yield name
