"""What every service over HTTP shares: who an address stands for, limits before work, one shape of refusal, listening.

A service has a `Listener`, which owns port and purge, and a `Guard`, through which every request goes. A refusal is
JSON, `{"code", "message", "hint"}`; nothing that is answered may be kept by a cache.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from aiohttp import web

from ..codec.addresses import is_loopback
from ..errors import CryptoError, DecodeError, InputError, LetterlockError, LimitExceeded, ServiceError
from ..ids import Instant

__all__ = [
    "NO_STORE",
    "ErrorAnswer",
    "Guard",
    "Handler",
    "Listener",
    "address_key",
    "decode_body",
    "json_answer",
    "read_body",
    "refusal",
    "system_now",
]

T = TypeVar("T", bound=msgspec.Struct)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

NO_STORE = {"Cache-Control": "no-store"}
_PURGE_EVERY_S = 3600.0
_READ_AHEAD = 256 * 1024


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The body of every refusal."""

    code: str
    message: str
    hint: str


class Listener:
    """Where a service listens, and the hourly purge beside it. Without `tls` on loopback only (SR-19).

    `name` is what the service is called in errors; `purge` drops what is older than its bound. Raises InputError.
    """

    def __init__(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        *,
        name: str,
        refusal: type[ServiceError],
        purge: Callable[[], Awaitable[None]],
        log: logging.Logger,
    ) -> None:
        if tls is None and not is_loopback(host):
            raise InputError(
                f"the {name} does not listen on {host} without TLS",
                code=f"{refusal.code}.tls",
                hint="give it a certificate, or put a proxy with TLS before it and listen on 127.0.0.1",
            )
        self._host, self.port, self._tls = host, port, tls
        self._purge, self._log = purge, log
        self._runner: web.AppRunner | None = None
        self._purging: asyncio.Task[None] | None = None

    @property
    def base(self) -> str:
        """What all addresses begin with, as this machine sees it; without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    async def start(
        self,
        app: web.Application,
        *,
        max_line: int,
        lingering_s: float = 10.0,
        shutdown_s: float = 60.0,
    ) -> None:
        """Purge, then listen. `lingering_s`: how long to read on in a request that was refused before its end.

        Raises OSError when the port is taken, and what `purge` raises; then whoever called has to `close`.
        """
        await self._purge()
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=75.0,
            lingering_time=lingering_s,
            max_line_size=max_line,
            read_bufsize=_READ_AHEAD,
            auto_decompress=False,  # a body is what was sent and signed, and costs no more than its size
            shutdown_timeout=shutdown_s,
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self.port, ssl_context=self._tls).start()
        self.port = self._runner.addresses[0][1]
        self._purging = asyncio.create_task(self._purge_for_ever())

    async def stop(self) -> None:
        """Take no new connections; those that are there go on."""
        if self._purging is not None:
            self._purging.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._purging
            self._purging = None
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()

    async def close(self) -> None:
        """Stop listening and finish what has begun."""
        await self.stop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _purge_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_PURGE_EVERY_S)
            try:
                await self._purge()
            except LetterlockError as error:
                self._log.error("cannot drop what is old: %s", error)


class Guard:
    """Limits by address and number of requests before any work; every error as one JSON shape.

    `admit(address)` takes the address's token of the rate, or raises. `kind` is the service's error: its status is
    answered; `retry_s` is what a busy or failing service says, 0 for nothing.
    """

    def __init__(
        self,
        kind: type[ServiceError],
        *,
        name: str,
        max_in_flight: int,
        max_in_flight_by_address: int,
        admit: Callable[[str], None],
        log: logging.Logger,
        retry_s: int = 0,
    ) -> None:
        self._kind, self._name, self._log, self._retry_s = kind, name, log, retry_s
        self._max, self._max_by_address = max_in_flight, max_in_flight_by_address
        self._admit = admit
        self._in_flight: Counter[str] = Counter()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        address = address_key(request.remote)
        # By address too, so that one of them, with bodies that do not come, cannot hold every place.
        if self._in_flight.total() >= self._max or self._in_flight[address] >= self._max_by_address:
            return refusal(self._ours(f"the {self._name} is busy", "busy", 503, self._retry_s, hint="try again"))
        self._in_flight[address] += 1
        try:
            self._admit(address)
            return await handler(request)
        except LetterlockError as error:
            status = _status(error)
            if isinstance(error, self._kind) or status:
                return refusal(error, status)
            self._log.error("request failed: %s", error)
            return refusal(self._ours(f"the {self._name} cannot do this now", "failed", 503, self._retry_s))
        except web.HTTPException as error:
            return refusal(self._ours(error.reason.lower(), "http", error.status))
        except Exception:  # ours: the caller learns that it happened, our log what it was
            self._log.exception("bug in the %s", self._name)
            return refusal(self._kind(f"the {self._name} made a mistake", code="bug", status=500))
        finally:
            self._in_flight[address] -= 1
            if not self._in_flight[address]:
                del self._in_flight[address]

    def _ours(self, message: str, code: str, status: int, retry_s: int = 0, hint: str = "") -> ServiceError:
        code = f"{self._kind.code}.{code}"
        return self._kind(message, code=code, hint=hint, status=status, retry_after_s=retry_s)


def _status(error: LetterlockError) -> int:
    """Of what is wrong with a request as such; 0 when the error says it itself, or is not the request's fault."""
    if isinstance(error, LimitExceeded):
        return 413
    if isinstance(error, DecodeError | InputError):
        return 400
    return 422 if isinstance(error, CryptoError) else 0


