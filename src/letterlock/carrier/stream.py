"""One connection of the carrier: bytes in and out, TLS, the wire log, time limits. What is spoken over it is a subclass's.

TLS runs in memory BIOs beside the socket and not inside asyncio's transport, because only so the wire
log can hold every byte twice: as it went over the socket, and as it was after TLS.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import DecodeError
from ..ids import Instant
from .wirelog import WireLogWriter

__all__ = ["Stream", "StreamLimits", "Wires"]

_READ = 65_536
_GOODBYE_SECONDS = 1


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Milliseconds and bytes; `Settings` says what they are for."""

    handshake_timeout_ms: int
    message_timeout_ms: int
    idle_timeout_ms: int
    max_unsent_bytes: int


class Wires:
    """All connections of one carrier, of whatever kind: their numbers, and the log that they are written to."""

    def __init__(self, log: WireLogWriter | None, clock: Callable[[], Instant], max_connections: int) -> None:
        self.open: dict[int, Stream] = {}
        self.accepting = True
        self._log = log
        self._clock = clock
        self._max = max_connections
        self._last = 0

    def add(self, stream: Stream, label: str) -> int | None:
        """The number of a new connection, None when there is no room for it."""
        if not self.accepting or len(self.open) >= self._max:
            return None
        self._last += 1
        self.open[self._last] = stream
        self.note("O", self._last, label.encode())
        return self._last

    def remove(self, number: int, why: str) -> None:
        del self.open[number]
        self.note("C", number, why.encode())

    def note(self, kind: str, number: int, payload: bytes | bytearray | memoryview) -> None:
        if self._log is not None:
            self._log.write(kind, number, self._clock(), payload)

    async def close(self) -> None:
        """Close every connection and finish the log."""
        self.accepting = False
        for closed in [stream.close("the carrier stops") for stream in list(self.open.values())]:
            await closed.wait()
        if self._log is not None:
            self._log.close()
            self._log = None


