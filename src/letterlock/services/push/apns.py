"""Apple's push service: one HTTP/2 connection, a provider token that is renewed in time, and a body that says nothing.

The body is constant: no number, sender, count or text is in it, and what is merged is named by random characters (SR-17).
"""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from typing import Any

from ...codec.push_subscription import PushKind, Subscription
from ...crypto.key_files_pyca import FileKey
from ...errors import PushError
from ...ids import Instant
from ..http import system_now
from .exchange import Answer, Lost, NotSent, retry_after_ms
from .http2_client import Http2Client
from .http2_connection import Http2Settings
from .jwt import es256
from .outcome import Gone, Later, Outcome, Reason, Refused, Sent, Unknown
from .steps import Target

__all__ = ["APNS_HOST", "APNS_SANDBOX", "Apns", "ApnsSettings"]

_log = logging.getLogger("letterlock.push")

APNS_HOST = "api.push.apple.com"
APNS_SANDBOX = "api.sandbox.push.apple.com"

_BACKGROUND = b'{"aps":{"content-available":1}}'
_ALERT = b'{"aps":{"alert":{"body":"New message"},"mutable-content":1,"sound":"default"}}'
_TOKEN_MS = 50 * 60 * 1000
"""Apple takes a provider token for an hour, and refuses to see a new one more often than every 20 minutes."""
_LEAST_TOKEN_MS = 20 * 60 * 1000
_DAY_MS = 24 * 60 * 60 * 1000
_FAILED_MS = 15 * 60 * 1000
"""After 15 minutes, Apple says, what got a 5xx may be tried again; eight tries that double from two seconds end before."""

# 400: the token is none, or of another app or the other environment: it will never do here.
_BAD_TOKENS = frozenset({"BadDeviceToken", "DeviceTokenNotForTopic", "MissingDeviceToken"})
_CREDENTIALS = frozenset({"InvalidProviderToken", "MissingProviderToken", "ExpiredProviderToken"})


@dataclass(frozen=True, slots=True)
class ApnsSettings:
    """The operator's app at Apple. `topics` are its bundle identifiers; `key` the one of `key_id`, from a .p8 file.

    `alert`: show "New message" by itself, at high priority. A background push lets the app speak, but iOS delivers few of
    them in an hour.
    """

    topics: frozenset[str]
    team: str
    key_id: str
    key: FileKey = field(repr=False)
    tls: ssl.SSLContext
    """Of its own: it offers HTTP/2 only."""
    host: str = APNS_HOST
    port: int = 443
    alert: bool = False
    expires_ms: int = _DAY_MS
    """How long Apple keeps it for a device that is off."""
    http2: Http2Settings = field(default_factory=Http2Settings)


class Apns:
    """A `Provider`."""

    kinds: Set[PushKind] = frozenset({PushKind.APNS})
    pool = "apns"

    def __init__(self, settings: ApnsSettings, now: Callable[[], Instant] = system_now) -> None:
        self._settings, self._now = settings, now
        settings.tls.set_alpn_protocols(["h2"])
        self._client = Http2Client(settings.host, settings.port, settings.tls, settings.http2)
        self._authority = settings.host if settings.port == 443 else f"{settings.host}:{settings.port}"
        self._token = ""
        self._token_at: Instant = 0

    async def close(self) -> None:
        await self._client.close()

    def target(self, subscription: Subscription) -> Target:
        if subscription.topic not in self._settings.topics:
            raise PushError("this app is not the operator's", code="push.topic", status=422)
        return Target(subscription, self.pool, "")

    async def send(self, subscription: Subscription, collapse: str) -> Outcome:
        try:
            token = self._provider_token()
            answer = await self._client.request(self._headers(subscription, collapse, token), self._body)
            if _reason(answer) == "ExpiredProviderToken" and self._renewable(token):
                token = self._provider_token()
                answer = await self._client.request(self._headers(subscription, collapse, token), self._body)
        except NotSent:
            return Later(Reason.CONNECTION)
        except Lost:
            return Unknown(Reason.NO_ANSWER)
        return self._outcome(answer)

    @property
    def _body(self) -> bytes:
        return _ALERT if self._settings.alert else _BACKGROUND

    def _headers(self, subscription: Subscription, collapse: str, token: str) -> list[tuple[str, str]]:
        alert = self._settings.alert
        return [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", self._authority),
            (":path", f"/3/device/{subscription.address}"),
            ("authorization", f"bearer {token}"),
            ("apns-topic", subscription.topic),
            ("apns-push-type", "alert" if alert else "background"),
            ("apns-priority", "10" if alert else "5"),  # Apple refuses a background push of 10
            ("apns-expiration", str((self._now() + self._settings.expires_ms) // 1000)),
            ("apns-collapse-id", collapse),
            ("content-length", str(len(self._body))),
        ]

    # --- the provider token ------------------------------------------------------------------------------
    def _provider_token(self) -> str:
        now = self._now()
        if not self._token or not 0 <= now - self._token_at < _TOKEN_MS:
            claims: dict[str, str | int] = {"iss": self._settings.team, "iat": now // 1000}
            self._token, self._token_at = es256(self._settings.key, claims, self._settings.key_id), now
        return self._token

    def _renewable(self, refused: str) -> bool:
        """Whether there is a newer token than the one that was refused, or may be one now."""
        if refused != self._token:
            return True
        if self._now() - self._token_at < _LEAST_TOKEN_MS:
            return False  # our clock is wrong: more tokens would only be refused as too many
        self._token = ""
        return True

    # --- what an answer means ----------------------------------------------------------------------------
    def _outcome(self, answer: Answer) -> Outcome:
        reason, wait = _reason(answer), retry_after_ms(answer, self._now())
        if answer.status == 200:
            return Sent()
        if answer.status == 410:
            return Gone(Reason.UNREGISTERED, _timestamp(answer))
        if answer.status == 400 and reason in _BAD_TOKENS:
            return Gone(Reason.UNREGISTERED)
        if reason == "Forbidden":
            return Refused(Reason.CREDENTIALS)  # not this action, whoever asks: Apple wants no other try
        if answer.status == 403 or reason in _CREDENTIALS:
            _log.error("APNs does not take our provider token: check the key, its id and the team")
            return Later(Reason.CREDENTIALS, wait)
        if answer.status == 429:
            return Later(Reason.TOO_MANY, wait)
        if answer.status >= 500:
            return Later(Reason.FAILED, _FAILED_MS if wait is None else wait)
        return Refused(Reason.TOO_LARGE if answer.status == 413 else Reason.REFUSED)


def _members(answer: Answer) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _reason(answer: Answer) -> str:
    found = _members(answer).get("reason") if answer.status != 200 else ""
    return found if isinstance(found, str) else ""


def _timestamp(answer: Answer) -> Instant | None:
    """Since when the token has been none, in milliseconds."""
    found = _members(answer).get("timestamp")
    return found if type(found) is int and found >= 0 else None
