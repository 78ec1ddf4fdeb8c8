"""One exchange with a content server: as whom, and what its answers mean. Where it may go is `addresses`' to say.

Nothing of ours goes to another server than the one that the user configured: no credentials, no cookie, no proxy of the
environment; with a download that is sent on, nothing but its range (SR-14, SR-19).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import os
import re
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from ...errors import ContentError, LetterlockError, ProtocolError, TransportError
from ...ids import Instant, Rng
from ...net.guarded_resolver import ForbiddenAddress, GuardedResolver
from ...sip.digest import DigestClient
from .addresses import Addresses, not_followed, private
from .config import ContentSettings, ServerAccount

__all__ = ["Again", "Exchange", "Login", "bounded", "digest_of", "refusal"]

_TRY_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_SHA256 = re.compile(r"(?:^|,)[ \t]*sha-256=:?([A-Za-z0-9+/]{43}=):?[ \t]*(?:,|$)", re.IGNORECASE)
_CODE = re.compile(rb'"code"[ ]*:[ ]*"([a-z0-9_.]{1,64})"')
_MESSAGE = re.compile(rb'"message"[ ]*:[ ]*"([ -!#-\[\]-~]{1,200})"')


class Again(Exception):
    """An attempt that failed in a way that passes; no error of the call yet. `wait_s` is what the server asked for, 0 if nothing."""

    def __init__(self, error: LetterlockError, wait_s: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait_s = wait_s


class Login:
    """Answers the server's Digest challenges for one transfer, so that its nonce counts in one order (RFC 7616 3.4)."""

    def __init__(self, account: ServerAccount, rng: Rng) -> None:
        self._digest = DigestClient(account.username, account.password, rng)

    def header(self, method: str, url: URL) -> dict[str, str]:
        return {"Authorization": self._digest.credentials(method, url.raw_path_qs)} if self._digest.ready else {}

    def challenged(self, headers: Any) -> None:
        """Take up a 401. Raises ContentError when nothing in it is supported."""
        try:
            self._digest.accept(headers.getall("WWW-Authenticate", []))
        except ProtocolError as error:
            raise ContentError("the content server asks for what we do not support", code="content.auth") from error


class Exchange:
    """Connections to content servers, and the rules for them."""

    def __init__(
        self,
        server: ServerAccount | None,
        settings: ContentSettings,
        *,
        now: Callable[[], Instant],
        tls: ssl.SSLContext | None,
        resolver: AbstractResolver | None,
    ) -> None:
        self._settings, self._now, self._tls, self._resolver = settings, now, tls, resolver
        self.addresses = Addresses(None if server is None else server.url, settings.max_url)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    @contextlib.asynccontextmanager
    async def request(
        self,
        method: str,
        url: URL,
        *,
        headers: dict[str, str] | None = None,
        login: Login | None = None,
        body: AsyncIterator[bytes] | None = None,
        on_elsewhere: Callable[[Any], None] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer, its body unread; redirects followed. Raises Again, ContentError, InputError.

        To other servers only with `on_elsewhere`, which is called with the headers of each answer that sends us there.
        The caller reads within the context, where failures of the connection become Again too.
        """
        sent_on = False
        # What the user said of the configured server's authority counts for it, and for where it sends us.
        trust = self._tls or True if self.addresses.is_home(url) else True
        try:
            for _ in range(self._settings.redirects + 1):
                given = {**(headers or {}), "Accept-Encoding": "identity"}
                if login is not None and self.addresses.is_home(url):
                    given.update(login.header(method, url))
                async with self._open().request(
                    method, url, headers=given, data=body, allow_redirects=False, ssl=trust
                ) as response:
                    if response.status not in (301, 302, 303, 307, 308) or method not in ("GET", "HEAD"):
                        yield response
                        return
                    target = self.addresses.sent_on(url, response.headers.get("Location", ""))
                    if target.origin() != url.origin():
                        if on_elsewhere is None:
                            raise not_followed("to another server")
                        on_elsewhere(response.headers)
                        sent_on = True
                    url = target
            raise not_followed("in circles")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise self._failed(url, error, sent_on) from error

    def _failed(self, url: URL, error: Exception, sent_on: bool) -> Exception:
        if isinstance(error, aiohttp.ClientConnectorDNSError) and isinstance(error.os_error, ForbiddenAddress):
            return not_followed("into a private network") if sent_on else private()
        if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
            return TransportError(
                f"the certificate of {url.host} is not to be trusted",
                code="transport.tls",
                hint="if it is your operator's own, name its authority in the settings",
            )
        return Again(
            TransportError(
                f"no answer from {url.host}: {_reason(error)}", code="transport.content", hint="check the network"
            )
        )

    def retry_after(self, response: aiohttp.ClientResponse) -> float:
        """The seconds that the server asks us to wait, 0 if it does not."""
        text = response.headers.get("Retry-After", "").strip()[:64]
        if text.isascii() and text.isdigit():
            return float(text[:9])
        try:
            until = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return 0.0
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        return max(0.0, (until - datetime.fromtimestamp(self._now() / 1000, UTC)).total_seconds())

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            home = self.addresses.home
            trusted = () if home is None or home.host is None else ((home.host, home.port or 443),)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=16,
                    resolver=GuardedResolver(self._resolver or ThreadedResolver(), trusted),
                    use_dns_cache=False,  # each name is checked when it is used
                ),
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    sock_connect=self._settings.connect_s,
                    connect=self._settings.connect_s * 4,
                    sock_read=self._settings.stall_s,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                read_bufsize=self._settings.block,
                max_line_size=8190,
            )
        return self._session


# --- answers ---------------------------------------------------------------------------------------------------
async def bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """A whole body of at most `limit` bytes. Raises ContentError."""
    body = bytearray()
    async for part in response.content.iter_any():
        if len(body) + len(part) > limit:
            response.close()
            raise ContentError("the content server's answer is too long", code="content.answer")
        body += part
    return bytes(body)


async def refusal(exchange: Exchange, response: aiohttp.ClientResponse) -> ContentError | Again:
    """What an answer that is no success means."""
    body = b""
    with contextlib.suppress(ContentError, aiohttp.ClientError, OSError, TimeoutError):
        body = await bounded(response, 4096)
    code, message = _CODE.search(body), _MESSAGE.search(body)
    status = response.status
    error = ContentError(
        message[1].decode() if message else f"the content server answered {status}",
        code=code[1].decode() if code else "content.refused",
        hint=_HINTS.get(status, ""),
        status=status,
    )
    passing = status in _TRY_AGAIN or error.code == "content.cut"
    return Again(error, exchange.retry_after(response)) if passing else error


_HINTS = {
    401: "check user and password of the content server",
    403: "ask your operator",
    404: "the file has expired, or the address was cut",
    410: "the file has expired",
    413: "the file is too large for this server",
    507: "the content server has no room; try again later, or ask your operator",
}


def digest_of(headers: Any) -> bytes | None:
    """The SHA-256 that the server says the whole file has (RFC 3230, RFC 9530); None when it says none."""
    for name in ("Digest", "Repr-Digest"):
        found = _SHA256.search(headers.get(name, "")[:1024])
        if found:
            with contextlib.suppress(binascii.Error):
                return base64.b64decode(found[1], validate=True)
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, asyncio.TimeoutError):
        return "none in time"
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) and number > 0 else type(error).__name__
