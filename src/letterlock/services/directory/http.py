"""The directory over HTTP: limits before work, then one step on the tables, then the answer.

The order for every request: rate by address, size and time of the body, form, then signature and the rest in
`logic.py`. Look-ups are never logged; no number stands in a path, so that no proxy logs one (SR-17).
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import logging
import os
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from aiohttp import web

from ... import ids
from ...codec.addresses import is_loopback
from ...crypto.provider import CryptoProvider
from ...crypto.pyca import Pyca
from ...errors import CryptoError, DecodeError, DirectoryError, InputError, LetterlockError, LimitExceeded
from ...ids import AccountId, DeviceId, Instant, Number, Rng
from ...trust.requests import HEADER, decode_signature
from ..writer import Writer
from . import messages as m
from .buckets import Buckets
from .limits import DirectoryLimits
from .logic import IssuedCode, Registry, SignedRequest, TooMany, too_many
from .tables import Account, Tables

__all__ = ["Directory"]

T = TypeVar("T", bound=msgspec.Struct)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logging.getLogger("letterlock.directory")
_PURGE_EVERY_S = 3600.0


def _system_now() -> Instant:
    return time.time_ns() // 1_000_000


class Directory:
    """The directory service. `await start()`, then `url` says where it listens; `await close()` ends it.

    `on_code` gets every one-time code; it is the operator's part to bring it to the owner of the number.
    `operator` is a token that admits the operator's other services to `/v1/operator` (services/credentials.py).
    Without `tls` it listens on loopback only (SR-19). `database` is a file; it is locked for this process.
    """

    def __init__(
        self,
        database: str,
        *,
        on_code: Callable[[IssuedCode], None],
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        limits: DirectoryLimits | None = None,
        crypto: CryptoProvider | None = None,
        operator: str | None = None,
        now: Callable[[], Instant] = _system_now,
        rng: Rng = os.urandom,
    ) -> None:
        if tls is None and not is_loopback(host):
            raise InputError(
                f"the directory does not listen on {host} without TLS",
                code="directory.tls",
                hint="give it a certificate, or put a proxy with TLS before it and listen on 127.0.0.1",
            )
        self._host, self._port, self._tls = host, port, tls
        self._limits = limits or DirectoryLimits()
        self._on_code, self._now, self._rng = on_code, now, rng
        self._operator = operator
        self._registry = Registry(crypto or Pyca(), self._limits)
        self._writer = Writer(database, Tables, DirectoryError, "directory")
        self._addresses = Buckets(self._limits.max_buckets)
        self._in_flight: Counter[str] = Counter()
        self._runner: web.AppRunner | None = None
        self._purging: asyncio.Task[None] | None = None
        self.app = self._application()

    async def start(self) -> None:
        """Open the database and listen. Raises StoreLocked, StoreError or OSError."""
        await self._writer.start()
        async with contextlib.AsyncExitStack() as begun:
            begun.push_async_callback(self.close)
            await self.purge()
            self._runner = web.AppRunner(
                self.app,
                access_log=None,
                handle_signals=False,
                keepalive_timeout=75.0,
                max_line_size=2048,
                auto_decompress=False,  # a body is what was sent and signed, and costs no more than its size
            )
            await self._runner.setup()
            site = web.TCPSite(self._runner, self._host, self._port, ssl_context=self._tls)
            await site.start()
            begun.pop_all()
        self._port = self._runner.addresses[0][1]
        self._purging = asyncio.create_task(self._purge_for_ever())

    async def close(self) -> None:
        """Stop listening, finish what has begun, close the database."""
        if self._purging is not None:
            self._purging.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._purging
            self._purging = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self._writer.close()

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        """Where clients find it."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"

    async def issue_code(self, number: Number, key_hash: bytes) -> IssuedCode:
        """A one-time code for somebody whom the operator has already found to own the number (SR-21).

        For the provisioning server; `on_code` does not hear of it. Raises DirectoryError.
        """
        return await self._writer.run(
            lambda tables: self._registry.begin_claim(tables, number, key_hash, self._now(), self._rng)
        )

    async def purge(self) -> None:
        """Drop what is older than its bound; done at the start and every hour."""
        await self._writer.run(lambda tables: tables.purge(self._now(), self._limits))

    async def _purge_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_PURGE_EVERY_S)
            try:
                await self.purge()
            except LetterlockError as error:
                _log.error("cannot drop old rows: %s", error)

    # --- routes ----------------------------------------------------------------------------------
    def _application(self) -> web.Application:
        limit = max(self._limits.max_body, self._limits.max_prekey_body)
        app = web.Application(middlewares=[self._guard], client_max_size=limit)
        app.router.add_get("/v1/health", self._health)
        app.router.add_post("/v1/claims", self._begin_claim)
        app.router.add_post("/v1/accounts", self._claim)
        app.router.add_put("/v1/lists", self._upload_list)
        app.router.add_post("/v1/lists/query", self._lists)
        app.router.add_put("/v1/prekeys", self._upload_prekeys)
        app.router.add_post("/v1/bundles", self._bundle)
        app.router.add_get("/v1/alerts", self._alerts)
        if self._operator is not None:
            app.router.add_post("/v1/operator/codes", self._operator_code)
        return app

    async def _health(self, request: web.Request) -> web.Response:
        await self._writer.run(lambda tables: None)
        return _answer(m.HealthAnswer("ok"))

    async def _begin_claim(self, request: web.Request) -> web.Response:
        self._spend("claims", request)
        body = _decode(await self._body(request), m.BeginClaim)
        number = _number(body.number)
        self._spend("codes", request, number)
        issued = await self._writer.run(
            lambda tables: self._registry.begin_claim(tables, number, body.key_hash, self._now(), self._rng)
        )
        # To the operator, never into the answer: the requester has yet to show that the number is his (SR-21).
        self._on_code(issued)
        return _answer(m.CodeAnswer(issued.expires), 202)

    async def _claim(self, request: web.Request) -> web.Response:
        self._spend("claims", request)
        signed = await self._signed(request)
        body = _decode(signed.body, m.Claim)
        account = await self._writer.run(
            lambda tables: self._registry.claim(tables, signed, body.code, body.list, self._now())
        )
        return _answer(_account(account), 201)

    async def _upload_list(self, request: web.Request) -> web.Response:
        signed = await self._signed(request)
        body = _decode(signed.body, m.ListUpload)
        account = await self._writer.run(
            lambda tables: self._registry.upload_list(tables, signed, body.list, self._now())
        )
        return _answer(_account(account))

    async def _lists(self, request: web.Request) -> web.Response:
        signed = await self._signed(request)
        body = _decode(signed.body, m.ListsQuery)
        number = _number(body.number)
        account, lists = await self._writer.run(
            lambda tables: self._registry.lists(tables, signed, number, body.since, self._now())
        )
        return _answer(m.ListsAnswer(account.account, account.serial, list(lists)))

    async def _upload_prekeys(self, request: web.Request) -> web.Response:
        signed = await self._signed(request, self._limits.max_prekey_body)
        body = _decode(signed.body, m.PrekeyUpload)
        counts = await self._writer.run(
            lambda tables: self._registry.upload_prekeys(tables, signed, body.upload, self._now())
        )
        return _answer(m.CountsAnswer(counts.one_time, counts.one_time_kem))

    async def _bundle(self, request: web.Request) -> web.Response:
        signed = await self._signed(request)
        body = _decode(signed.body, m.BundleQuery)
        number, account, device = _number(body.number), AccountId(body.account), DeviceId(body.device)
        # The step is durable before the answer leaves: killed in between, a key is lost but never given twice (SR-13).
        bundle = await self._writer.run(
            lambda tables: self._registry.bundle(tables, signed, number, account, device, self._now())
        )
        return _answer(m.BundleAnswer(bundle))

    async def _alerts(self, request: web.Request) -> web.Response:
        signed = await self._signed(request)
        alerts = await self._writer.run(lambda tables: self._registry.alerts(tables, signed, self._now()))
        return _answer(m.AlertsAnswer([m.AlertAnswer(alert.kind, alert.at) for alert in alerts]))

    async def _operator_code(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")  # as it came, text or not
        if self._operator is None or not hmac.compare_digest(given, f"Bearer {self._operator}".encode()):
            self._spend("claims", request)
            raise DirectoryError("this is the operator's", code="directory.unauthenticated", status=401)
        body = _decode(await self._body(request), m.BeginClaim)
        issued = await self.issue_code(_number(body.number), body.key_hash)
        return _answer(m.OperatorCodeAnswer(issued.code, issued.expires, issued.replaces), 201)

    # --- before the work -------------------------------------------------------------------------
    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Limits by address and number of requests; every error as one JSON shape."""
        address = address_key(request.remote)
        if (
            self._in_flight.total() >= self._limits.max_in_flight
            or self._in_flight[address] >= self._limits.max_in_flight_by_address
        ):
            return _refusal(
                DirectoryError("the directory is busy", code="directory.busy", hint="try again", status=503)
            )
        self._in_flight[address] += 1
        try:
            self._spend("address", request)
            return await handler(request)
        except DirectoryError as error:
            return _refusal(error)
        except LimitExceeded as error:
            return _refusal(error, 413)
        except (DecodeError, InputError) as error:
            return _refusal(error, 400)
        except CryptoError as error:
            return _refusal(error, 422)
        except web.HTTPException as error:
            return _refusal(DirectoryError(error.reason.lower(), code="directory.http", status=error.status))
        except LetterlockError as error:
            _log.error("request failed: %s", error)
            return _refusal(DirectoryError("the directory cannot answer now", code="directory.failed", status=503))
        except Exception:  # ours: the caller learns that it happened, our log what it was
            _log.exception("bug in the directory")
            return _refusal(DirectoryError("the directory made a mistake", code="bug", status=500))
        finally:
            self._in_flight[address] -= 1
            if not self._in_flight[address]:
                del self._in_flight[address]

    def _spend(self, purpose: str, request: web.Request, number: Number | None = None) -> None:
        limits = self._limits
        rates = {
            "address": limits.address,
            "claims": limits.claims_by_address,
            "codes": limits.codes_by_number_and_address,
        }
        wait = self._addresses.take(purpose, (address_key(request.remote), number), rates[purpose], self._now())
        if wait:
            raise too_many(wait)

    async def _signed(self, request: web.Request, max_body: int | None = None) -> SignedRequest:
        header = request.headers.get(HEADER)
        if header is None:
            raise DirectoryError("the request is not signed", code="directory.unauthenticated", status=401)
        signature = decode_signature(header)
        return SignedRequest(request.method, request.path_qs, await self._body(request, max_body), signature)

    async def _body(self, request: web.Request, max_body: int | None = None) -> bytes:
        limit = max_body or self._limits.max_body
        if (request.content_length or 0) > limit:
            raise LimitExceeded(f"body over {limit} bytes", code="directory.body")
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_timeout_s):
                async for part in request.content.iter_any():
                    if len(body) + len(part) > limit:
                        raise LimitExceeded(f"body over {limit} bytes", code="directory.body")
                    body += part
        except TimeoutError as error:
            raise DirectoryError("the body did not come in time", code="directory.slow", status=408) from error
        except (web.RequestPayloadError, ConnectionError) as error:
            raise DirectoryError("the body did not come whole", code="directory.body", status=400) from error
        return bytes(body)


def _decode(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DirectoryError("the body is not what this route takes", code="directory.body", status=400) from error


def _number(text: str) -> Number:
    return ids.number(text)


def _account(account: Account) -> m.AccountAnswer:
    return m.AccountAnswer(account.account, account.serial)


def _answer(content: msgspec.Struct, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(content),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _refusal(error: LetterlockError, status: int = 0) -> web.Response:
    status = status or (error.status if isinstance(error, DirectoryError) else 500)
    answer = _answer(m.ErrorAnswer(error.code, str(error), error.hint), status)
    if isinstance(error, TooMany):
        answer.headers["Retry-After"] = str(error.seconds)
    return answer


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