def refusal(
    error: LetterlockError, status: int = 0, *, headers: dict[str, str] | None = None, challenges: tuple[str, ...] = ()
) -> web.Response:
    """The answer that says no: with the error's own status, unless one is given."""
    status = status or getattr(error, "status", 0) or 500
    answer = json_answer(ErrorAnswer(error.code, str(error), error.hint), status)
    if isinstance(error, ServiceError) and error.retry_after_s:
        answer.headers["Retry-After"] = str(error.retry_after_s)
    answer.headers.update(headers or {})
    for challenge in challenges:
        answer.headers.add("WWW-Authenticate", challenge)
    return answer


def json_answer(content: msgspec.Struct, status: int = 200) -> web.Response:
    body = msgspec.json.encode(content)
    return web.Response(body=body, status=status, content_type="application/json", headers=NO_STORE)


async def read_body(request: web.Request, kind: type[ServiceError], *, limit: int, timeout_s: float) -> bytes:
    """The body. Raises LimitExceeded before more than `limit` is in memory (SR-08), and `kind` when it does not come."""
    too_large = LimitExceeded(f"body over {limit} bytes", code=f"{kind.code}.body")
    if (request.content_length or 0) > limit:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for part in request.content.iter_any():
                if len(body) + len(part) > limit:
                    raise too_large
                body += part
    except TimeoutError as error:
        raise kind("the body did not come in time", code=f"{kind.code}.slow", status=408) from error
    except (web.RequestPayloadError, ConnectionError) as error:
        raise kind("the body did not come whole", code=f"{kind.code}.body", status=400) from error
    return bytes(body)


def decode_body(body: bytes, form: type[T], kind: type[ServiceError]) -> T:
    """JSON of this form. Raises `kind` with 400 (SR-09)."""
    try:
        return msgspec.json.decode(body, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise kind("the body is not what this route takes", code=f"{kind.code}.body", status=400) from error


def address_key(remote: str | None) -> str:
    """Whom an address stands for: an IPv6 subscriber has a whole /64."""
    try:
        address = ipaddress.ip_address((remote or "").split("%")[0])
    except ValueError:
        return remote or ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)


def system_now() -> Instant:
    """The clock on the wall, in milliseconds."""
    return time.time_ns() // 1_000_000
