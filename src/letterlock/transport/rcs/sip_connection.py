"""One TCP or TLS connection to a SIP server: the asyncio side of `sip.user_agent`.

It moves bytes and fires timers; what they mean is decided by the UserAgent and by whoever made the
connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable

from ...codec.sip import Request, Response
from ...errors import DecodeError, TransportError
from ...ids import Rng
from ...sip.authenticator import Authenticator
from ...sip.transaction import TransactionKey
from ...sip.user_agent import UserAgent, UserAgentSettings
from ...sip.user_agent_events import Answered, Event, FlowFailed, Received, TimedOut

__all__ = ["OnEvent", "OnRequest", "SipConnection"]

_GOODBYE_SECONDS = 2.0
_MAX_UNSENT = 16 << 20  # well over what the requests in flight can hold (SR-08)

OnRequest = Callable[["SipConnection", TransactionKey, Request], None]
"""Called for each new request; somebody must `respond` to its key."""

OnEvent = Callable[["SipConnection", Event], None]
"""Called for what is neither a new request nor the answer to a `request` made here: what belongs to dialogs."""


class SipConnection(asyncio.Protocol):
    """Make one with `open`. It ends once, for the reason in `closed`, and is not used again."""

    def __init__(
        self,
        settings: UserAgentSettings,
        authenticator: Authenticator,
        on_request: OnRequest,
        rng: Rng,
        *,
        tls: bool,
        on_event: OnEvent | None = None,
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._on_request = on_request
        self._on_event = on_event
        self._rng = rng
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self.agent: UserAgent | None = None
        self._waiting: dict[int, asyncio.Future[Response]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._flush_asked = False
        self._reason = ""
        self.local: tuple[str, int] = ("", 0)
        self.peer: tuple[str, int] = ("", 0)
        self.closed: asyncio.Future[str] = self._loop.create_future()

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        context: ssl.SSLContext | None,
        server_name: str | None,
        settings: UserAgentSettings,
        authenticator: Authenticator,
        on_request: OnRequest,
        rng: Rng,
        on_event: OnEvent | None = None,
    ) -> SipConnection:
        """Connect, and with `context` shake hands. Raises OSError; ssl.SSLError when the certificate does not hold."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: cls(settings, authenticator, on_request, rng, tls=context is not None, on_event=on_event),
            host,
            port,
            ssl=context,
            server_hostname=server_name if context is not None else None,
        )
        return connection

    @property
    def contact_host(self) -> str:
        """Our address as it stands in a URI."""
        return _bracketed(self.local[0])

    async def request(self, request: Request, *, authenticate: bool = True) -> Response:
        """Send and wait for the final response.

        Raises TransportError: `transport.lost` when the connection ends first, `transport.timeout` when no answer
        comes in time; LimitExceeded when it is too large or too many are open.
        """
        agent = self.agent
        if agent is None or self.closed.done():
            raise TransportError("the connection is gone", code="transport.lost")
        handle = agent.send(request, self.now(), authenticate=authenticate)
        answer: asyncio.Future[Response] = self._loop.create_future()
        self._waiting[handle] = answer
        self._ask_flush()
        try:
            return await answer
        finally:
            self._waiting.pop(handle, None)

    def respond(
        self, key: TransactionKey, status: int, reason: str = "", headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """Answer a request. Nothing happens when the connection has ended: the network will send it again."""
        if self.agent is not None and not self.closed.done():
            self.agent.respond(key, status, self.now(), reason, headers)
            self._ask_flush()

    def flush(self) -> None:
        """Send soon what `agent` has to send: somebody has used it directly."""
        self._ask_flush()

    def ping(self) -> None:
        """Send a keep-alive now."""
        if self.agent is not None and not self.closed.done():
            self.agent.ping(self.now())
            self._ask_flush()

    def close(self, reason: str = "closed") -> None:
        """End it, what is queued included; `closed` is done soon after."""
        self._reason = self._reason or reason
        if self._transport is not None:
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

    # --- asyncio.Protocol ------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.local = transport.get_extra_info("sockname")[:2]
        self.peer = transport.get_extra_info("peername")[:2]
        name = "TLS" if self._tls else "TCP"
        address = (self.contact_host, self.local[1])
        self.agent = UserAgent(self._settings, name, address, self._authenticator, self._rng, self.now())
        self._arm()

    def data_received(self, data: bytes) -> None:
        assert self.agent is not None
        try:
            events = self.agent.receive_data(data, self.now())
        except DecodeError as error:
            self._abort(f"the server sent what is not SIP ({error.code})")
            return
        for event in events:
            self._handle(event)
        self._flush()
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        reason = self._reason or (f"connection lost: {exc}" if exc else "the server closed the connection")
        if self.agent is not None:
            self.agent.connection_lost()
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if not answer.done():
                answer.set_exception(TransportError(reason, code="transport.lost"))
        if not self.closed.done():
            self.closed.set_result(reason)

    # --- inside --------------------------------------------------------------------------------------
    def _handle(self, event: Event) -> None:
        if isinstance(event, Received):
            self._on_request(self, event.key, event.request)
        elif isinstance(event, FlowFailed):
            self._abort("the server stopped answering")
        elif isinstance(event, Answered | TimedOut) and event.handle in self._waiting:
            answer = self._waiting.pop(event.handle)
            if answer.done():
                return
            if isinstance(event, Answered):
                answer.set_result(event.response)
            else:
                answer.set_exception(TransportError("no answer from the network", code="transport.timeout"))
        elif self._on_event is not None:
            self._on_event(self, event)

    def _abort(self, reason: str) -> None:
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abort()

    def _ask_flush(self) -> None:
        """Write once per turn of the loop, so that a burst of messages is one system call."""
        if not self._flush_asked:
            self._flush_asked = True
            self._loop.call_soon(self._flush_asked_for)

    def _flush_asked_for(self) -> None:
        self._flush_asked = False
        self._flush()
        self._arm()

    def _flush(self) -> None:
        if self.agent is None or self._transport is None or self._transport.is_closing():
            return
        data = self.agent.data_to_send()
        if data:
            self._transport.write(data)
            if self._transport.get_write_buffer_size() > _MAX_UNSENT:
                self._abort("the server does not read")

    def _arm(self) -> None:
        """Set the timer, unless one is set that fires early enough."""
        if self.agent is None or self.closed.done():
            return
        when = self.agent.next_deadline() / 1000
        if self._timer is not None and not self._timer.cancelled() and self._timer.when() <= when:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self.agent is None or self.closed.done():
            return
        for event in self.agent.on_deadline(self.now()):
            self._handle(event)
        self._flush()
        self._arm()

    def now(self) -> int:
        """The loop's clock in milliseconds, which never jumps. Rounded up, so that a timer finds itself due."""
        return -int(-self._loop.time() * 1000 // 1)


def _bracketed(host: str) -> str:
    return f"[{host.partition('%')[0]}]" if ":" in host else host
