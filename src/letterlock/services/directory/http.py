"""The directory over HTTP: limits before work, then one step on the tables, then the answer.

The order for every request: rate by address, size and time of the body, form, then signature and the rest in
`logic.py`. Look-ups are never logged; no number stands in a path, so that no proxy logs one (SR-17).
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import os
import ssl
from collections.abc import Callable

from aiohttp import web

from ... import ids
from ...crypto.provider import CryptoProvider
from ...crypto.pyca import Pyca
from ...errors import DirectoryError
from ...ids import AccountId, DeviceId, Instant, Number, Rng
from ...trust.requests import HEADER, decode_signature
from ..buckets import Buckets
from ..http import Guard, Listener, address_key, decode_body, json_answer, read_body, system_now
from ..writer import Writer
from . import messages as m
from .callers import SignedRequest
from .codes import IssuedCode
from .limits import DirectoryLimits
from .logic import Registry
from .tables import Account, Tables

__all__ = ["Directory"]


_log = logging.getLogger("letterlock.directory")


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
        now: Callable[[], Instant] = system_now,
        rng: Rng = os.urandom,
    ) -> None:
        self._limits = limits or DirectoryLimits()
        self._on_code, self._now, self._rng = on_code, now, rng
        self._operator = operator
        self._registry = Registry(crypto or Pyca(), self._limits)
        self._writer = Writer(database, Tables, DirectoryError, "directory")
        self._addresses = Buckets(self._limits.max_buckets)
        self._listener = Listener(host, port, tls, name="directory", refusal=DirectoryError, purge=self.purge, log=_log)
        self._guard = Guard(
            DirectoryError,
            name="directory",
            max_in_flight=self._limits.max_in_flight,
            max_in_flight_by_address=self._limits.max_in_flight_by_address,
            admit=self._admit,
            log=_log,
        )
        self.app = self._application()

    async def start(self) -> None:
        """Open the database and listen. Raises StoreLocked, StoreError or OSError."""
        await self._writer.start()
        async with contextlib.AsyncExitStack() as begun:
            begun.push_async_callback(self.close)
            await self._listener.start(self.app, max_line=2048)
            begun.pop_all()

    async def close(self) -> None:
        """Stop listening, finish what has begun, close the database."""
        await self._listener.close()
        await self._writer.close()

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def url(self) -> str:
        """Where clients find it."""
        return self._listener.base

    async def issue_code(self, number: Number, key_hash: bytes) -> IssuedCode:
        """A one-time code for somebody whom the operator has already found to own the number (SR-21).

        For the provisioning server; `on_code` does not hear of it. Raises DirectoryError.
        """
        return await self._writer.run(
            lambda tables: self._registry.codes.issue(tables, number, key_hash, self._now(), self._rng)
        )

    async def purge(self) -> None:
        """Drop what is older than its bound; done at the start and every hour."""
        await self._writer.run(lambda tables: tables.purge(self._now(), self._limits))

    # --- routes ----------------------------------------------------------------------------------
    def _application(self) -> web.Application:
        limit = max(self._limits.max_body, self._limits.max_prekey_body)
        app = web.Application(middlewares=[self._guard.middleware], client_max_size=limit)
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
        return json_answer(m.HealthAnswer("ok"))

    async def _begin_claim(self, request: web.Request) -> web.Response:
        self._spend("claims", request)
        body = decode_body(await self._body(request), m.BeginClaim, DirectoryError)
        number = _number(body.number)
        self._spend("codes", request, number)
        issued = await self._writer.run(
            lambda tables: self._registry.codes.issue(tables, number, body.key_hash, self._now(), self._rng)
        )
        # To the operator, never into the answer: the requester has yet to show that the number is his (SR-21).
        self._on_code(issued)
        return json_answer(m.CodeAnswer(issued.expires), 202)

    async def _claim(self, request: web.Request) -> web.Response:
        self._spend("claims", request)
        signed = await self._signed(request)
        body = decode_body(signed.body, m.Claim, DirectoryError)
        account = await self._writer.run(
            lambda tables: self._registry.claim(tables, signed, body.code, body.list, self._now())
        )
        return json_answer(_account(account), 201)

    async def _upload_list(self, request: web.Request) -> web.Response:
        signed = await self._signed(request)
        body = decode_body(signed.body, m.ListUpload, DirectoryError)
        account = await self._writer.run(
            lambda tables: self._registry.upload_list(tables, signed, body.list, self._now())
        )
        return json_answer(_account(account))

    async def _lists(self, request: web.Request) -> web.Response:
        signed = await self._signed(request)
        body = decode_body(signed.body, m.ListsQuery, DirectoryError)
        number = _number(body.number)
        account, lists = await self._writer.run(
            lambda tables: self._registry.lists(tables, signed, number, body.since, self._now())
        )
        return json_answer(m.ListsAnswer(account.account, account.serial, list(lists)))

    async def _upload_prekeys(self, request: web.Request) -> web.Response:
        signed = await self._signed(request, self._limits.max_prekey_body)
        body = decode_body(signed.body, m.PrekeyUpload, DirectoryError)
        counts = await self._writer.run(
            lambda tables: self._registry.prekeys.upload(tables, signed, body.upload, self._now())
        )
        return json_answer(m.CountsAnswer(counts.one_time, counts.one_time_kem))

    async def _bundle(self, request: web.Request) -> web.Response:
        signed = await self._signed(request)
        body = decode_body(signed.body, m.BundleQuery, DirectoryError)
        number, account, device = _number(body.number), AccountId(body.account), DeviceId(body.device)
        # The step is durable before the answer leaves: killed in between, a key is lost but never given twice (SR-13).
        bundle = await self._writer.run(
            lambda tables: self._registry.prekeys.bundle(tables, signed, number, account, device, self._now())
        )
        return json_answer(m.BundleAnswer(bundle))

    async def _alerts(self, request: web.Request) -> web.Response:
        signed = await self._signed(request)
        alerts = await self._writer.run(lambda tables: self._registry.alerts(tables, signed, self._now()))
        return json_answer(m.AlertsAnswer([m.AlertAnswer(alert.kind, alert.at) for alert in alerts]))

    async def _operator_code(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")  # as it came, text or not
        if self._operator is None or not hmac.compare_digest(given, f"Bearer {self._operator}".encode()):
            self._spend("claims", request)
            raise DirectoryError("this is the operator's", code="directory.unauthenticated", status=401)
        body = decode_body(await self._body(request), m.BeginClaim, DirectoryError)
        issued = await self.issue_code(_number(body.number), body.key_hash)
        return json_answer(m.OperatorCodeAnswer(issued.code, issued.expires, issued.replaces), 201)

    # --- before the work -------------------------------------------------------------------------
    def _admit(self, address: str) -> None:
        self._addresses.spend(DirectoryError, "address", address, self._limits.address, self._now())

    def _spend(self, purpose: str, request: web.Request, number: Number | None = None) -> None:
        limits = self._limits
        rates = {"claims": limits.claims_by_address, "codes": limits.codes_by_number_and_address}
        key = (address_key(request.remote), number)
        self._addresses.spend(DirectoryError, purpose, key, rates[purpose], self._now())

    async def _signed(self, request: web.Request, max_body: int | None = None) -> SignedRequest:
        header = request.headers.get(HEADER)
        if header is None:
            raise DirectoryError("the request is not signed", code="directory.unauthenticated", status=401)
        signature = decode_signature(header)
        return SignedRequest(request.method, request.path_qs, await self._body(request, max_body), signature)

    async def _body(self, request: web.Request, max_body: int | None = None) -> bytes:
        limit = max_body or self._limits.max_body
        return await read_body(request, DirectoryError, limit=limit, timeout_s=self._limits.body_timeout_s)


def _number(text: str) -> Number:
    return ids.number(text)


def _account(account: Account) -> m.AccountAnswer:
    return m.AccountAnswer(account.account, account.serial)
