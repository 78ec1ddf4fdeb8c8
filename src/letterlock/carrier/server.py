"""The carrier's sockets: asyncio listener for TCP or TLS, one protocol object per connection.

TLS runs in memory BIOs beside the socket and not inside asyncio's transport, because only so the wire
log can hold every byte twice: as it went over the socket, and as it was after TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import time
from collections.abc import Callable

from ..codec.sip import KeepAlive, Request, Response, StreamParser, encode
from ..codec.sip.stream import Malformed
from ..errors import DecodeError, InputError
from ..ids import Instant, Number, Rng
from .accounts import Accounts
from .logic import Carriage, Hangup, Send
from .proxy import Effect
from .settings import Settings
from .tap import Tap
from .wirelog import WireLogWriter

__all__ = ["Carrier"]

_PONG = b"\r\n"


class Carrier:
    """A carrier that listens. For demo, tests and labs: what it stores is gone when it stops.

    `port` 0 takes a free one; `port` then says which. `tls` is a server-side context. `wire_log` names
    a file that every byte is appended to. `tap` makes it hostile.
    """

    def __init__(
        self,
        host: str,
        port: int,
        accounts: Accounts,
        *,
        tls: ssl.SSLContext | None = None,
        wire_log: str | os.PathLike[str] | None = None,
        settings: Settings | None = None,
        tap: Tap | None = None,
        clock: Callable[[], Instant] | None = None,
        rng: Rng = os.urandom,
    ) -> None:
        self.host = host
        self.port = port
        self._accounts = accounts
        self._tls = tls
        self._settings = settings or Settings()
        self._tap = tap
        self._clock = clock or (lambda: time.time_ns() // 1_000_000)
        self._rng = rng
        self._log = None if wire_log is None else WireLogWriter(wire_log)
        self._server: asyncio.Server | None = None
        self._carriage: Carriage | None = None
        self._connections: dict[int, _Connection] = {}
        self._last = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def domain(self) -> str:
        return self._settings.domain

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self._carriage = Carriage(
            self._settings,
            self._accounts,
            transport="TCP" if self._tls is None else "TLS",
            # A wildcard is no address that could stand in Via or Service-Route.
            host=self._settings.domain if self.host in ("", "0.0.0.0", "::") else self.host,  # noqa: S104
            port=self.port,
            key=self._rng(32),
            rng=self._rng,
            tap=self._tap,
        )
        self._rearm()

    async def close(self) -> None:
        """Stop listening, close every connection, finish the log."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._server is not None:
            self._server.close()
        closing = [connection.close("the carrier stops") for connection in list(self._connections.values())]
        for closed in closing:
            await closed.wait()
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None
        if self._log is not None:
            self._log.close()
            self._log = None

    async def __aenter__(self) -> Carrier:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    def online(self, phone: Number) -> int:
        """How many devices of a number are registered now."""
        return sum(device.connection is not None for device in self._core.locations.of(phone))

    def kept(self, phone: Number) -> int:
        """How many messages are kept for the devices of a number."""
        return sum(len(self._core.mailbox.of(device.key)) for device in self._core.locations.of(phone))

    def inject(self, request: Request, phone: Number) -> None:
        """Forge a request to all devices of a number. For tests of hostile carriers."""
        self._perform(self._core.inject(request, phone, self._clock()))

    def cut(self, phone: Number) -> None:
        """Break the connections of a number's devices. For tests of bad networks."""
        for device in self._core.locations.of(phone):
            if device.connection is not None and (connection := self._connections.get(device.connection)):
                connection.close("cut")

    # --- what connections call -----------------------------------------------------------------------
    @property
    def _core(self) -> Carriage:
        assert self._carriage is not None, "not started"
        return self._carriage

    def _opened(self, connection: _Connection, host: str, port: int) -> int | None:
        if self._server is None or len(self._connections) >= self._settings.max_connections:
            return None
        self._last += 1
        self._connections[self._last] = connection
        self._note("O", self._last, f"{'tcp' if self._tls is None else 'tls'} {host}:{port}".encode())
        self._core.connected(self._last, host, port)
        return self._last

    def _received(self, connection: int, item: Request | Response | KeepAlive | Malformed) -> None:
        if isinstance(item, KeepAlive):
            if item is KeepAlive.PING and connection in self._connections:
                self._connections[connection].write(_PONG)
        elif isinstance(item, Malformed):
            self._perform(self._core.malformed(connection))
        else:
            self._perform(self._core.received(connection, item, self._clock()))

    def _closed(self, connection: int, why: str) -> None:
        if self._connections.pop(connection, None) is None:
            return
        self._note("C", connection, why.encode())
        self._perform(self._core.disconnected(connection, self._clock()))

    def _note(self, kind: str, connection: int, payload: bytes) -> None:
        if self._log is not None:
            self._log.write(kind, connection, self._clock(), payload)

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            connection = self._connections.get(effect.connection)
            if connection is None:
                continue
            if isinstance(effect, Hangup):
                connection.close(effect.reason)
            elif isinstance(effect, Send):
                try:
                    connection.write(encode(effect.message))
                except InputError:
                    # What came in cannot go out on one line: nothing that is worth passing on.
                    continue
        self._rearm()

    def _rearm(self) -> None:
        if self._server is None or self._carriage is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        delay = max(0, self._carriage.next_deadline() - self._clock()) / 1000
        self._timer = asyncio.get_running_loop().call_later(delay, self._due)

    def _due(self) -> None:
        self._perform(self._core.on_deadline(self._clock()))


