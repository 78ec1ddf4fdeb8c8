"""Web Push and UnifiedPush: an encrypted constant to an address that the device chose (RFC 8030, 8291, 8292).

The address is hostile until it is found to be public, at registration and again at each connection; nothing is followed
anywhere else, and nothing is given to it but what every other endpoint gets (SR-14). `pywebpush` encrypts. Its own request
code is not used: it resolves names by itself, follows redirects, and cannot say whether a request was written. The token of
VAPID is ours too: it is the one that Apple takes, with other claims.
"""

from __future__ import annotations

import ssl
from collections import OrderedDict
from collections.abc import Callable, Collection, Set
from dataclasses import dataclass, field

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver
from pywebpush import WebPusher
from yarl import URL

from ...codec.addresses import is_loopback, is_public
from ...codec.push_subscription import PushKind, Subscription
from ...crypto.key_files_pyca import FileKey
from ...crypto.provider import CryptoProvider
from ...crypto.pyca import Pyca
from ...errors import PushError
from ...ids import Instant
from ...net.guarded_resolver import GuardedResolver
from ..http import system_now
from .exchange import Answer, Lost, NotSent, retry_after_ms
from .jwt import base64url, es256
from .outcome import Gone, Later, Outcome, Reason, Refused, Sent, Unknown
from .posting import POST_TIMES, Forbidden, post
from .steps import Target

__all__ = ["WAKE", "WebPush", "WebPushSettings"]

WAKE = b"wake"
"""What every endpoint gets, encrypted: of one size, and without a meaning but that it came."""

_DAY_S = 86_400
_TOKEN_S = 12 * 3600
"""VAPID takes at most a day (RFC 8292 section 2)."""
_TOKEN_REST_S = 3600
_MAX_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class WebPushSettings:
    """`key` signs for the operator, whom `contact`, a mailto: or https: address, reaches; without one no endpoint is told.

    `trusted`: servers by host and port that may stand in a private network, such as the operator's own distributor.
    """

    key: FileKey = field(repr=False)
    contact: str = ""
    trusted: Collection[tuple[str, int]] = ()
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    resolver: AbstractResolver | None = None
    ttl_s: int = _DAY_S


class WebPush:
    """A `Provider` of both kinds."""

    kinds: Set[PushKind] = frozenset({PushKind.WEB_PUSH, PushKind.UNIFIED_PUSH})
    pool = "web"

    def __init__(
        self,
        settings: WebPushSettings,
        now: Callable[[], Instant] = system_now,
        crypto: CryptoProvider | None = None,
    ) -> None:
        self._settings, self._now, self._crypto = settings, now, crypto or Pyca()
        self._session: aiohttp.ClientSession | None = None
        self._tokens: OrderedDict[str, tuple[str, int]] = OrderedDict()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def application_server_key(self) -> str:
        """What a browser or distributor is told at registration: the public key, for which alone it takes pushes."""
        return base64url(self._settings.key.public_key)

    def target(self, subscription: Subscription) -> Target:
        self._crypto.p256_check(subscription.p256dh)  # SR-12
        try:
            url = URL(subscription.address)
            host, port = url.host, url.port
        except ValueError:
            host, port = None, None
        if not host or not port or not self._permitted(host, port):
            raise PushError(
                "the endpoint is not on the Internet",
                code="push.address",
                hint="the operator can allow a server of this network by name",
                status=422,
            )
        return Target(subscription, self.pool, f"{host.lower()}:{port}")

    def _permitted(self, host: str, port: int) -> bool:
        """A name is checked when it has become an address (SR-14); an address is, here and before it is used."""
        if (host, port) in self._settings.trusted:
            return True
        return not is_loopback(host) and (not _is_address(host) or is_public(host))

    async def send(self, subscription: Subscription, collapse: str) -> Outcome:
        url = URL(subscription.address)
        if not url.host or not url.port or not self._permitted(url.host, url.port):
            return Refused(Reason.FORBIDDEN)  # it was trusted once
        headers = {
            "TTL": str(self._settings.ttl_s),
            "Urgency": "high",
            "Topic": collapse,
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "Authorization": f"vapid t={self._token(str(url.origin()))}, k={self.application_server_key}",
        }
        try:
            answer = await post(self._open(), url, headers, _encrypted(subscription))
        except Forbidden:
            return Refused(Reason.FORBIDDEN)
        except NotSent:
            return Later(Reason.CONNECTION)
        except Lost:
            return Unknown(Reason.NO_ANSWER)
        return self._outcome(answer)

    def _token(self, origin: str) -> str:
        """One for each origin, for hours: signing takes longer than sending."""
        now = self._now() // 1000
        token, until = self._tokens.pop(origin, ("", 0))
        if not _TOKEN_REST_S <= until - now <= _TOKEN_S:
            until = now + _TOKEN_S
            claims: dict[str, str | int] = {"aud": origin, "exp": until}
            if self._settings.contact:
                claims["sub"] = self._settings.contact
            token = es256(self._settings.key, claims)
        self._tokens[origin] = (token, until)
        if len(self._tokens) > _MAX_TOKENS:
            self._tokens.popitem(last=False)
        return token

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            inner = self._settings.resolver or ThreadedResolver()
            connector = aiohttp.TCPConnector(
                ssl=self._settings.tls, resolver=GuardedResolver(inner, self._settings.trusted), limit=0
            )
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=POST_TIMES, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    def _outcome(self, answer: Answer) -> Outcome:
        status, wait = answer.status, retry_after_ms(answer, self._now())
        if 200 <= status < 300:
            return Sent()
        if status in (404, 410):
            return Gone(Reason.UNREGISTERED)
        if status == 429:
            return Later(Reason.TOO_MANY, wait)
        if status >= 500:
            return Later(Reason.FAILED, wait)
        if status in (401, 403):
            return Refused(Reason.CREDENTIALS)  # the device registered for another key than ours
        return Refused(Reason.TOO_LARGE if status == 413 else Reason.REFUSED)


def _encrypted(subscription: Subscription) -> bytes:
    keys = {"p256dh": base64url(subscription.p256dh), "auth": base64url(subscription.auth)}
    body: bytes = WebPusher({"endpoint": subscription.address, "keys": keys}).encode(WAKE)["body"]
    return body


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdecimal()
