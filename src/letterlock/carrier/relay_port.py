"""The MSRP relay's sockets: RFC 4976 beside the SIP side, in the same process and in the same wire log.

The relay itself is `msrp.Relay`; it is bounded, and pauses a connection whose bytes are not taken further on. It opens
connections only to the hosts that the settings name: the addresses in a path are of the users' choice (SR-14).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from ..codec.msrp import MsrpUri
from ..ids import Instant, Rng
from ..msrp import CloseWanted, ConnectWanted, Relay, RelaySettings
from ..sip.digest_server import DigestServer
from .msrp_tap import MsrpTap, TappedHop
from .stream import Stream, StreamLimits, Wires
from .timers import Timers

__all__ = ["RelayPort", "may_connect"]

_PIECE = 65_536
_HIGH_WATER = 262_144
_FIRST_USER_PORT = 1024


class RelayPort:
    """A relay that listens. `uri` is what clients name it by; `next_hops` the hosts that it connects to."""

    def __init__(
        self,
        settings: RelaySettings,
        limits: StreamLimits,
        uri: MsrpUri,
        digest: DigestServer,
        wires: Wires,
        *,
        tls: ssl.SSLContext | None,
        next_hops: tuple[str, ...],
        connect_timeout_ms: int,
        clock: Callable[[], Instant],
        rng: Rng,
        tap: MsrpTap | None,
    ) -> None:
        self._relay = Relay(settings, uri, digest, rng)
        self._codec = settings.limits
        self._limits = limits
        self._wires = wires
        self._tls = tls
        self._next_hops = next_hops
        self._connect_timeout_ms = connect_timeout_ms
        self._clock = clock
        self._rng = rng
        self._tap = tap
        self._streams: dict[int, MsrpStream] = {}
        self._timers: Timers[int] = Timers()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: Instant = 0
        self._connecting: set[asyncio.Task[None]] = set()
        self._closed = False

    def accept(self) -> MsrpStream:
        """The protocol of a connection that a client opens."""
        return self._stream(self._tls, 0)

    def close(self) -> None:
        """The carrier stops; its `Wires` close the connections."""
        self._closed = True
        for task in self._connecting:
            task.cancel()
        if self._timer is not None:
            self._timer.cancel()

    # --- what connections call -----------------------------------------------------------------------
    def opened(self, stream: MsrpStream) -> None:
        now = self._clock()
        if stream.hop:
            self._streams[stream.hop] = stream
            self._relay.opened(stream.hop, now)
        else:
            stream.hop = self._relay.connected(secure=self._tls is not None, now=now)
            self._streams[stream.hop] = stream
        self._settle({stream.hop})

    def received(self, stream: MsrpStream, data: bytes) -> None:
        self._relay.receive_data(stream.hop, data, self._clock())
        self._settle({stream.hop})

    def drained(self, stream: MsrpStream) -> None:
        """It takes bytes again."""
        self._settle({stream.hop})

    def closed(self, stream: MsrpStream) -> None:
        if self._streams.pop(stream.hop, None) is not None:
            self._lost(stream.hop)

    # --- help ----------------------------------------------------------------------------------------
    def _lost(self, hop: int) -> None:
        self._relay.lost(hop, self._clock())
        self._timers.cancel(hop)
        self._settle(set())

    def _stream(self, tls: ssl.SSLContext | None, hop: int) -> MsrpStream:
        tapped = None if self._tap is None else TappedHop(self._tap, self._codec, self._rng)
        return MsrpStream(self, self._wires, self._limits, tls, hop, tapped)

    def _settle(self, hops: set[int]) -> None:
        """Do what the relay wants done, and move bytes as far as they go."""
        if self._closed:
            return
        for event in self._relay.events():
            if isinstance(event, ConnectWanted):
                task = asyncio.get_running_loop().create_task(self._connect(event))
                self._connecting.add(task)
                task.add_done_callback(self._connecting.discard)
            else:
                self._close(event)
        todo = hops | self._relay.touched()
        while todo:
            hop = todo.pop()
            stream = self._streams.get(hop)
            if stream is not None:
                self._pump(hop, stream)
                stream.pause(self._relay.paused(hop))
            deadline = self._relay.next_deadline(hop)
            if deadline is None:
                self._timers.cancel(hop)
            else:
                self._timers.set(hop, deadline)
            todo |= self._relay.touched() - {hop}
        self._rearm()

    def _pump(self, hop: int, stream: MsrpStream) -> None:
        while not stream.blocked and self._relay.wants_to_send(hop):
            data = self._relay.data_to_send(hop, _PIECE, self._clock())
            if not data:
                return
            stream.put(data)

    def _close(self, event: CloseWanted) -> None:
        stream = self._streams.pop(event.connection, None)
        self._timers.cancel(event.connection)
        if stream is not None:
            stream.close(event.reason)

    async def _connect(self, event: ConnectWanted) -> None:
        try:
            if may_connect(event.uri, self._next_hops):
                async with asyncio.timeout(self._connect_timeout_ms / 1000):
                    await asyncio.get_running_loop().create_connection(
                        lambda: self._stream(None, event.connection), event.uri.host.strip("[]"), event.uri.port or 0
                    )
        except (OSError, TimeoutError):
            pass
        if event.connection not in self._streams and not self._closed:
            self._lost(event.connection)

    def _rearm(self) -> None:
        at = self._timers.next()
        if at is None or self._closed:
            return
        if self._timer is not None:
            if at >= self._timer_at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = asyncio.get_running_loop().call_later(max(0, at - self._clock()) / 1000, self._due)

    def _due(self) -> None:
        self._timer = None
        now = self._clock()
        due = set(self._timers.due(now))
        for hop in due:
            self._relay.on_deadline(hop, now)
        self._settle(due)


class MsrpStream(Stream):
    """One connection of the relay; `hop` is the relay's number for it, 0 before it has one."""

    __slots__ = ("_paused", "_port", "_tapped", "blocked", "hop")

    def __init__(
        self,
        port: RelayPort,
        wires: Wires,
        limits: StreamLimits,
        tls: ssl.SSLContext | None,
        hop: int,
        tapped: TappedHop | None,
    ) -> None:
        super().__init__(wires, limits, tls)
        self._port = port
        self._tapped = tapped
        self._paused = False
        self.blocked = False
        self.hop = hop

    def label(self, peer: str) -> str:
        return f"{peer} msrp"

    def begin(self, host: str, port: int) -> None:
        assert self._transport is not None
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        self._port.opened(self)

    def take(self, data: bytes) -> None:
        self._port.received(self, data if self._tapped is None else self._tapped.inward(data))

    def put(self, data: bytes) -> None:
        """Send what the relay gave, or what a tap makes of it."""
        if self._tapped is None:
            self.write(data)
            return
        done = self._tapped.outward(data)
        if done.now:
            self.write(bytes(done.now))
        loop = asyncio.get_running_loop()
        for late_ms, kept in done.later:
            loop.call_later(late_ms / 1000, self.write, kept)
        if done.told:
            loop.call_soon(self._port.received, self, bytes(done.told))
        if done.cut:
            self.close("cut by the tap")

    def pause(self, wanted: bool) -> None:
        """Stop or go on reading."""
        if wanted == self._paused or self._transport is None or self._closing:
            return
        self._paused = wanted
        if wanted:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        self.blocked = True

    def resume_writing(self) -> None:
        self.blocked = False
        self._port.drained(self)

    def between_messages(self) -> bool:
        # How long a message may take is the relay's business: it may be large, and another's pace may be what holds it.
        return True

    def is_admitted(self) -> bool:
        # The relay gives an unknown peer thirty seconds (RFC 4976 section 6.1); before that there is the handshake.
        return self._handshaken

    def end(self) -> None:
        self._port.closed(self)


def may_connect(uri: MsrpUri, next_hops: tuple[str, ...]) -> bool:
    """Whether the relay goes where a user's path leads: to named hosts, to no port of a system's service (SR-14).

    TLS to a client that is known by no certificate but its own could not be verified here (SR-19).
    """
    return uri.host.strip("[]") in next_hops and (uri.port or 0) >= _FIRST_USER_PORT and not uri.secure