class Stream(asyncio.Protocol, abc.ABC):
    """A subclass says what comes of the bytes, and when it stands between two messages."""

    __slots__ = (
        "_admitted",
        "_closing",
        "_finished",
        "_gone",
        "_handshaken",
        "_incoming",
        "_limit",
        "_limits",
        "_opened_at",
        "_outgoing",
        "_partial_since",
        "_seen_at",
        "_tls",
        "_transport",
        "_why",
        "_wires",
        "number",
    )

    def __init__(self, wires: Wires, limits: StreamLimits, tls: ssl.SSLContext | None) -> None:
        self.number = 0
        self._wires = wires
        self._limits = limits
        self._transport: asyncio.Transport | None = None
        self._gone: asyncio.Event | None = None
        self._why = "closed by the peer"
        self._closing = False
        self._limit: asyncio.TimerHandle | None = None
        self._opened_at = self._seen_at = 0.0
        self._partial_since: float | None = None
        self._admitted = False
        self._tls: ssl.SSLObject | None = None
        self._handshaken = tls is None
        self._finished = False  # the peer's close_notify has come
        if tls is not None:
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self._tls = tls.wrap_bio(self._incoming, self._outgoing, server_side=True)

    # --- what a subclass says --------------------------------------------------------------------------
    @abc.abstractmethod
    def label(self, peer: str) -> str:
        """What the log calls it."""

    @abc.abstractmethod
    def begin(self, host: str, port: int) -> None:
        """It is open and has its number."""

    @abc.abstractmethod
    def take(self, data: bytes) -> None:
        """Bytes came. Raises DecodeError when nobody knows where the next message starts."""

    @abc.abstractmethod
    def between_messages(self) -> bool:
        """Whether nothing is half there."""

    @abc.abstractmethod
    def is_admitted(self) -> bool:
        """Whether its peer has proven who it is; until then it has little time."""

    @abc.abstractmethod
    def end(self) -> None:
        """It is gone."""

    # --- asyncio -------------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername") or ("unknown", 0)
        host, port = str(peer[0]), int(peer[1])
        kind = "tcp" if self._tls is None else "tls"
        number = self._wires.add(self, self.label(f"{kind} {host}:{port}"))
        if number is None:
            self._closing = True
            transport.abort()
            return
        self.number = number
        self._opened_at = self._seen_at = asyncio.get_running_loop().time()
        self.begin(host, port)
        self._watch()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        self._wires.note("r", self.number, data)
        try:
            plain = data if self._tls is None else self._decrypt(data)
            if plain:
                self.take(plain)
            if self._closing:
                return
            if self._finished:
                self.close("closed by the peer")
                return
        except DecodeError as error:
            self.close(f"framing lost: {error.code}")
            return
        except ssl.SSLError as error:
            self._flush()
            self.close(f"TLS: {error.reason}")
            return
        self._watch()

    def eof_received(self) -> None:
        return None

    def connection_lost(self, exception: Exception | None) -> None:
        if self._limit is not None:
            self._limit.cancel()
        if self._gone is not None:
            self._gone.set()
        self._closing = True
        if self.number:
            self._wires.remove(self.number, self._why)
            self.end()
        self._transport = None

    # --- out -----------------------------------------------------------------------------------------
    def write(self, data: bytes) -> None:
        """Queue bytes for the peer; one that does not read is cut off before it costs too much."""
        if self._closing or self._transport is None:
            return
        if self._tls is None:
            self._put(data)
        else:
            self._wires.note("S", self.number, data)
            try:
                self._tls.write(data)
            except ssl.SSLError:
                return  # the peer has said goodbye; its connection_lost follows
            self._flush()
        if self.unsent > self._limits.max_unsent_bytes:
            self._why = "does not read"
            self._closing = True
            self._transport.abort()

    @property
    def unsent(self) -> int:
        """Bytes that wait for the peer to read."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def close(self, why: str) -> asyncio.Event:
        """Close after what is queued; the event is set when it is over."""
        if self._gone is None:
            self._gone = asyncio.Event()
            if self._transport is None:
                self._gone.set()
        if not self._closing and self._transport is not None:
            self._why = why
            self._closing = True
            if self._tls is not None and self._handshaken:
                with contextlib.suppress(ssl.SSLError):
                    self._tls.unwrap()
                self._flush()
            self._transport.close()
            asyncio.get_running_loop().call_later(_GOODBYE_SECONDS, self._transport.abort)
        return self._gone

    def _put(self, data: bytes) -> None:
        if self._transport is not None:
            self._wires.note("s", self.number, data)
            self._transport.write(data)

    # --- in ------------------------------------------------------------------------------------------
    def _decrypt(self, data: bytes) -> bytes:
        assert self._tls is not None
        self._incoming.write(data)
        plain = bytearray()
        try:
            if not self._handshaken:
                self._tls.do_handshake()
                self._handshaken = True
            while piece := self._tls.read(_READ):
                plain += piece
            self._finished = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._finished = True
        self._flush()
        if plain:
            self._wires.note("R", self.number, bytes(plain))
        return bytes(plain)

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._put(self._outgoing.read())

    # --- time ------------------------------------------------------------------------------------------
    def _watch(self) -> None:
        """Note what the limits are counted from. The timer itself is moved only when it fires, or must fire sooner."""
        now = asyncio.get_running_loop().time()
        self._seen_at = now
        if self.between_messages():
            self._partial_since = None
        elif self._partial_since is None:
            self._partial_since = now
        self._admitted = self._admitted or self.is_admitted()
        at, _ = self._deadline()
        if self._limit is None or at < self._limit.when():
            self._set(at)

    def _deadline(self) -> tuple[float, str]:
        """The nearest of the limits: admission, a message that trickles in, silence."""
        limits = self._limits
        if self._admitted:
            nearest = (self._seen_at + limits.idle_timeout_ms / 1000, "silent")
        else:
            # Counted from the connection's start: nothing that an unknown peer says winds it back.
            nearest = (self._opened_at + limits.handshake_timeout_ms / 1000, "did not register")
        if self._partial_since is not None:
            nearest = min(nearest, (self._partial_since + limits.message_timeout_ms / 1000, "message too slow"))
        return nearest

    def _set(self, at: float) -> None:
        if self._limit is not None:
            self._limit.cancel()
        self._limit = asyncio.get_running_loop().call_at(at, self._due)

    def _due(self) -> None:
        at, why = self._deadline()
        self._limit = None
        if at <= asyncio.get_running_loop().time():
            self.close(why)
        else:
            self._set(at)
