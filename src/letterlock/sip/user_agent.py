"""One SIP connection, client side of the transport: bytes in and out, requests in and out, no socket and no clock.

    agent.receive_data(data, now) -> events          agent.data_to_send() -> bytes
    agent.next_deadline() -> instant                 agent.on_deadline(now) -> events

A connection that breaks is reported by `connection_lost`; the next one gets a new UserAgent.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..codec.sip import (
    Headers,
    KeepAlive,
    Limits,
    Malformed,
    Params,
    Request,
    Response,
    StreamParser,
    Via,
    encode,
)
from ..errors import DecodeError, LimitExceeded
from ..ids import Instant, Rng
from .authenticator import Attempt, Authenticator
from .message import new_branch, new_tag, request_problem, response_to
from .transaction import ClientTransactions, ServerTransactions, Timers, TransactionKey, server_key

__all__ = ["Answered", "Event", "FlowFailed", "Received", "TimedOut", "UserAgent", "UserAgentSettings"]

_PING = b"\r\n\r\n"
_PONG = b"\r\n"


@dataclass(frozen=True, slots=True)
class UserAgentSettings:
    """`ping_ms`: how often to send a keep-alive; `pong_ms`: how long to wait for its answer (RFC 5626 section 4.4.1)."""

    limits: Limits
    timers: Timers
    max_open: int
    max_message: int
    ping_ms: int
    pong_ms: int


@dataclass(frozen=True, slots=True)
class Received:
    """A new request from the network: give `key` to `respond`, exactly once."""

    key: TransactionKey
    request: Request


@dataclass(frozen=True, slots=True)
class Answered:
    """The final response to the request with this handle."""

    handle: int
    response: Response


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No final response came in time; the network may or may not have the request."""

    handle: int


@dataclass(frozen=True, slots=True)
class FlowFailed:
    """The peer stopped answering keep-alives, or was silent for a whole time-out: make another connection."""


Event = Received | Answered | TimedOut | FlowFailed


