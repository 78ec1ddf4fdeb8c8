"""The gateway as a service: database, lines, and where clients come to.

    POST /v1/devices         enrol this device (the account's password, or the operator's token)
    POST /v1/devices/remove  forget one
    GET  /v1/link            the WebSocket of an enrolled device (its token)
    GET  /v1/health

Rates by address come first, then authentication, then work (SR-17). No number stands in a path, so that no proxy logs one.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import os
import ssl
from collections.abc import Callable

import msgspec
from aiohttp import web

from ... import ids
from ...crypto.provider import CryptoProvider
from ...crypto.pyca import Pyca
from ...errors import GatewayError, LetterlockError
from ...ids import Instant, Number, Rng
from ...transport.rcs.config import check, tls_context
from ..buckets import Buckets
from ..http import Guard, Handler, Listener, address_key, decode_body, json_answer, read_body, system_now
from ..push import Pushes
from ..writer import Writer
from .authorization import Basic, authorization
from .carrier import CarrierProfile
from .house import House, no_checkpoint
from .limits import GatewayLimits
from .line import Line
from .lines import Lines
from .link import Link
from .logic import Office, checked_enrolment, is_token, token_hash
from .pace import Pace
from .sealing import Sealer
from .tables import Device, Tables

__all__ = ["SUBPROTOCOL", "Gateway"]

SUBPROTOCOL = "letterlock-gateway.v1"

_log = logging.getLogger("letterlock.gateway")


class EnrolmentBody(msgspec.Struct, frozen=True):
    """What a device sends to be admitted; `number` only with the operator's token."""

    instance: str
    token: str
    sip_username: str
    sip_password: str
    number: str = ""

    def __repr__(self) -> str:
        return f"EnrolmentBody(instance={self.instance!r}, number={self.number!r})"  # SR-10: a token and a password


class RemovalBody(msgspec.Struct, frozen=True):
    instance: str
    number: str = ""


class Health(msgspec.Struct, frozen=True):
    status: str
    protocol: str


class Empty(msgspec.Struct, frozen=True):
    pass