class _Connection(asyncio.Protocol):
    """One peer: bytes to messages and back, TLS, time limits."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._settings = carrier._settings
        self._parser = StreamParser(self._settings.sip)
        self._id = 0
        self._transport: asyncio.Transport | None = None
        self._gone = asyncio.Event()
        self._why = "closed by the peer"
        self._closing = False
        self._limit: asyncio.TimerHandle | None = None
        self._opened_at = 0.0
        self._partial_since: float | None = None
        self._trusted = False
        self._tls: ssl.SSLObject | None = None
        self._handshaken = carrier._tls is None
        self._finished = False  # the peer's close_notify has come
        if carrier._tls is not None:
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self._tls = carrier._tls.wrap_bio(self._incoming, self._outgoing, server_side=True)

    # --- asyncio -------------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername") or ("unknown", 0)
        number = self._carrier._opened(self, str(peer[0]), int(peer[1]))
        if number is None:
            self._gone.set()
            transport.abort()
            return
        self._id = number
        self._opened_at = asyncio.get_running_loop().time()
        self._set_limit()

    def data_received(self, data: bytes) -> None:
        if self._closing or not self._id:
            return
        self._carrier._note("r", self._id, data)
        try:
            self._take(data if self._tls is None else self._decrypt(data))
            if self._finished:
                self.close("closed by the peer")
        except DecodeError as error:
            self.close(f"framing lost: {error.code}")
        except ssl.SSLError as error:
            self._flush()
            self.close(f"TLS: {error.reason}")

    def eof_received(self) -> None:
        return None

    def connection_lost(self, exception: Exception | None) -> None:
        if self._limit is not None:
            self._limit.cancel()
        self._gone.set()
        if self._id:
            self._carrier._closed(self._id, self._why)

    # --- out -----------------------------------------------------------------------------------------
    def write(self, data: bytes) -> None:
        """Queue bytes for the peer; one that does not read is cut off before it costs too much."""
        if self._closing or self._transport is None:
            return
        if self._tls is None:
            self._put(data)
        else:
            self._carrier._note("S", self._id, data)
            try:
                self._tls.write(data)
            except ssl.SSLError:
                return  # the peer has said goodbye; its connection_lost follows
            self._flush()
        if self._transport.get_write_buffer_size() > self._settings.max_unsent_bytes:
            self._why = "does not read"
            self._closing = True
            self._transport.abort()

    def close(self, why: str) -> asyncio.Event:
        """Close after what is queued; the event is set when it is over."""
        if not self._closing and self._transport is not None:
            self._why = why
            self._closing = True
            if self._tls is not None and self._handshaken:
                with contextlib.suppress(ssl.SSLError):
                    self._tls.unwrap()
                self._flush()
            if not self._gone.is_set():
                self._transport.close()
                asyncio.get_running_loop().call_later(1, self._transport.abort)
        return self._gone

    def _put(self, data: bytes) -> None:
        assert self._transport is not None
        self._carrier._note("s", self._id, data)
        self._transport.write(data)

    # --- in ------------------------------------------------------------------------------------------
    def _take(self, data: bytes) -> None:
        for item in self._parser.feed(data) if data else ():
            self._carrier._received(self._id, item)
            if self._closing:
                return
        now = asyncio.get_running_loop().time()
        if self._parser.idle:
            self._partial_since = None
        elif self._partial_since is None:
            self._partial_since = now
        if not self._trusted and self._carrier._core.has_registered(self._id):
            self._trusted = True
        self._set_limit()

    def _decrypt(self, data: bytes) -> bytes:
        assert self._tls is not None
        self._incoming.write(data)
        plain = bytearray()
        try:
            if not self._handshaken:
                self._tls.do_handshake()
                self._handshaken = True
            while piece := self._tls.read(65536):
                plain += piece
            self._finished = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._finished = True
        self._flush()
        if plain:
            self._carrier._note("R", self._id, bytes(plain))
        return bytes(plain)

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._put(self._outgoing.read())

    def _set_limit(self) -> None:
        """Wind the clock for the nearest of the limits: first registration, a message that trickles in, silence."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._trusted:
            limits = [(now + self._settings.idle_timeout_ms / 1000, "silent")]
        else:
            # Counted from the connection's start: nothing that an unknown peer says winds it back.
            limits = [(self._opened_at + self._settings.handshake_timeout_ms / 1000, "did not register")]
        if self._partial_since is not None:
            limits.append((self._partial_since + self._settings.message_timeout_ms / 1000, "message too slow"))
        at, why = min(limits)
        if self._limit is not None:
            self._limit.cancel()
        self._limit = loop.call_at(at, self.close, why)
