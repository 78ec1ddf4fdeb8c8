"""One TCP connection with the proxy: the asyncio side of `sip.user_agent`, for either direction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ...codec.sip import Request, Response
from ...errors import DecodeError
from ...ids import Rng
from ...sip.authenticator import Authenticator
from ...sip.transaction import Timers, TransactionKey
from ...sip.user_agent import Answered, Event, FlowFailed, Received, TimedOut, UserAgent, UserAgentSettings
from .limits import MailboxLimits

__all__ = ["Connection", "OnRequest"]

OnRequest = Callable[["Connection", TransactionKey, Request], None]
"""Called for each new request; somebody must `respond` to its key."""


class Connection(asyncio.Protocol):
    """It ends once; `closed` is done then."""

    def __init__(
        self,
        limits: MailboxLimits,
        on_request: OnRequest,
        rng: Rng,
        admit: Callable[[Connection], bool] = lambda _: True,
    ) -> None:
        self._limits = limits
        self._on_request = on_request
        self._rng = rng
        self._admit = admit
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._agent: UserAgent | None = None
        self._waiting: dict[int, asyncio.Future[Response | None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._flush_asked = False
        self.peer = ""
        self.closed: asyncio.Future[None] = self._loop.create_future()

    async def request(self, request: Request) -> Response | None:
        """The final answer; None when there is none in time, or the connection ends first.

        Raises LimitExceeded or InputError for a request that cannot go out.
        """
        if self._agent is None or self.closed.done():
            return None
        handle = self._agent.send(request, self._now(), authenticate=False)
        answer: asyncio.Future[Response | None] = self._loop.create_future()
        self._waiting[handle] = answer
        self._ask_flush()
        try:
            return await answer
        finally:
            self._waiting.pop(handle, None)

    def respond(
        self, key: TransactionKey, status: int, reason: str = "", headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """Answer a request; nothing happens when the connection has ended."""
        if self._agent is not None and not self.closed.done():
            self._agent.respond(key, status, self._now(), reason, headers)
            self._ask_flush()

    def close(self) -> None:
        """End it after what is queued."""
        if self._transport is not None:
            self._flush()
            self._transport.close()

    # --- asyncio.Protocol ------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        host, port = transport.get_extra_info("sockname")[:2]
        self.peer = transport.get_extra_info("peername")[0]
        if not self._admit(self):
            transport.abort()
            return
        limits = self._limits
        settings = UserAgentSettings(
            limits.sip,
            # Nothing repeats over TCP: an answer need not be remembered (RFC 3261 section 17.2.2, timer J).
            Timers(limits.answer_timeout_ms, 0),
            max_open=limits.max_open,
            max_message=limits.max_message,
            ping_ms=limits.ping_ms,
            pong_ms=limits.answer_timeout_ms,
        )
        nobody = Authenticator("", "", self._rng)
        sent_by = (f"[{host}]" if ":" in host else host, port)
        self._agent = UserAgent(settings, "TCP", sent_by, nobody, self._rng, self._now())
        self._arm()

    def data_received(self, data: bytes) -> None:
        if self._agent is None:
            return
        try:
            events = self._agent.receive_data(data, self._now())
        except DecodeError:
            self._abort()  # framing is lost: nothing after it can be believed
            return
        for event in events:
            self._handle(event)
        self._ask_flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if not answer.done():
                answer.set_result(None)
        if not self.closed.done():
            self.closed.set_result(None)

    # --- inside ----------------------------------------------------------------------------------
    def _handle(self, event: Event) -> None:
        if isinstance(event, Received):
            self._on_request(self, event.key, event.request)
        elif isinstance(event, FlowFailed):
            self._abort()
        elif isinstance(event, Answered | TimedOut):
            answer = self._waiting.pop(event.handle, None)
            if answer is not None and not answer.done():
                answer.set_result(event.response if isinstance(event, Answered) else None)

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _ask_flush(self) -> None:
        """Write once per turn of the loop, so that a burst is one system call."""
        if not self._flush_asked:
            self._flush_asked = True
            self._loop.call_soon(self._flush_asked_for)

    def _flush_asked_for(self) -> None:
        self._flush_asked = False
        self._flush()
        self._arm()

    def _flush(self) -> None:
        if self._agent is None or self._transport is None or self._transport.is_closing():
            return
        data = self._agent.data_to_send()
        if data:
            self._transport.write(data)
            if self._transport.get_write_buffer_size() > self._limits.max_unsent:
                self._abort()  # a peer that does not read

    def _arm(self) -> None:
        if self._agent is None or self.closed.done():
            return
        when = self._agent.next_deadline() / 1000
        if self._timer is not None and not self._timer.cancelled() and self._timer.when() <= when:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._agent is None or self.closed.done():
            return
        for event in self._agent.on_deadline(self._now()):
            self._handle(event)
        self._ask_flush()

    def _now(self) -> int:
        """The loop's clock, which never jumps, in milliseconds; rounded up, so that a timer finds itself due."""
        return -int(-self._loop.time() * 1000 // 1)
