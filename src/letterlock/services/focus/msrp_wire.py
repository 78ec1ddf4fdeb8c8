"""One MSRP connection of the focus: asyncio around `letterlock.msrp`.

A message is put together in memory, bounded before it is taken, and confirmed only when whoever took it says that it is
on the disk (SR-06). What a slow reader does not take stays in the socket's buffer up to a bound and is not produced
beyond it: its window closes and the rest waits in the store.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ...codec.msrp import Limits
from ...errors import LetterlockError
from ...ids import Rng
from ...msrp import (
    BytesSource,
    Connection,
    Disconnected,
    EndpointSettings,
    Event,
    MessageBroken,
    MessagePiece,
    MessageReceived,
    MessageStarted,
    SendCompleted,
    SendFailed,
    SessionBound,
    SessionFailed,
    SessionTable,
)

__all__ = ["Arrived", "Handler", "MsrpSettings", "Wire"]


@dataclass(frozen=True, slots=True)
class MsrpSettings:
    """Every size, time and count of this edge. `report_ms`: how long a device may take to say that a message is safe."""

    max_message: int
    window: int
    report_ms: int = 60_000
    transaction_ms: int = 30_000
    bind_ms: int = 30_000
    connect_s: float = 10.0
    stall_s: float = 30.0
    write_bytes: int = 65_536
    read_bytes: int = 8_192
    held_bytes: int = 4 << 20
    """Of messages of one connection that are not on the disk; reading pauses above it."""
    max_connections: int = 20_000

    def endpoint(self) -> EndpointSettings:
        return EndpointSettings(
            limits=Limits(max_line=8192, max_headers=64, max_path=10),
            transaction_ms=self.transaction_ms,
            report_ms=self.report_ms,
            bind_ms=self.bind_ms,
            stalled_ms=60_000,
            keepalive_ms=None,
            turn=1 << 30,
            max_outgoing=self.window + 8,
            max_transactions=256,
            max_incoming=64,
            max_unconfirmed=1024,
            max_gaps=16,
            max_gap_bytes=65_536,
            max_strikes=8,
            remembered=256,
            max_control=262_144,
        )


@dataclass(frozen=True, slots=True)
class Arrived:
    """A whole message. Give it to `Wire.confirm` or `Wire.reject`."""

    wire: Wire
    number: int
    session: str
    message_id: str
    content_type: str
    data: bytes


class Handler(Protocol):
    """Who is told."""

    def session_bound(self, session: str, wire: Wire, /) -> None: ...

    def session_failed(self, session: str, reason: str, /) -> None: ...

    def message_arrived(self, arrived: Arrived, /) -> None: ...

    def message_sent(self, session: str, message_id: str, status: int, /) -> None:
        """Status 200: the far end has it and said so."""
        ...


class Wire(asyncio.BufferedProtocol):
    """One connection."""

    def __init__(
        self,
        settings: MsrpSettings,
        sessions: SessionTable,
        handler: Handler,
        rng: Rng,
        admit: Callable[[Wire], bool],
        gone: Callable[[Wire], None],
        buffer: bytearray,
    ) -> None:
        self._settings = settings
        self._reading_buffer = buffer
        self._handler = handler
        self._admit = admit
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._core = Connection(settings.endpoint(), sessions, rng, self._now())
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._flush_asked = False
        self._blocked = False
        self._reading = True
        self._queue: deque[tuple[str, str, str, bytes, bool]] = deque()
        self._sends: dict[int, tuple[str, str]] = {}
        self._arriving: dict[int, tuple[MessageStarted, bytearray]] = {}
        self._held: dict[int, int] = {}
        self._held_bytes = 0
        self.closed: asyncio.Future[None] = self._loop.create_future()

    # --- what the focus asks for -----------------------------------------------------------------------
    def send(self, session: str, message_id: str, content_type: str, data: bytes, *, reported: bool = True) -> None:
        """Send a message behind all that were given before; how it ends is told to the handler, once."""
        self._queue.append((session, message_id, content_type, data, reported))
        self._ask_flush()

    def flush(self) -> None:
        """Write what is to be written now and not at the end of this turn: whoever writes to many counts the time."""
        self._flush()

    def confirm(self, number: int) -> None:
        """The message is on the disk: its sender may know."""
        self._core.confirm(number)
        self._release(number)

    def reject(self, number: int, status: int, reason: str) -> None:
        """The message is refused."""
        self._core.reject(number, status, reason)
        self._release(number)

    def open_session(self, session: str) -> None:
        """We are its active side. Raises InputError when it cannot be bound here."""
        self._core.open_session(session, self._now())
        self._work()

    def release_session(self, session: str) -> None:
        """The session is over; a connection that has no other ends with it."""
        self._core.release_session(session)
        self._work()
        if not self._core.sessions:
            self.close()

    def close(self) -> asyncio.Future[None]:
        """End it when what is queued is out."""
        if self._transport is None:
            return self.closed
        self._flush()
        self._transport.close()
        self._loop.call_later(2, self._transport.abort)
        return self.closed

    # --- asyncio.Protocol ------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=self._settings.write_bytes)
        if not self._admit(self):
            transport.abort()
            return
        self._arm()

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._reading_buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._core.receive_data(bytes(memoryview(self._reading_buffer)[:nbytes]), self._now())
        self._work()

    def pause_writing(self) -> None:
        self._blocked = True
        self._stall = self._loop.call_later(self._settings.stall_s, self._abort)

    def resume_writing(self) -> None:
        self._blocked = False
        if self._stall is not None:
            self._stall.cancel()
        self._work()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._timer, self._stall):
            if timer is not None:
                timer.cancel()
        self._core.connection_lost("the connection is gone")
        self._tell()
        self._gone(self)
        if not self.closed.done():
            self.closed.set_result(None)

    # --- inside ----------------------------------------------------------------------------------------
    def _work(self) -> None:
        """After every input: tell what happened, write what is to be written, set the clock."""
        self._tell()
        self._flush()
        self._pause_or_resume()
        self._arm()

    def _tell(self) -> None:
        while events := self._core.events():
            for event in events:
                self._on_event(event)

    def _on_event(self, event: Event) -> None:
        match event:
            case MessagePiece(message, data):
                if message in self._arriving:
                    self._arriving[message][1].extend(data)
                    self._hold(message, len(data))
            case MessageStarted(message):
                if self._held_bytes > self._settings.held_bytes:
                    self._core.refuse(message, 413, "too much at once")
                else:
                    self._arriving[message] = (event, bytearray())
            case MessageReceived(message):
                self._arrived(message)
            case MessageBroken(message):
                self._arriving.pop(message, None)
                self._release(message)
            case SendCompleted(message, reported):
                self._sent(message, 200 if reported else 202)
            case SendFailed(message, status):
                self._sent(message, status)
            case SessionBound(session):
                self._handler.session_bound(session, self)
            case SessionFailed(session, _, reason):
                self._handler.session_failed(session, reason)
            case Disconnected():
                self._abort()

    def _arrived(self, number: int) -> None:
        found = self._arriving.pop(number, None)
        if found is None:
            self._core.reject(number, 413, "not wanted")
            return
        started, data = found
        self._handler.message_arrived(
            Arrived(self, number, started.session, started.message_id, started.content_type, bytes(data))
        )

    def _sent(self, number: int, status: int) -> None:
        found = self._sends.pop(number, None)
        if found is not None:
            self._handler.message_sent(*found, status)

    def _hold(self, number: int, size: int) -> None:
        self._held[number] = self._held.get(number, 0) + size
        self._held_bytes += size

    def _release(self, number: int) -> None:
        self._held_bytes -= self._held.pop(number, 0)
        if not self.closed.done():
            self._ask_flush()

    def _pause_or_resume(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        # What is arriving must be able to go on, or nothing would ever be released.
        waiting = self._held_bytes - sum(len(data) for _, data in self._arriving.values())
        wanted = not self._core.congested and waiting <= self._settings.held_bytes
        if wanted is not self._reading:
            (self._transport.resume_reading if wanted else self._transport.pause_reading)()
            self._reading = wanted

    def _ask_flush(self) -> None:
        """Once per turn of the loop, so that a burst is one system call."""
        if not self._flush_asked:
            self._flush_asked = True
            self._loop.call_soon(self._flush_asked_for)

    def _flush_asked_for(self) -> None:
        self._flush_asked = False
        self._work()

    def _flush(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        while not self._blocked:
            if self._core.wants_to_send:
                data = self._core.data_to_send(self._settings.write_bytes, self._now())
                if not data:
                    break
                transport.write(data)
            elif self._queue:
                self._begin(*self._queue.popleft())
            else:
                break

    def _begin(self, session: str, message_id: str, content_type: str, data: bytes, reported: bool) -> None:
        """One after the other: messages that are under way together may change their order (RFC 4975 section 5.1)."""
        try:
            number = self._core.send(
                session, content_type, BytesSource(data), len(data), message_id=message_id, success_report=reported
            )
        except LetterlockError:
            self._handler.message_sent(session, message_id, 0)  # the session is gone
        else:
            self._sends[number] = (session, message_id)

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _arm(self) -> None:
        deadline = self._core.next_deadline()
        if deadline is None or self.closed.done():
            return
        when = deadline / 1000
        if self._timer is not None and not self._timer.cancelled() and self._timer.when() <= when:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._core.on_deadline(self._now())
        self._work()

    def _now(self) -> int:
        """The loop's clock in milliseconds, which never jumps. Rounded up, so that a timer finds itself due."""
        return -int(-self._loop.time() * 1000 // 1)
