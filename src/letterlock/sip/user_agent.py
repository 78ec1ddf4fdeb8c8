"""One SIP connection: bytes in and out, requests in and out, no socket and no clock.

    agent.receive_data(data, now) -> events          agent.data_to_send() -> bytes
    agent.next_deadline() -> instant                 agent.on_deadline(now) -> events

Either side of a connection may have opened it: an application server has one for each connection that its proxy makes,
and one for each that it makes. Dialogs are not known here and may live longer (`dialog`, `session`, `subscription`).
A connection that breaks is reported by `connection_lost`; the next one gets a new UserAgent.
"""

from __future__ import annotations

import contextlib
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
from .invite import InviteClients, InviteServers
from .message import new_branch, new_tag, request_problem, response_to
from .transaction import ClientTransactions, ServerTransactions, Timers, TransactionKey, server_key
from .user_agent_events import Acknowledged, Answered, Cancelled, Event, FlowFailed, Provisional, Received, TimedOut

__all__ = ["UserAgent", "UserAgentSettings"]

_PING = b"\r\n\r\n"
_PONG = b"\r\n"


@dataclass(frozen=True, slots=True)
class UserAgentSettings:
    """`ping_ms`: how often to send a keep-alive; `pong_ms`: how long to wait for its answer (RFC 5626 section 4.4.1).
    `extensions` are the option tags that a peer may require of us.
    """

    limits: Limits
    timers: Timers
    max_open: int
    max_message: int
    ping_ms: int
    pong_ms: int
    extensions: frozenset[str] = frozenset()


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
        self._calls = InviteClients(settings.timers, settings.max_open)
        self._called = InviteServers(settings.timers, settings.max_open)
        self._attempts: dict[TransactionKey, tuple[int, Attempt, bool]] = {}
        self._accepted: dict[TransactionKey, tuple[int, Request]] = {}  # calls that may bring more 2xx
        self._cancelled: set[int] = set()
        self._requests: dict[TransactionKey, Request] = {}
        self._tags: dict[TransactionKey, str] = {}  # of INVITEs: all answers to one carry the same
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
        deadlines = (
            self._clients.next_deadline(),
            self._servers.next_deadline(),
            self._calls.next_deadline(),
            self._called.next_deadline(),
            self._pong_by,
            self._ping_at,
        )
        return min(deadline for deadline in deadlines if deadline is not None)

    def on_deadline(self, now: Instant) -> list[Event]:
        """Time-outs and keep-alives that are due."""
        events: list[Event] = []
        late, over = self._calls.on_deadline(now)
        for key in over:
            self._accepted.pop(key, None)
        for key in (*self._clients.on_deadline(now), *late):
            attempt = self._attempts.pop(key, None)
            if attempt is None:
                continue  # a CANCEL: what it was for comes to its end by itself
            self._cancelled.discard(attempt[0])
            events.append(TimedOut(attempt[0]))
            if self._heard_at <= now - self._settings.timers.timeout_ms and FlowFailed() not in events:
                # Nothing at all came since the request went out: the connection is dead, not the peer slow.
                events.append(FlowFailed())
        self._servers.on_deadline(now)
        self._called.on_deadline(now)
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
        self._calls.abandon()
        self._accepted.clear()
        handles = [handle for handle, _, _ in self._attempts.values()]
        self._attempts.clear()
        return handles

    # --- requests out ----------------------------------------------------------------------------
    @property
    def in_flight(self) -> int:
        return len(self._attempts)

    def send(self, request: Request, now: Instant, *, authenticate: bool = True) -> int:
        """Queue a request (without Via) and return its handle, which comes back in Provisional, Answered or TimedOut.

        With `authenticate`, challenges are answered here. Raises LimitExceeded when it is over `max_message`
        or too many are in flight; InputError when a header holds a line break.
        """
        self._handles += 1
        attempt = self._authenticator.first(request) if authenticate else Attempt(request)
        self._transmit(self._handles, attempt, now, authenticate=authenticate)
        return self._handles

    def acknowledge(self, ack: Request) -> None:
        """Send the ACK of a 2xx, which no transaction waits for (RFC 3261 section 13.2.2.4)."""
        self._outgoing += encode(self._with_via(ack))

    def cancel(self, handle: int, now: Instant) -> None:
        """Take an INVITE back. It still ends with Answered or TimedOut, perhaps a 2xx that was under way (section 9.1)."""
        key = next((key for key, (of, _, _) in self._attempts.items() if of == handle), None)
        if key is not None and handle not in self._cancelled:
            self._cancelled.add(handle)
            self._send_cancel(self._calls.cancel(key, now), now)

    def _send_cancel(self, cancel: Request | None, now: Instant) -> None:
        if cancel is not None:
            with contextlib.suppress(LimitExceeded):  # the CANCEL is sent all the same; nobody waits for its answer
                self._clients.start(cancel, now)
            self._outgoing += encode(cancel)

    def _with_via(self, request: Request) -> Request:
        host, port = self._sent_by
        # `rport` and `alias` (RFC 5923) tell the server to answer, and to route later requests, over this connection.
        params = Params((("branch", new_branch(self._rng)), ("rport", None), ("alias", None)))
        via = Via(self._transport, host, port, params).encode()
        headers = Headers((("Via", via), ("Max-Forwards", "70"), *request.headers.without("Max-Forwards")))
        return Request(request.method, request.uri, headers, request.body)

    def _transmit(self, handle: int, attempt: Attempt, now: Instant, *, authenticate: bool) -> None:
        whole = self._with_via(attempt.request)
        data = encode(whole)
        if len(data) > self._settings.max_message:
            # Kamailio drops the connection without a word at its read buffer's size: refuse here, with words.
            raise LimitExceeded(
                f"message of {len(data)} bytes, the network takes {self._settings.max_message}",
                code="sip.limit.message",
                hint="send it as a file",
            )
        key = (self._calls if whole.method == "INVITE" else self._clients).start(whole, now)
        self._attempts[key] = (handle, attempt, authenticate)
        self._outgoing += data

    def _on_response(self, response: Response, now: Instant, events: list[Event]) -> None:
        answer = self._clients.on_response(response)
        if answer is None:
            self._on_call_response(response, now, events)
        elif answer.final:
            attempt = self._attempts.pop(answer.key, None)
            if attempt is not None:  # else it answers a CANCEL
                self._on_final(*attempt, response, now, events)

    def _on_call_response(self, response: Response, now: Instant, events: list[Event]) -> None:
        outcome = self._calls.on_response(response, now)
        if outcome is None:
            return
        key = outcome.answer.key
        if outcome.to_send is not None and outcome.to_send.method == "ACK":
            self._outgoing += encode(outcome.to_send)
        else:
            self._send_cancel(outcome.to_send, now)
        if key in self._accepted:
            handle, request = self._accepted[key]
            events.append(Answered(handle, response, request))
        elif not outcome.answer.final:
            if key in self._attempts:
                handle, attempt, _ = self._attempts[key]
                events.append(Provisional(handle, response, attempt.request))
        elif key in self._attempts:
            handle, attempt, authenticate = self._attempts.pop(key)
            if response.status < 300:
                self._accepted[key] = (handle, attempt.request)
                if len(self._accepted) > self._settings.max_open:
                    del self._accepted[next(iter(self._accepted))]
            # What was taken back is not asked for again with better credentials.
            self._on_final(handle, attempt, authenticate and handle not in self._cancelled, response, now, events)
            if handle in self._cancelled and not any(of == handle for of, _, _ in self._attempts.values()):
                self._cancelled.discard(handle)

    def _on_final(
        self,
        handle: int,
        attempt: Attempt,
        authenticate: bool,
        response: Response,
        now: Instant,
        events: list[Event],
    ) -> None:
        if authenticate:
            again = self._authenticator.answer(attempt, response)
            if again is not None:
                try:
                    self._transmit(handle, again, now, authenticate=True)
                    return
                except LimitExceeded as error:
                    # Too large only with its credentials. It fails; the connection, and what else is on it, does not.
                    response = response_to(attempt.request, 513, str(error))
        events.append(Answered(handle, response, attempt.request))

    # --- requests in -----------------------------------------------------------------------------
    def respond(
        self,
        key: TransactionKey,
        status: int,
        now: Instant,
        reason: str = "",
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        tag: str = "",
    ) -> None:
        """Answer a received request; a second final answer is ignored. `tag` is ours in the dialog that the answer makes."""
        request = self._requests.get(key)
        if request is None:
            return
        is_invite = request.method == "INVITE"
        if status > 100 and not tag:
            tag = self._tags.get(key) or new_tag(self._rng)
        if is_invite and status > 100:
            self._tags[key] = tag
        response = response_to(request, status, reason, tag=tag if status > 100 else "", headers=headers, body=body)
        table = self._called if is_invite else self._servers
        if table.on_response(key, response, now):
            self._outgoing += encode(response)
        if status >= 200:
            del self._requests[key]
            self._tags.pop(key, None)

    def repeat(self, key: TransactionKey) -> None:
        """Send the 2xx to an INVITE again, because its ACK has not come (RFC 3261 section 13.3.1.4)."""
        response = self._called.accepted(key)
        if response is not None:
            self._outgoing += encode(response)

    def _on_request(self, request: Request, now: Instant, events: list[Event]) -> None:
        try:
            key = server_key(request)
        except DecodeError:
            self.malformed += 1
            return
        if request.method == "ACK":
            if not self._called.on_ack(key) and request_problem(request) is None:
                events.append(Acknowledged(request))
            return
        is_invite = request.method == "INVITE"
        try:
            is_new, repeat = self._called.on_invite(key) if is_invite else self._servers.on_request(request, key)
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
            self._on_cancel(key, now, events)
        elif "Require" in request.headers and (unsupported := self._unsupported(request)):
            self.respond(key, 420, now, headers=(("Unsupported", ", ".join(unsupported)),))
        else:
            if is_invite:
                self.respond(key, 100, now)  # so that nobody's timer B runs while somebody thinks (section 17.2.1)
            events.append(Received(key, request))

    def _on_cancel(self, key: TransactionKey, now: Instant, events: list[Event]) -> None:
        """Section 9.2. It has the branch of the INVITE that it is for."""
        invite = (*key[:-1], "INVITE") if len(key) == 3 else ()
        if invite not in self._called:
            self.respond(key, 481, now)
            return
        self.respond(key, 200, now, tag=self._tags.get(invite, ""))
        if self._called.proceeding(invite):
            self.respond(invite, 487, now)
            events.append(Cancelled(invite))

    def _unsupported(self, request: Request) -> list[str]:
        """What a peer requires and we do not have (RFC 3261 section 8.2.2.3)."""
        try:
            wanted = request.headers.listed("Require")
        except DecodeError:
            wanted = request.headers.all("Require")
        return [name for name in wanted if name.lower() not in self._settings.extensions]
