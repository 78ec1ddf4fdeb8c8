"""The carrier's sockets: listeners for phones, application servers and MSRP, links to application servers, one clock."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import ssl
import time
from collections.abc import Callable

from ..codec.msrp import MsrpUri
from ..codec.sip import Request, Response, encode
from ..codec.sip.stream import Malformed
from ..errors import InputError
from ..ids import Instant, Number, Rng
from ..sip.digest_server import DigestServer
from .accounts import Accounts
from .effects import Effect, Hangup
from .links import Link
from .logic import Carriage
from .msrp_tap import MsrpTap
from .relay_port import RelayPort
from .settings import ApplicationServer, Settings
from .sip_stream import SipStream
from .stream import StreamLimits, Wires
from .tap import Tap
from .wirelog import WireLogWriter

__all__ = ["Carrier"]


class Carrier:
    """A carrier that listens. For demo, tests and labs: what it stores is gone when it stops.

    `port` 0 takes a free one; `port` then says which. `tls` is a server-side context. `wire_log` names
    a file that every byte is appended to. `tap` makes it hostile. `server_port` opens the listener for application
    servers on `server_host`: whoever can connect to it is trusted, so it is for the loopback interface or a network
    of its own. `msrp_port` opens an MSRP relay on `host`, which `msrp_uri` names; `msrp_tap` makes it hostile.
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
        server_port: int | None = None,
        server_host: str = "127.0.0.1",
        msrp_port: int | None = None,
        msrp_tap: MsrpTap | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.server_host = server_host
        self.server_port = server_port
        self.msrp_port = msrp_port
        self._msrp_tap = msrp_tap
        self._relay: RelayPort | None = None
        self._accounts = accounts
        self._tls = tls
        self._settings = settings or Settings()
        self._tap = tap
        self._clock = clock or (lambda: time.time_ns() // 1_000_000)
        self._rng = rng
        log = None if wire_log is None else WireLogWriter(wire_log)
        self._wires = Wires(log, self._clock, self._settings.max_connections)
        self._limits = StreamLimits(
            self._settings.handshake_timeout_ms,
            self._settings.message_timeout_ms,
            self._settings.idle_timeout_ms,
            self._settings.max_unsent_bytes,
        )
        self._listeners: list[asyncio.Server] = []
        self._carriage: Carriage | None = None
        self._phones: dict[int, SipStream] = {}
        self._links: dict[int, Link] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: Instant = 0

    @property
    def domain(self) -> str:
        return self._settings.domain

    async def start(self) -> None:
        """Listen. Raises OSError when a port is taken."""
        try:
            self.port = await self._listen(lambda: self._stream(self._tls), self.host, self.port)
            if self.server_port is not None:
                self.server_port = await self._listen(
                    lambda: self._stream(None, trusted=True), self.server_host, self.server_port
                )
            if self.msrp_port is not None:
                self.msrp_port = await self._listen(self._msrp_stream, self.host, self.msrp_port)
        except OSError:
            await self.close()
            raise
        self._carriage = Carriage(
            self._settings,
            self._accounts,
            transport="TCP" if self._tls is None else "TLS",
            host=self._name,
            port=self.port,
            key=self._rng(32),
            rng=self._rng,
            tap=self._tap,
            server_port=self.server_port,
        )
        if self.msrp_uri is not None:
            self._relay = self._make_relay(self.msrp_uri)
        for listener in self._listeners:
            await listener.start_serving()
        self._rearm()

    async def close(self) -> None:
        """Stop listening, close every connection, finish the log."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for listener in self._listeners:
            listener.close()
        for link in self._links.values():
            link.give_up()
        if self._relay is not None:
            self._relay.close()
        await self._wires.close()
        for listener in self._listeners:
            await listener.wait_closed()
        self._listeners.clear()

    async def __aenter__(self) -> Carrier:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    @property
    def msrp_uri(self) -> MsrpUri | None:
        """The relay's own address, None when there is no relay."""
        if self.msrp_port is None:
            return None
        host = f"[{self._name}]" if ":" in self._name else self._name
        return MsrpUri("msrp" if self._tls is None else "msrps", host, self.msrp_port, None)

    def serve(self, server: ApplicationServer) -> None:
        """Send requests for its users to one more application server from now on."""
        self._core.serve(server)

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
            if device.connection is not None and (stream := self._phones.get(device.connection)):
                stream.close("cut")

    # --- what connections call -----------------------------------------------------------------------
    def sip_opened(self, stream: SipStream, host: str, port: int) -> None:
        if stream.link:
            self._links[stream.link].opened(stream)
            return
        self._phones[stream.number] = stream
        self._core.connected(stream.number, host, port, trusted=stream.trusted)
        if stream.trusted and not self._core.trusts(host):
            stream.close("no application server")

    def sip_received(self, stream: SipStream, item: Request | Response | Malformed) -> None:
        if isinstance(item, Malformed):
            self._perform(self._core.malformed(stream.name))
        else:
            self._perform(self._core.received(stream.name, item, self._clock()))

    def sip_closed(self, stream: SipStream) -> None:
        if stream.link:
            self._links[stream.link].closed()
            self.unreachable(stream.link)
        elif self._phones.pop(stream.number, None) is not None:
            self._perform(self._core.disconnected(stream.number, self._clock()))

    def sip_admitted(self, stream: SipStream) -> bool:
        return bool(stream.link) or self._core.has_registered(stream.number)

    def unreachable(self, link: int) -> None:
        """A link broke or could not be opened: what was on its way over it is lost."""
        if self._listeners:
            self._perform(self._core.disconnected(link, self._clock()))

    # --- help ----------------------------------------------------------------------------------------
    @property
    def _core(self) -> Carriage:
        assert self._carriage is not None, "not started"
        return self._carriage

    @property
    def _name(self) -> str:
        # A wildcard is no address that could stand in Via, Service-Route or a path.
        return self._settings.domain if self.host in ("", "0.0.0.0", "::") else self.host  # noqa: S104

    def _make_relay(self, uri: MsrpUri) -> RelayPort:
        settings = self._settings
        require_tls = settings.relay.require_tls and self._tls is not None
        # Digest without a qop proves nothing to the client, and RFC 4976 section 9.1 forbids it.
        digest = DigestServer(
            settings.domain, self._rng(32), self._accounts.password_of, algorithms=settings.algorithms, qop=("auth",)
        )
        return RelayPort(
            dataclasses.replace(settings.relay, require_tls=require_tls),
            self._limits,
            uri,
            digest,
            self._wires,
            tls=self._tls,
            next_hops=settings.relay_next_hops,
            connect_timeout_ms=settings.branch_timeout_ms,
            clock=self._clock,
            rng=self._rng,
            tap=self._msrp_tap,
        )

    def _msrp_stream(self) -> asyncio.Protocol:
        assert self._relay is not None, "not started"
        return self._relay.accept()

    async def _listen(self, factory: Callable[[], asyncio.Protocol], host: str, port: int) -> int:
        listener = await asyncio.get_running_loop().create_server(factory, host, port, start_serving=False)
        self._listeners.append(listener)
        bound: int = listener.sockets[0].getsockname()[1]
        return bound

    def _stream(self, tls: ssl.SSLContext | None, *, trusted: bool = False, link: int = 0) -> SipStream:
        return SipStream(self, self._wires, self._limits, tls, self._settings.sip, trusted=trusted, link=link)

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Hangup):
                if (stream := self._phones.get(effect.connection)) is not None:
                    stream.close(effect.reason)
                continue
            try:
                data = encode(effect.message)
            except InputError:
                # What came in cannot go out on one line: nothing that is worth passing on.
                continue
            if effect.connection < 0:
                self._link(effect.connection).write(data)
            elif (stream := self._phones.get(effect.connection)) is not None:
                stream.write(data)
        self._rearm()

    def _link(self, number: int) -> Link:
        link = self._links.get(number)
        if link is None:
            server = self._core.server_at(number)
            link = self._links[number] = Link(
                server,
                lambda: self._stream(None, trusted=True, link=number),
                lambda: self.unreachable(number),
                self._settings.max_unsent_bytes,
                self._settings.branch_timeout_ms,
            )
        return link

    def _rearm(self) -> None:
        """Wake when something is due; a timer that fires early does no harm, so it is moved only forward."""
        if not self._listeners or self._carriage is None:
            return
        at = self._carriage.next_deadline()
        if self._timer is not None:
            if at >= self._timer_at:
                return
            self._timer.cancel()
        self._timer_at = at
        delay = max(0, at - self._clock()) / 1000
        self._timer = asyncio.get_running_loop().call_later(delay, self._due)

    def _due(self) -> None:
        self._timer = None
        self._perform(self._core.on_deadline(self._clock()))
