"""One TCP connection with the proxy, for either direction: the asyncio side of `sip.user_agent`.

What arrives is handed on whole; dialogs are `sip.dialog_layer`'s business. Whoever makes an agent send something calls
`flush`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from ..codec.sip import Limits
from ..errors import DecodeError
from ..ids import Instant, Rng
from ..sip.authenticator import Authenticator
from ..sip.transaction import Timers
from ..sip.user_agent import UserAgent, UserAgentSettings
from ..sip.user_agent_events import Event, FlowFailed

__all__ = ["SipLink", "SipSettings", "loop_now"]


@dataclass(frozen=True, slots=True)
class SipSettings:
    """Every size, time and count of this edge. `max_message` is what a proxy takes: Kamailio's read buffer is 65,535 bytes.

    `absorb_ms`: how long an answer is remembered. `extensions` are the option tags that a peer may require of us.
    """

    limits: Limits = field(
        default_factory=lambda: Limits(
            max_header_bytes=32 * 1024, max_headers=200, max_line=16 * 1024, max_body=512 * 1024
        )
    )
    timeout_ms: int = 32_000
    absorb_ms: int = 32_000
    max_open: int = 8192
    max_message: int = 60_000
    max_unsent: int = 64 << 20
    read_bytes: int = 16_384
    """At once: how much the proxy has done in one step of the loop."""
    max_links: int = 64
    ping_ms: int = 30_000
    pong_ms: int = 10_000
    reconnect_ms: int = 500
    extensions: frozenset[str] = frozenset()

    def agent(self) -> UserAgentSettings:
        return UserAgentSettings(
            self.limits,
            Timers(self.timeout_ms, self.absorb_ms),
            max_open=self.max_open,
            max_message=self.max_message,
            ping_ms=self.ping_ms,
            pong_ms=self.pong_ms,
            extensions=self.extensions,
        )


class SipLink(asyncio.BufferedProtocol):
    """It ends once; `closed` is done then. `on_event` gets what the agent reports, and None when the link is gone."""

    def __init__(
        self,
        settings: SipSettings,
        rng: Rng,
        on_event: Callable[[SipLink, Event | None], None],
        admit: Callable[[SipLink], bool] = lambda _: True,
    ) -> None:
        self._settings = settings
        self._rng = rng
        self._on_event = on_event
        self._admit = admit
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._agent: UserAgent | None = None
        self._flush_asked = False
        self._reading_buffer = bytearray(settings.read_bytes)
        self.peer = ""
        self.closed: asyncio.Future[None] = self._loop.create_future()

    @property
    def agent(self) -> UserAgent:
        assert self._agent is not None, "not connected"
        return self._agent

    def flush(self) -> None:
        """Write what the agent has to send, once per turn of the loop."""
        if not self._flush_asked:
            self._flush_asked = True
            self._loop.call_soon(self._flush_asked_for)

    def close(self) -> None:
        """End it after what is queued."""
        if self._transport is not None:
            self._write()
            self._transport.close()

    # --- asyncio.Protocol ------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        host, port = transport.get_extra_info("sockname")[:2]
        self.peer = transport.get_extra_info("peername")[0]
        sent_by = (f"[{host}]" if ":" in host else host, port)
        nobody = Authenticator("", "", self._rng)
        self._agent = UserAgent(self._settings.agent(), "TCP", sent_by, nobody, self._rng, loop_now())
        if not self._admit(self):
            transport.abort()
            return
        self._arm()

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._reading_buffer

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(memoryview(self._reading_buffer)[:nbytes])
        try:
            events = self.agent.receive_data(data, loop_now())
        except DecodeError:
            self._abort()  # framing is lost: nothing after it can be believed
            return
        self._handle(events)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self.closed.done():
            self.closed.set_result(None)
        self._on_event(self, None)

    # --- inside ----------------------------------------------------------------------------------------
    def _handle(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, FlowFailed):
                self._abort()
            else:
                self._on_event(self, event)
        self.flush()

    def _flush_asked_for(self) -> None:
        self._flush_asked = False
        self._write()
        self._arm()

    def _write(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        data = self.agent.data_to_send()
        if data:
            self._transport.write(data)
            if self._transport.get_write_buffer_size() > self._settings.max_unsent:
                self._abort()  # a proxy that does not read

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _arm(self) -> None:
        if self.closed.done():
            return
        when = self.agent.next_deadline() / 1000
        if self._timer is not None and not self._timer.cancelled() and self._timer.when() <= when:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._handle(self.agent.on_deadline(loop_now()))


def loop_now() -> Instant:
    """The loop's clock, which never jumps, in milliseconds; rounded up, so that a timer finds itself due."""
    return -int(-asyncio.get_running_loop().time() * 1000 // 1)
