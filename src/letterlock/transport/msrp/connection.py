"""One MSRP connection over TCP or TLS: the asyncio side of `msrp.Connection`, active or accepted.

It moves bytes and fires timers. Bodies are pulled when the socket takes them, reading pauses while whoever receives
is busy or the peer does not take its answers, and no turn of the loop writes more than a bounded amount.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Protocol

from ...codec.msrp import FailureReport
from ...errors import TransportError
from ...ids import Rng
from ...msrp import (
    BodySource,
    BytesSource,
    Connection,
    Digest,
    Disconnected,
    Event,
    MessageBroken,
    MessagePiece,
    MessageReceived,
    MessageStarted,
    RelayGranted,
    SessionBound,
    SessionFailed,
    SessionTable,
)
from .arrivals import Arrivals
from .bodies import Body, FedSource, MsrpRefusal, Sink
from .settings import MsrpFailure, MsrpSettings
from .tls import ClientTls
from .waiting import Waiting

__all__ = ["MsrpConnection", "MsrpHandler"]

_GOODBYE_SECONDS = 2.0


class MsrpHandler(Protocol):
    """Who is told what happens on connections."""

    def session_bound(self, connection: MsrpConnection, session: str, /) -> None:
        """It can be used on this connection from now on."""
        ...

    def session_failed(self, connection: MsrpConnection, session: str, status: int, reason: str, /) -> None:
        """It no longer can. Status 0 when the connection ended."""
        ...

    def message_started(self, connection: MsrpConnection, started: MessageStarted, /) -> Sink:
        """Where this message should go. Raises MsrpRefusal."""
        ...


class MsrpConnection(asyncio.Protocol):
    """Make one with `connect`, or get one from an `MsrpListener`. It ends once, for the reason in `closed`."""

    def __init__(
        self,
        settings: MsrpSettings,
        sessions: SessionTable,
        handler: MsrpHandler,
        rng: Rng,
        tls: ClientTls | None = None,
        made: Callable[[MsrpConnection], None] | None = None,
    ) -> None:
        self._settings = settings
        self._handler = handler
        self._tls = tls
        self._made = made  # told when the connection is there, with TLS after the handshake
        self._loop = asyncio.get_running_loop()
        self._core = Connection(settings.endpoint, sessions, rng, self._now())
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._flush_asked = False
        self._blocked = False  # the socket's buffer is full
        self._reading = True
        self._reason = ""
        self._waiting = Waiting()
        self._arrivals = Arrivals(self._core, self._after_arrival, self._pause_or_resume)
        self.local: tuple[str, int] = ("", 0)
        self.peer: tuple[str, int] = ("", 0)
        self.closed: asyncio.Future[str] = self._loop.create_future()

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        tls: ClientTls | None,
        settings: MsrpSettings,
        sessions: SessionTable,
        handler: MsrpHandler,
        rng: Rng,
    ) -> MsrpConnection:
        """Connect, and shake hands with `tls`.

        Raises TransportError: `transport.connect` when there is no connection, `transport.certificate` when the
        certificate does not hold or has another fingerprint; nothing was sent then.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(settings.connect_s):
                _, connection = await loop.create_connection(
                    lambda: cls(settings, sessions, handler, rng, tls),
                    host,
                    port,
                    ssl=None if tls is None else tls.context,
                    server_hostname=None if tls is None else tls.server_name,
                )
        except ssl.SSLCertVerificationError as error:
            raise TransportError(
                f"the certificate of {host} does not hold: {error.verify_message}", code="transport.certificate"
            ) from error
        except (OSError, TimeoutError) as error:
            raise TransportError(f"no connection to {host}:{port}: {error}", code="transport.connect") from error
        if connection._reason:
            raise TransportError(connection._reason, code="transport.certificate")
        return connection

    # --- what callers ask for ----------------------------------------------------------------------
    async def open_session(self, session: str) -> None:
        """We are its active side: send the first SEND and wait for its answer. Raises MsrpFailure."""
        self._usable()
        waiter = self._waiting.opened(session)
        try:
            self._core.open_session(session, self._now())
            self._work()
            await waiter
        finally:
            self._waiting.give_up_opening(session)

    def attach_session(self, session: str) -> None:
        """It is reached through this connection to our relay, and its peer sends first."""
        self._usable()
        self._core.attach_session(session)
        self._work()

    def release_session(self, session: str) -> None:
        """The session is over: what is unfinished in it has failed."""
        self._core.release_session(session)
        self._work()

    @property
    def sessions(self) -> frozenset[str]:
        """Those bound to this connection."""
        return self._core.sessions

    async def authorize(self, relay: str, local: str, digest: Digest, expires_s: int | None = None) -> RelayGranted:
        """Get a path of the relay at the other end (RFC 4976). Raises MsrpFailure when it refuses."""
        self._usable()
        waiter = self._waiting.granted(self._core.authorize(relay, local, digest, expires_s, self._now()))
        self._work()
        return await waiter

    async def send(
        self,
        session: str,
        content_type: str,
        body: Body,
        *,
        message_id: str,
        size: int | None = None,
        success_report: bool = True,
        failure_report: FailureReport = FailureReport.YES,
        headers: tuple[tuple[str, str], ...] = (),
        chunk: int | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> bool:
        """Send a message and wait for its end: True when the far end reported success, False when no report was asked
        for and nothing went wrong. `size` is needed for a file or a stream whose size should be told.

        Raises MsrpFailure; InputError and LimitExceeded as `msrp.Connection.send`. Cancelling it gives the message up.
        """
        self._usable()
        number: int | None = None
        filling: asyncio.Task[None] | None = None
        source: BodySource
        if isinstance(body, bytes):
            source, size = BytesSource(body), len(body)
        else:

            def ready() -> None:
                if number is not None:
                    self._core.resume(number)
                    self._ask_flush()

            fed = FedSource(body, self._settings.read_bytes, self._settings.ahead_bytes, ready)
            source = fed
            filling = self._loop.create_task(fed.fill())
        try:
            number = self._core.send(
                session,
                content_type,
                source,
                size,
                message_id=message_id,
                success_report=success_report,
                failure_report=failure_report,
                headers=headers,
                chunk=chunk,
            )
            outcome = self._waiting.sent(number, on_progress)
            self._ask_flush()
            if filling is not None:
                filling.add_done_callback(lambda task: self._on_filled(number, task))
            return await outcome
        finally:
            if filling is not None:
                filling.cancel()
            if number is not None:
                self._waiting.give_up_sending(number)
                self._core.abort(number)  # nothing, unless we were cancelled
                self._ask_flush()

    def close(self, reason: str = "closed") -> None:
        """End it when what is queued is out; `closed` is done soon after. Unfinished messages fail."""
        self._reason = self._reason or reason
        if self._transport is not None and not self._transport.is_closing():
            self._flush()
            self._transport.close()

    async def finish(self) -> None:
        """Close and wait for the end; a peer that does not take part in it is cut off."""
        self.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await asyncio.shield(self.closed)
        if self._transport is not None:
            self._transport.abort()
        await self._arrivals.finished()

    # --- asyncio.Protocol ------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.local = transport.get_extra_info("sockname")[:2]
        self.peer = transport.get_extra_info("peername")[:2]
        if self._made is not None:
            self._made(self)
        transport.set_write_buffer_limits(high=self._settings.write_bytes)
        if self._tls is not None and self._tls.fingerprint is not None:
            encryption = transport.get_extra_info("ssl_object")
            if not self._tls.fingerprint.matches(encryption.getpeercert(binary_form=True)):
                # "if the fingerprint does not match the hashed certificate then the endpoint MUST tear down the media
                # session immediately" (RFC 4975 section 14.4).
                self._abort("the certificate has another fingerprint than the session description")
                return
        self._arm()

    def data_received(self, data: bytes) -> None:
        self._core.receive_data(data, self._now())
        self._work()

    def pause_writing(self) -> None:
        self._blocked = True
        # No chunk ends while the peer takes nothing, so no transaction would ever time out.
        self._stall = self._loop.call_later(self._settings.stall_s, self._abort, "the peer takes nothing")

    def resume_writing(self) -> None:
        self._blocked = False
        if self._stall is not None:
            self._stall.cancel()
        self._work()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._timer, self._stall):
            if timer is not None:
                timer.cancel()
        reason = self._reason or (f"connection lost: {exc}" if exc else "the peer closed the connection")
        self._core.connection_lost(reason)
        self._handle_events()
        if not self.closed.done():
            self.closed.set_result(reason)

    # --- inside --------------------------------------------------------------------------------------
    def _usable(self) -> None:
        if self._transport is None or self._transport.is_closing() or self.closed.done():
            raise MsrpFailure(self._reason or "the connection is gone", 0)

    def _work(self) -> None:
        """After any input: act on what happened, write what there is, set the timer and the pause."""
        self._handle_events()
        self._flush()
        self._arm()
        self._pause_or_resume()

    def _handle_events(self) -> None:
        for event in self._core.events():
            self._handle(event)

    def _handle(self, event: Event) -> None:
        match event:
            case MessagePiece():
                self._arrivals.on_piece(event)
            case MessageStarted():
                try:
                    sink = self._handler.message_started(self, event)
                except MsrpRefusal as refusal:
                    self._core.refuse(event.message, refusal.status, refusal.reason)
                else:
                    self._arrivals.begin(event.message, sink)
            case MessageReceived():
                self._arrivals.on_received(event)
            case MessageBroken():
                self._arrivals.on_broken(event)
            case SessionBound():
                self._waiting.on(event)
                self._handler.session_bound(self, event.session)
            case SessionFailed():
                self._waiting.on(event)
                self._handler.session_failed(self, event.session, event.status, event.reason)
            case Disconnected():
                self._abort(event.reason)
            case _:
                self._waiting.on(event)

    def _on_filled(self, number: int, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._core.abort(number, str(error))
            self._work()

    def _after_arrival(self) -> None:
        if not self.closed.done():
            self._work()

    # --- socket ------------------------------------------------------------------------------------
    def _pause_or_resume(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        wanted = not self._core.congested and self._arrivals.waiting_bytes <= self._settings.waiting_bytes
        if wanted and not self._reading:
            self._transport.resume_reading()
        elif self._reading and not wanted:
            self._transport.pause_reading()
        self._reading = wanted

    def _ask_flush(self) -> None:
        """Write once per turn of the loop, so that a burst of messages is one system call."""
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
        written = 0
        while not self._blocked and self._core.wants_to_send:
            if written >= self._settings.turn_bytes:
                self._ask_flush()
                break
            data = self._core.data_to_send(self._settings.write_bytes, self._now())
            if not data:
                break
            transport.write(data)
            written += len(data)
        if written:
            self._handle_events()  # a message that asks for no answer has ended with its last byte

    def _abort(self, reason: str) -> None:
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abort()

    def _arm(self) -> None:
        """Set the timer, unless one is set that fires early enough."""
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
