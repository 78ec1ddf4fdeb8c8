"""One MSRP connection without its socket: several sessions, messages both ways, reports (RFC 4975).

The owner feeds `receive_data`, writes what `data_to_send` gives as long as the socket takes it (bodies are
pulled then and not before), calls `on_deadline` when `next_deadline` has come and `connection_lost` at the end,
and after each of these takes `events`. An input that breaks the framing, or a peer that leaves the rules
behind, ends in `Disconnected`, before which every message has got its end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..codec.msrp import (
    Body,
    ByteRange,
    End,
    FailureReport,
    Flag,
    Malformed,
    MsrpParser,
    Request,
    Response,
    Status,
    encode_end,
    encode_head,
    encode_response,
    ident,
)
from ..errors import DecodeError, InputError
from ..ids import Instant, Rng
from .authorization import Authorizations, Digest
from .events import Disconnected, Event, SessionBound, SessionFailed
from .receiving import Receiver
from .sending import Sender, ends_session
from .sessions import Session, SessionTable
from .settings import EndpointSettings
from .sources import BodySource
from .writing import new_transaction

__all__ = ["Connection"]


@dataclass(frozen=True, slots=True)
class _Call:
    """A request of ours without a body that waits for its answer."""

    deadline: Instant
    answered: Callable[[Response | None, Instant], None]  # None: no answer came


class Connection:
    """One end of a connection. `sessions` is shared by all connections of this endpoint."""

    def __init__(self, settings: EndpointSettings, sessions: SessionTable, rng: Rng, now: Instant) -> None:
        self._settings = settings
        self._sessions = sessions
        self._rng = rng
        self._parser = MsrpParser(settings.limits)
        self._events: list[Event] = []
        self._sender = Sender(settings, rng, self._events_append)
        self._receiver = Receiver(settings, self._events_append, self._answer_request)
        self._authorizations = Authorizations(rng, self._events_append, self._call_relay)
        self._bound: set[str] = set()
        self._told: set[str] = set()  # sessions whose SessionBound was told
        self._calls: dict[str, _Call] = {}  # the oldest first: they all wait equally long
        self._bind_by: Instant | None = now + settings.bind_ms
        self._heard: Instant = now
        self._asked = False  # a keep-alive is under way
        self._strikes = 0
        self._in_send = False
        self._closed = False

    # --- sessions --------------------------------------------------------------------------------
    def open_session(self, session_id: str, now: Instant) -> None:
        """We are its active side: bind it here and send the first SEND at once (section 5.4, RFC 6135 section 4.2.2).

        Raises InputError when it does not exist or is bound to another connection.
        """
        session = self.attach_session(session_id)
        self._send_empty(session, now, lambda response, at: self._on_first_answer(session_id, response))

    def attach_session(self, session_id: str) -> Session:
        """It is reached through this connection, and the peer sends first: we are passive behind our relay.

        Raises InputError when it does not exist or is bound to another connection.
        """
        session = self._sessions.session(session_id)
        if session is None or self._closed or self._sessions.bind(session_id, self) != 200:
            raise InputError("no such session for this connection", code="msrp.session")
        self._bound.add(session_id)
        self._bind_by = None
        return session

    def release_session(self, session_id: str, reason: str = "the session was closed") -> None:
        """The session is over (BYE). What is not finished in it has failed; the connection stays."""
        if session_id in self._bound:
            self._unbind(session_id, 0, reason, tell=False)
        self._sessions.remove(session_id)

    @property
    def sessions(self) -> frozenset[str]:
        """Those bound here."""
        return frozenset(self._bound)

    # --- our messages ------------------------------------------------------------------------------
    def send(
        self,
        session_id: str,
        content_type: str,
        source: BodySource,
        size: int | None,
        *,
        message_id: str,
        success_report: bool,
        failure_report: FailureReport = FailureReport.YES,
        headers: tuple[tuple[str, str], ...] = (),
        chunk: int | None = None,
    ) -> int:
        """Queue a message; its number is named in the event that ends it.

        `size` None: the source says when it ends. `headers` are MIME headers in front of Content-Type; `chunk` overrides
        the session's. Raises InputError for a session that is not bound here, a message id that is no `ident` or under
        way, or a value that cannot stand in a header; LimitExceeded when too many are under way.
        """
        session = self._sessions.session(session_id)
        if session is None or session_id not in self._bound:
            raise InputError("no such session on this connection", code="msrp.session")
        try:
            ident(message_id, "Message-ID")
        except DecodeError as error:
            raise InputError("not a message id", code="msrp.message_id") from error
        probe = Request("", "SEND", session.to_path, (session.local,), content_type=content_type, headers=headers)
        encode_head(probe)  # refuses now what it would refuse in mid-stream
        return self._sender.send(
            session, message_id, content_type, source, size, success_report, failure_report, headers, chunk
        )

    def resume(self, message: int) -> None:
        """The source of this message has bytes again, or has ended."""
        self._sender.resume(message)

    def abort(self, message: int, reason: str = "aborted") -> None:
        """Give a message of ours up: the peer is told with `#`. Nothing happens when it has ended."""
        self._sender.abort(message, reason)

    # --- the peer's messages -----------------------------------------------------------------------
    def refuse(self, message: int, status: int, reason: str) -> None:
        """We do not want a message that is arriving: 413, 415, 403. It ends in MessageBroken."""
        self._receiver.refuse(message, status, reason)

    def confirm(self, message: int) -> None:
        """What MessageReceived told of is safe with us: the success report goes out, if one is wanted (SR-06)."""
        reports = self._receiver.settle(message)
        if reports is not None and reports[0] is not None:
            self._put_request(reports[0])

    def reject(self, message: int, status: int, reason: str) -> None:
        """It came whole and was of no use: the failure report goes out, if one is wanted (section 7.1.4)."""
        reports = self._receiver.settle(message)
        if reports is not None and reports[1] is not None:
            self._put_request(replace(reports[1], status=Status(status, reason)))

    # --- relay -------------------------------------------------------------------------------------
    def authorize(self, relay: str, local: str, digest: Digest, expires_s: int | None, now: Instant) -> int:
        """Ask the relay at the other end for a path (RFC 4976 section 5.1). Ends in RelayGranted or RelayRefused.

        `relay` and `local` are MSRP addresses; `digest` answers its challenge. Each session needs a path of its own.
        """
        self._bind_by = None
        return self._authorizations.start(relay, local, digest, expires_s, now)

    # --- input and output ----------------------------------------------------------------------------
    def receive_data(self, data: bytes, now: Instant) -> None:
        """Bytes from the peer."""
        if self._closed:
            return
        self._heard, self._asked = now, False
        for item in self._parser.feed(data):
            if isinstance(item, Body):
                if self._in_send:
                    self._receiver.on_body(item.data, now)
            elif isinstance(item, End):
                if self._in_send:
                    self._in_send = False
                    self._receiver.on_end(item.flag, now)
            elif isinstance(item, Request):
                self._on_request(item, now)
            elif isinstance(item, Response):
                self._on_response(item, now)
            elif isinstance(item, Malformed):
                self._on_malformed(item)
            else:
                self._disconnect(item.error.code, f"the peer sent what is not MSRP: {item.error}")
            if self._closed:
                return

    def data_to_send(self, limit: int, now: Instant) -> bytes:
        """About `limit` bytes for the peer; empty when there are none now."""
        return b"" if self._closed else self._sender.writer.take(limit, now)

    @property
    def wants_to_send(self) -> bool:
        return not self._closed and self._sender.writer.wants_to_send

    @property
    def congested(self) -> bool:
        """Whether reading should pause (SR-08): the peer does not take our answers, or the owner not the messages."""
        settings = self._settings
        return (
            self._sender.writer.control_bytes > settings.max_control
            or self._receiver.unconfirmed > settings.max_unconfirmed
        )

    @property
    def buffered(self) -> int:
        """Bytes held: lines and end-lines cut in two, bytes beyond gaps, answers not taken yet."""
        return self._parser.buffered + self._receiver.held + self._sender.writer.control_bytes

    def events(self) -> list[Event]:
        """What happened since the last call."""
        events, self._events[:] = list(self._events), []
        return events

    def next_deadline(self) -> Instant | None:
        if self._closed:
            return None
        times = [self._sender.next_deadline(), self._receiver.next_deadline(), self._bind_by]
        times += [call.deadline for call in list(self._calls.values())[:1]]
        if self._settings.keepalive_ms is not None and self._bound and not self._asked:
            times.append(self._heard + self._settings.keepalive_ms)
        return min((at for at in times if at is not None), default=None)

    def on_deadline(self, now: Instant) -> None:
        if self._closed:
            return
        if self._bind_by is not None and self._bind_by <= now:
            self._disconnect("msrp.unbound", "no session was opened in time")
            return
        self._sender.on_deadline(now)
        self._receiver.on_deadline(now)
        while self._calls and next(iter(self._calls.values())).deadline <= now:
            self._calls.pop(next(iter(self._calls))).answered(None, now)
        keepalive = self._settings.keepalive_ms
        if keepalive is not None and self._bound and not self._asked and self._heard + keepalive <= now:
            session = self._sessions.session(next(iter(self._bound)))
            if session is not None:
                self._asked = True
                self._send_empty(session, now, self._on_keepalive_answer)

    def connection_lost(self, reason: str) -> None:
        """The connection has ended: everything unfinished has failed (section 5.4)."""
        self._disconnect("msrp.lost", reason)

    # --- requests of the peer ------------------------------------------------------------------------
    def _on_request(self, request: Request, now: Instant) -> None:
        if request.method not in ("SEND", "REPORT"):
            self._refuse(request, 501, "unknown method")
            return
        # Section 7.3: exactly one address, of a session on this connection.
        name = request.to_path[0].session if len(request.to_path) == 1 else None
        session = None if name is None else self._sessions.session(name)
        if session is None:
            self._refuse(request, 481, "no such session")
            return
        if session.id not in self._bound:
            # Only a SEND binds; whoever knows the id has it from the session description (section 14.1).
            status = self._sessions.bind(session.id, self) if request.method == "SEND" else 481
            if status != 200:
                self._refuse(request, status, "the session is on another connection" if status == 506 else "no session")
                return
            self._bound.add(session.id)
            self._bind_by = None
        if request.method == "REPORT":
            ended = self._sender.on_report(session.id, request, now)
            if ended is not None:
                self._unbind(session.id, ended, "bytes were reported as lost")
            return
        self._tell_bound(session.id)
        if request.content_type is None:
            # Without a body there is nothing to show: a first SEND, or a keep-alive (section 7.1).
            if request.failure_report is FailureReport.YES:
                self._answer_request(request, 200, "OK")
            return
        self._in_send = True
        self._receiver.on_head(request, session, now)

    def _refuse(self, request: Request, status: int, reason: str) -> None:
        """An answer to a request that belongs nowhere, and its body is passed over."""
        if request.method != "REPORT" and request.failure_report is not FailureReport.NO:
            self._answer_request(request, status, reason)
        self._strike()

    def _on_malformed(self, item: Malformed) -> None:
        """400, where it is known to whom; a REPORT and a response have no answer (section 7.1.2)."""
        if item.request and item.to_path and item.from_path:
            response = Response(item.transaction, 400, item.from_path[:1], item.to_path[:1], item.error.code)
            self._sender.writer.put(encode_response(response))
        self._strike()

    def _strike(self) -> None:
        self._strikes += 1
        if not self._bound and self._strikes >= self._settings.max_strikes:
            self._disconnect("msrp.strikes", "the peer has no session here")

    def _answer_request(self, request: Request, status: int, comment: str) -> None:
        """To the previous hop alone (section 7.2)."""
        response = Response(request.transaction, status, request.from_path[:1], request.to_path[:1], comment)
        self._sender.writer.put(encode_response(response))

    # --- answers to ours -----------------------------------------------------------------------------
    def _on_response(self, response: Response, now: Instant) -> None:
        call = self._calls.pop(response.transaction, None)
        if call is not None:
            call.answered(response, now)
            return
        session = self._sender.session_of(response.transaction)
        if self._sender.on_response(response) and session is not None and ends_session(response.status):
            self._unbind(session, response.status, response.comment or "refused")

    def _on_first_answer(self, session_id: str, response: Response | None) -> None:
        if session_id not in self._bound:
            return
        if response is None:
            self._unbind(session_id, 408, "no answer to the first request")
        elif 200 <= response.status < 300:
            self._tell_bound(session_id)
        else:
            self._unbind(session_id, response.status, response.comment or "refused")

    def _on_keepalive_answer(self, response: Response | None, now: Instant) -> None:
        # Any byte of the peer since then is a sign of life as well.
        if response is None and self._asked:
            self._disconnect("msrp.silent", "the peer does not answer")

    def _tell_bound(self, session_id: str) -> None:
        if session_id not in self._told:
            self._told.add(session_id)
            self._events.append(SessionBound(session_id))

    # --- inside ----------------------------------------------------------------------------------
    def _events_append(self, event: Event) -> None:
        self._events.append(event)

    def _send_empty(self, session: Session, now: Instant, answered: Callable[[Response | None, Instant], None]) -> None:
        """A SEND without a body (section 7.1: "Bodiless requests")."""
        request = Request(
            transaction=new_transaction(self._rng),
            method="SEND",
            to_path=session.to_path,
            from_path=(session.local,),
            message_id=new_transaction(self._rng),
            byte_range=ByteRange(1, 0, 0),
        )
        self._call(request, now, answered)

    def _call_relay(self, request: Request, now: Instant, answered: Callable[[Response | None, Instant], None]) -> None:
        self._call(replace(request, transaction=new_transaction(self._rng)), now, answered)

    def _call(self, request: Request, now: Instant, answered: Callable[[Response | None, Instant], None]) -> None:
        self._calls[request.transaction] = _Call(now + self._settings.transaction_ms, answered)
        self._put(request)

    def _put_request(self, request: Request) -> None:
        self._put(replace(request, transaction=new_transaction(self._rng)))

    def _put(self, request: Request) -> None:
        self._sender.writer.put(encode_head(request) + encode_end(request.transaction, Flag.COMPLETE, after_body=False))

    def _unbind(self, session_id: str, status: int, reason: str, *, tell: bool = True) -> None:
        """The session has ended here: first its messages fail, then it is told, if it was not us."""
        self._bound.discard(session_id)
        self._told.discard(session_id)
        self._sessions.unbind(session_id, self)
        self._sender.fail_session(session_id, status, reason)
        self._receiver.fail_session(session_id, reason)
        if tell:
            self._events.append(SessionFailed(session_id, status, reason))

    def _disconnect(self, code: str, reason: str) -> None:
        if self._closed:
            return
        for session_id in sorted(self._bound):
            self._unbind(session_id, 0, reason)
        self._calls.clear()
        self._authorizations.fail(reason)
        self._closed = True
        self._events.append(Disconnected(code, reason))