class Gateway:
    """`await start()`, then `url` says where clients come to; `await close()` ends it.

    `secret`, of 32 bytes or more, seals the passwords of the accounts at the carrier; it is to be the same at each start.
    `password_of(number)` gives an account's password here, None for a number that has none; `operator` is a token that may
    enrol and remove devices of any number. Without `tls` it listens on loopback only (SR-19).
    """

    def __init__(
        self,
        database: str,
        carrier: CarrierProfile,
        password_of: Callable[[str], str | None],
        secret: bytes,
        *,
        operator: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        pushes: Pushes | None = None,
        limits: GatewayLimits | None = None,
        crypto: CryptoProvider | None = None,
        now: Callable[[], Instant] = system_now,
        rng: Rng = os.urandom,
        checkpoint: Callable[[str], None] = no_checkpoint,
    ) -> None:
        # SR-19: said before anybody is told a password.
        example = carrier.config(Number("+15550100"), "00000000-0000-4000-8000-000000000000", "", "", ())
        check(example)
        shared = tls_context(example) if carrier.tls else None
        self._limits = limits = limits or GatewayLimits()
        self._password_of, self._operator = password_of, operator
        self._now, self._rng = now, rng
        self._office = Office(limits, Sealer(secret, crypto or Pyca(), rng))
        self._writer = Writer(database, Tables, GatewayError, "gateway")
        self._buckets = Buckets(limits.max_buckets)
        self._house = House(
            limits,
            carrier,
            self._office,
            self._writer,
            self._buckets,
            now,
            rng,
            pushes,
            checkpoint,
            Pace(limits.registrations_per_s),
            shared,
        )
        self._lines = Lines(self._house)
        self._links = 0
        self._listener = Listener(host, port, tls, name="gateway", refusal=GatewayError, purge=self.purge, log=_log)
        self._guard = Guard(
            GatewayError,
            name="gateway",
            max_in_flight=limits.max_in_flight,
            max_in_flight_by_address=limits.max_in_flight_by_address,
            admit=self._admit,
            log=_log,
            retry_s=5,
        )

    async def start(self) -> None:
        """Open the database, listen, and begin to register. Raises StoreLocked, StoreError, OSError."""
        await self._writer.start()
        async with contextlib.AsyncExitStack() as begun:
            begun.push_async_callback(self.close)
            await self._lines.start()
            app = web.Application()
            app.router.add_post("/v1/devices", self._guarded(self._enrol))
            app.router.add_post("/v1/devices/remove", self._guarded(self._remove))
            app.router.add_get("/v1/link", self._link)
            app.router.add_get("/v1/health", self._guarded(self._health))
            await self._listener.start(app, max_line=8_192, lingering_s=2.0, shutdown_s=2.0)
            begun.pop_all()

    async def close(self) -> None:
        """Let links and registrations go, then the database."""
        await self._listener.stop()
        await self._lines.close()
        await self._listener.close()
        await self._writer.close()

    @property
    def url(self) -> str:
        """Where clients come to."""
        return self._listener.base

    @property
    def port(self) -> int:
        return self._listener.port

    async def purge(self) -> None:
        """Drop what is older than its bound: messages, answers, devices that do not come any more."""
        now, linked = self._now(), self._lines.linked_devices()
        for device in await self._writer.run(lambda tables: self._office.purge(tables, linked, now)):
            await self._gone(device)

    # --- who asks --------------------------------------------------------------------------------
    def _admit(self, address: str) -> None:
        self._buckets.spend(GatewayError, "gateway.address", address, self._limits.addresses, self._now())

    def _whose(self, request: web.Request) -> Number | None:
        """Whose devices may be asked about; None for those of all, with the operator's token. Before the body is read.
        Raises GatewayError."""
        given = authorization(request.headers.get("Authorization", ""))
        whose = given.username if isinstance(given, Basic) else ""
        key = (address_key(request.remote), whose)
        self._buckets.spend(GatewayError, "gateway.enrolment", key, self._limits.enrolments, self._now())
        if isinstance(given, Basic):
            password = self._password_of(given.username)
            if password and hmac.compare_digest(password.encode(), given.password.encode()):
                return ids.number(given.username)
        elif given is not None and self._operator and hmac.compare_digest(self._operator.encode(), given.encode()):
            return None
        raise _unauthenticated()

    def _device(self, request: web.Request) -> Line:
        """The device that asks to link. Raises GatewayError: the same for an unknown one and a wrong token."""
        given = authorization(request.headers.get("Authorization", ""))
        line = None
        if isinstance(given, Basic) and is_token(given.password):
            number, _, instance = given.username.partition("/")
            line = self._lines.find(Number(number), instance)
            if line is not None and hmac.compare_digest(line.device.token, token_hash(given.password)):
                self._buckets.spend(GatewayError, "gateway.link", number, self._limits.links, self._now())
                return line
        raise _unauthenticated()

    # --- routes ----------------------------------------------------------------------------------
    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            return await self._guard.middleware(request, handler)

        return guarded

    async def _enrol(self, request: web.Request) -> web.StreamResponse:
        whose = self._whose(request)
        body = decode_body(await self._body(request), EnrolmentBody, GatewayError)
        number = whose or ids.number(body.number)
        asked = checked_enrolment(number, body.instance, body.token, body.sip_username, body.sip_password)
        now = self._now()
        device, changed, gone = await self._writer.run(lambda tables: self._office.enrol(tables, asked, now, self._rng))
        if gone is not None:
            await self._gone(gone)
        await self._lines.admit(device, changed=changed)
        return json_answer(Empty())

    async def _remove(self, request: web.Request) -> web.StreamResponse:
        whose = self._whose(request)
        body = decode_body(await self._body(request), RemovalBody, GatewayError)
        number = whose or ids.number(body.number)
        device = await self._writer.run(lambda tables: self._office.forget(tables, number, body.instance))
        if device is not None:
            await self._gone(device)
        return json_answer(Empty())

    async def _health(self, _: web.Request) -> web.StreamResponse:
        return json_answer(Health("ok", SUBPROTOCOL))

    async def _link(self, request: web.Request) -> web.StreamResponse:
        """Outside the guard once it is open: a link is no request that is under way."""
        opened: list[tuple[Line, web.WebSocketResponse]] = []

        async def open_link(request: web.Request) -> web.StreamResponse:
            line = self._device(request)
            offered = request.headers.get("Sec-WebSocket-Protocol", "")
            if SUBPROTOCOL not in [name.strip() for name in offered.split(",")]:
                raise GatewayError("not a link of this version", code="gateway.version", status=400)
            if self._links >= self._limits.max_links:
                raise GatewayError("too many links", code="gateway.busy", status=503, retry_after_s=30)
            socket = web.WebSocketResponse(
                heartbeat=self._limits.heartbeat_ms / 1000,
                protocols=(SUBPROTOCOL,),
                compress=False,  # ciphertext does not shrink, and each compressor has a quarter of a megabyte
                max_msg_size=self._limits.frames.max_frame,
                timeout=self._limits.hello_ms / 1000,
            )
            await socket.prepare(request)
            opened.append((line, socket))
            return socket

        response = await self._guard.middleware(request, open_link)
        for line, socket in opened:
            self._links += 1
            try:
                await Link(self._house, line, socket, request.transport).run()
            finally:
                self._links -= 1
        return response

    async def _body(self, request: web.Request) -> bytes:
        limits = self._limits
        return await read_body(request, GatewayError, limit=limits.max_body, timeout_s=limits.body_ms / 1000)

    async def _gone(self, device: Device) -> None:
        await self._lines.drop(device)
        pushes = self._house.pushes
        if pushes is not None:
            try:
                await pushes.unsubscribe(device.number, device.instance)
            except LetterlockError as error:
                _log.warning("a subscription could not be removed: %s", error.code)


def _unauthenticated() -> GatewayError:
    return GatewayError(
        "not admitted",
        code="gateway.unauthenticated",
        hint="the account's password to enrol, then the device's own token",
        status=401,
    )