class UserAgent:
    """See the module. `transport` is TCP or TLS and `sent_by` our address, both as they stand in Via."""

    def __init__(
        self,
        settings: UserAgentSettings,
        transport: str,
        sent_by: tuple[str, int],
        authenticator: Authenticator,
        rng: Rng,
        now: Instant,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._sent_by = sent_by
        self._authenticator = authenticator
        self._rng = rng
        self._parser = StreamParser(settings.limits)
        self._clients = ClientTransactions(settings.timers, settings.max_open)
        self._servers = ServerTransactions(settings.timers, settings.max_open)
        self._attempts: dict[TransactionKey, tuple[int, Attempt, bool]] = {}
        self._requests: dict[TransactionKey, Request] = {}
        self._outgoing = bytearray()
        self._handles = 0
        self._ping_at: Instant = now + settings.ping_ms
        self._pong_by: Instant | None = None
        self._heard_at: Instant = now
        self._peer_pongs = False
        self.malformed = 0  # messages that were framed but unreadable

    # --- the wire ------------------------------------------------------------------------------
    def receive_data(self, data: bytes, now: Instant) -> list[Event]:
        """What came from the socket. Raises DecodeError when the framing is lost: close the connection."""
        events: list[Event] = []
        self._heard_at = now
        for item in self._parser.feed(data):
            if isinstance(item, Request):
                self._on_request(item, now, events)
            elif isinstance(item, Response):
                self._on_response(item, now, events)
            elif isinstance(item, Malformed):
                self.malformed += 1
            else:
                # Two answers in a row look like one ping: either way the peer is there.
                self._peer_pongs = True
                self._pong_by = None
                if item is KeepAlive.PING:
                    self._outgoing += _PONG
        return events

    def data_to_send(self) -> bytes:
        """Everything to write to the socket now; empties the buffer."""
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    def next_deadline(self) -> Instant:
        deadlines = (self._clients.next_deadline(), self._servers.next_deadline(), self._pong_by, self._ping_at)
        return min(deadline for deadline in deadlines if deadline is not None)

    def on_deadline(self, now: Instant) -> list[Event]:
        """Time-outs and keep-alives that are due."""
        events: list[Event] = []
        for key in self._clients.on_deadline(now):
            handle, _, _ = self._attempts.pop(key)
            events.append(TimedOut(handle))
            if self._heard_at <= now - self._settings.timers.timeout_ms and FlowFailed() not in events:
                # Nothing at all came since the request went out: the connection is dead, not the peer slow.
                events.append(FlowFailed())
        self._servers.on_deadline(now)
        if self._pong_by is not None and now >= self._pong_by:
            self._pong_by = None
            events.append(FlowFailed())
        if now >= self._ping_at:
            self.ping(now)
        return events

    def ping(self, now: Instant) -> None:
        """Send a keep-alive. Its answer is only insisted on once the peer has shown that it answers."""
        self._outgoing += _PING
        self._ping_at = now + self._settings.ping_ms
        if self._peer_pongs and self._pong_by is None:
            self._pong_by = now + self._settings.pong_ms

    def connection_lost(self) -> list[int]:
        """The handles of all requests that were open: treat each as if the transport had refused it."""
        self._clients.abandon()
        handles = [handle for handle, _, _ in self._attempts.values()]
        self._attempts.clear()
        return handles

    # --- requests out ----------------------------------------------------------------------------
    @property
    def in_flight(self) -> int:
        return len(self._attempts)

    def send(self, request: Request, now: Instant, *, authenticate: bool = True) -> int:
        """Queue a request (without Via) and return its handle, which comes back in Answered or TimedOut.

        With `authenticate`, challenges are answered here. Raises LimitExceeded when it is over `max_message`
        or too many are in flight; InputError when a header holds a line break.
        """
        self._handles += 1
        attempt = self._authenticator.first(request) if authenticate else Attempt(request)
        self._transmit(self._handles, attempt, now, authenticate=authenticate)
        return self._handles

    def _transmit(self, handle: int, attempt: Attempt, now: Instant, *, authenticate: bool) -> None:
        request = attempt.request
        host, port = self._sent_by
        # `rport` and `alias` (RFC 5923) tell the server to answer, and to route later requests, over this connection.
        params = Params((("branch", new_branch(self._rng)), ("rport", None), ("alias", None)))
        via = Via(self._transport, host, port, params).encode()
        headers = Headers((("Via", via), ("Max-Forwards", "70"), *request.headers.without("Max-Forwards")))
        whole = Request(request.method, request.uri, headers, request.body)
        data = encode(whole)
        if len(data) > self._settings.max_message:
            # Kamailio drops the connection without a word at its read buffer's size: refuse here, with words.
            raise LimitExceeded(
                f"message of {len(data)} bytes, the network takes {self._settings.max_message}",
                code="sip.limit.message",
                hint="send it as a file",
            )
        key = self._clients.start(whole, now)
        self._attempts[key] = (handle, attempt, authenticate)
        self._outgoing += data

    def _on_response(self, response: Response, now: Instant, events: list[Event]) -> None:
        answer = self._clients.on_response(response)
        if answer is None or not answer.final:
            return
        handle, attempt, authenticate = self._attempts.pop(answer.key)
        if authenticate:
            again = self._authenticator.answer(attempt, response)
            if again is not None:
                try:
                    self._transmit(handle, again, now, authenticate=True)
                    return
                except LimitExceeded as error:
                    # Too large only with its credentials. It fails; the connection, and what else is on it, does not.
                    response = response_to(attempt.request, 513, str(error))
        events.append(Answered(handle, response))

    # --- requests in -----------------------------------------------------------------------------
    def respond(
        self,
        key: TransactionKey,
        status: int,
        now: Instant,
        reason: str = "",
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
    ) -> None:
        """Answer a received request. A second final answer is ignored."""
        request = self._requests.get(key)
        if request is None:
            return
        tag = new_tag(self._rng) if status > 100 else ""
        response = response_to(request, status, reason, tag=tag, headers=headers, body=body)
        if self._servers.on_response(key, response, now):
            self._outgoing += encode(response)
        if status >= 200:
            del self._requests[key]

    def _on_request(self, request: Request, now: Instant, events: list[Event]) -> None:
        if request.method == "ACK":
            return  # ends an INVITE that we refused; nothing answers it
        try:
            key = server_key(request)
        except DecodeError:
            self.malformed += 1
            return
        try:
            is_new, repeat = self._servers.on_request(request, key)
        except LimitExceeded:
            self._outgoing += encode(response_to(request, 503, headers=(("Retry-After", "5"),), tag=new_tag(self._rng)))
            return
        if not is_new:
            if repeat is not None:
                self._outgoing += encode(repeat)
            return
        self._requests[key] = request
        problem = request_problem(request)
        if problem is not None:
            status, reason = problem
            self.respond(key, status, now, reason)
        elif request.method == "CANCEL":
            self.respond(key, 481, now)
        elif "Require" in request.headers:
            # No extension asks anything of us as a server yet (RFC 3261 section 8.2.2.3).
            unsupported = ", ".join(request.headers.all("Require"))
            self.respond(key, 420, now, headers=(("Unsupported", unsupported),))
        else:
            events.append(Received(key, request))
