"""An MSRP relay without sockets (RFC 4976 section 6): grants addresses to users, carries between connections.

* A user proves himself with Digest and gets an address that leads to his connection and out of it. A request is
  carried when it comes from that connection or goes to it, and never otherwise (section 6.4).
* SEND is answered hop by hop and carried while it arrives, in chunks of the relay's own; a hop that does not take
  its bytes pauses those that feed it. REPORT is carried as it is. Other methods are refused: this relay serves its
  own users alone, so no AUTH is passed on to another one.
* A chunk that the next hop refuses or leaves unanswered is reported to its sender.

The owner names connections by the numbers given here, and calls, after anything that may have changed something,
`events` and `touched`.
"""

from __future__ import annotations

from dataclasses import replace

from ..codec.msrp import (
    Body,
    End,
    FailureReport,
    Flag,
    Malformed,
    MsrpUri,
    Path,
    Request,
    Response,
    encode_end,
    encode_head,
    encode_response,
)
from ..ids import Instant, Rng
from .relay_access import Access
from .relay_hop import Flow, Hop, Pipe
from .relay_routing import Routes
from .relay_settings import CloseWanted, ConnectWanted, DigestVerifier, RelaySettings
from .relay_tokens import Tokens
from .writing import Stream, new_transaction

__all__ = ["Relay"]


class Relay:
    """`uri` is the relay's own address, without a session."""

    def __init__(self, settings: RelaySettings, uri: MsrpUri, verifier: DigestVerifier, rng: Rng) -> None:
        self._settings = settings
        self._uri = uri
        self._rng = rng
        self._tokens = Tokens(uri, rng)
        self._access = Access(settings, verifier, self._tokens, rng)
        self._hops: dict[int, Hop] = {}
        self._routes = Routes(self._tokens, self._hops, self._open_outward, settings.max_outward)
        self._events: list[ConnectWanted | CloseWanted] = []
        self._touched: set[int] = set()
        self._next = 1

    # --- connections -----------------------------------------------------------------------------
    def connected(self, *, secure: bool, now: Instant) -> int:
        """A connection was accepted. Returns its number."""
        return self._hop(secure=secure, ready=True, opened_for=None, now=now).number

    def opened(self, connection: int, now: Instant) -> None:
        """The connection that ConnectWanted asked for is there."""
        hop = self._hops.get(connection)
        if hop is not None:
            hop.ready, hop.waiting = True, None
            self._wake(hop, now)

    def lost(self, connection: int, now: Instant) -> None:
        """It has ended, or could not be opened. What was under way to it is reported to its senders."""
        hop = self._hops.pop(connection, None)
        if hop is None:
            return
        self._tokens.drop(connection)
        self._uncrowd(hop)
        self._routes.drop(connection)
        if hop.arriving is not None:
            # Its sender is gone in the middle: what comes later comes in another session (RFC 4975 section 5.4).
            hop.arriving.stream.end = Flag.ABORTED
            hop.arriving.pipe.done = True
            self._feed(hop.arriving, now)
        told: set[Flow] = set()
        for flow, start, end in hop.unanswered():
            told.add(flow)
            self._report(flow, 408, "the next hop is gone", start, end, now)
        for flow in list(hop.flows.values()):
            origin = self._hops.get(flow.origin)
            if origin is not None:
                origin.forget(flow)
                self._touched.add(origin.number)
            if flow not in told:
                position = flow.stream.position
                self._report(flow, 408, "the next hop is gone", position, position - 1 + flow.pipe.size, now)
            flow.failed = True

    # --- input and output ----------------------------------------------------------------------------
    def receive_data(self, connection: int, data: bytes, now: Instant) -> None:
        """Bytes from a connection."""
        hop = self._hops.get(connection)
        if hop is None:
            return
        hop.heard = hop.used = now
        self._touched.add(connection)
        for item in hop.parser.feed(data):
            if isinstance(item, Body):
                self._on_body(hop, item.data, now)
            elif isinstance(item, End):
                self._on_end(hop, item.flag, now)
            elif isinstance(item, Request):
                self._on_request(hop, item, now)
            elif isinstance(item, Response):
                self._on_response(hop, item, now)
            elif isinstance(item, Malformed):
                if item.request and item.from_path and item.to_path:
                    self._answer_to(hop, item.transaction, 400, item.error.code, item.from_path[:1], item.to_path[:1])
                self._strike(hop, now)
            else:
                self._close(hop, f"not MSRP ({item.error.code})", now)
            if connection not in self._hops:
                return

    def data_to_send(self, connection: int, limit: int, now: Instant) -> bytes:
        """About `limit` bytes for a connection; empty when there are none now."""
        hop = self._hops.get(connection)
        if hop is None or not hop.ready:
            return b""
        before = hop.pending
        data = hop.writer.take(limit, now)
        hop.waiting = now if hop.writer.wants_to_send else None
        if data:
            hop.used = now
        if before > self._settings.max_pending >= hop.pending:
            self._touched.update(flow.origin for flow in hop.flows.values())
        if hop.writer.control_bytes <= self._settings.max_control:
            self._uncrowd(hop)
        for flow in hop.finished:
            origin = self._hops.get(flow.origin)
            if origin is not None:
                origin.forget(flow)
                self._touched.add(origin.number)
            flow.pipe.clear()
        hop.finished.clear()
        return data

    def wants_to_send(self, connection: int) -> bool:
        hop = self._hops.get(connection)
        return hop is not None and hop.ready and hop.writer.wants_to_send

    def paused(self, connection: int) -> bool:
        """Whether nothing should be read from a connection now: what it feeds is not taken, or its answers are not."""
        hop = self._hops.get(connection)
        if hop is None:
            return False
        if len(hop.sources) > self._settings.max_flows or hop.writer.control_bytes > self._settings.max_control:
            return True
        targets = {flow.target for flow in hop.sources.values()}
        return hop.crowding > 0 or any(
            target in self._hops and self._hops[target].pending > self._settings.max_pending for target in targets
        )

    def touched(self) -> set[int]:
        """Connections whose output or pause may have changed since the last call."""
        touched, self._touched = self._touched, set()
        return touched

    def events(self) -> list[ConnectWanted | CloseWanted]:
        """What the owner has to do, since the last call."""
        events, self._events = self._events, []
        return events

    def next_deadline(self, connection: int) -> Instant | None:
        hop = self._hops.get(connection)
        if hop is None:
            return None
        times = [hop.next_due]
        if not hop.proven:
            times.append(hop.since + self._settings.probation_ms)
        if hop.ready and hop.waiting is not None:
            times.append(hop.waiting + self._settings.stall_ms)
        if hop.opened_for is not None:
            times.append(hop.used + self._settings.idle_ms)
        return min((at for at in times if at is not None), default=None)

    def on_deadline(self, connection: int, now: Instant) -> None:
        hop = self._hops.get(connection)
        if hop is None:
            return
        for flow, start, end in hop.overdue(now):
            if flow.request.failure_report is FailureReport.YES:
                self._report(flow, 408, "no answer from the next hop", start, end, now)
        if not hop.proven and hop.since + self._settings.probation_ms <= now:
            self._close(hop, "no request that could be served in time", now)
        elif hop.ready and hop.waiting is not None and hop.waiting + self._settings.stall_ms <= now:
            self._close(hop, "it takes nothing", now)
        elif hop.opened_for is not None and hop.used + self._settings.idle_ms <= now:
            self._close(hop, "nobody uses it", now)

    # --- requests --------------------------------------------------------------------------------
    def _on_request(self, hop: Hop, request: Request, now: Instant) -> None:
        if not self._tokens.is_here(request.to_path[0]):
            # Section 6.2: "the relay immediately drops the corresponding connection".
            self._close(hop, "a request that is not for this relay", now)
            return
        if request.method == "AUTH":
            self._on_auth(hop, request, now)
            return
        if request.method not in ("SEND", "REPORT"):
            self._refuse(hop, request, 501, "unknown method", now)
            return
        routed = self._routes.of(hop.number, request, now)
        if isinstance(routed, int):
            self._refuse(hop, request, routed, "this address leads nowhere", now)
            return
        target, to_path, from_path = routed
        hop.proven = True
        onward = replace(request, transaction="", to_path=to_path, from_path=from_path)
        if request.method == "REPORT":
            hop.report = (target, onward, [])
            return
        if request.content_type is None:
            # A bodiless SEND: it binds the session at the far end, so it goes there (RFC 4975 section 5.4).
            self._forward_whole(hop, target, onward, b"", now, self._flow(hop, target, request, onward))
            if request.failure_report is FailureReport.YES:
                self._answer(hop, request, 200, "OK")
            return
        self._start_flow(hop, target, request, onward)

    def _start_flow(self, hop: Hop, number: int, request: Request, onward: Request) -> None:
        hop.request = request
        flow = self._flow(hop, number, request, onward)
        earlier = hop.sources.get(flow.key)
        if earlier is not None and earlier.goes_on(request):
            # Two chunks of a message may not overtake one another (section 3: "resend the resulting chunks in order").
            earlier.pipe.done = False
            hop.arriving = earlier
            return
        hop.arriving = flow
        hop.sources[flow.key] = flow
        target = self._hops[number]
        target.flows[flow.stream] = flow
        target.writer.add(flow.stream)

    def _flow(self, hop: Hop, number: int, request: Request, onward: Request) -> Flow:
        target = self._hops[number]

        def taken(size: int) -> None:
            target.pending -= size

        pipe = Pipe(taken)
        position = request.byte_range.start if request.byte_range is not None else 1
        total = None if request.byte_range is None else request.byte_range.total
        stream = Stream(onward, pipe, self._settings.chunk, None, total, position)
        return Flow(hop.number, number, request, request.to_path[0], stream, pipe, position)

    def _on_body(self, hop: Hop, data: memoryview, now: Instant) -> None:
        if hop.report is not None:
            hop.report[2].append(bytes(data))
            return
        flow = hop.arriving
        target = None if flow is None else self._hops.get(flow.target)
        if flow is None or target is None or flow.failed:
            return
        flow.received += len(data)
        flow.pipe.put(data)
        target.pending += len(data)
        self._feed(flow, now)

    def _on_end(self, hop: Hop, flag: Flag, now: Instant) -> None:
        if hop.report is not None:
            (target, report, body), hop.report = hop.report, None
            self._forward_whole(hop, target, report, b"".join(body), now)
            return
        flow, hop.arriving = hop.arriving, None
        request, hop.request = hop.request, None
        if flow is None or request is None:
            return
        flow.stream.end = flag
        flow.pipe.done = True
        self._feed(flow, now)
        if request.failure_report is FailureReport.YES:
            self._answer(hop, request, 200, "OK")

    def _feed(self, flow: Flow, now: Instant) -> None:
        target = self._hops.get(flow.target)
        if target is not None:
            target.writer.resume(flow.stream)
            self._wake(target, now)

    def _wake(self, hop: Hop, now: Instant) -> None:
        """It may have something to send."""
        self._touched.add(hop.number)
        if hop.waiting is None and hop.writer.wants_to_send:
            hop.waiting = now

    def _forward_whole(
        self, hop: Hop, number: int, request: Request, body: bytes, now: Instant, flow: Flow | None = None
    ) -> None:
        """Pass on a request that is not divided; a connection that is gone loses it. An answer is about `flow`."""
        target = self._hops.get(number)
        if target is None:
            return
        transaction = new_transaction(self._rng)
        while transaction.encode() in body:
            transaction = new_transaction(self._rng)
        head = encode_head(replace(request, transaction=transaction))
        has_body = request.content_type is not None
        target.writer.put(head + body + encode_end(transaction, Flag.COMPLETE, after_body=has_body))
        if target.writer.control_bytes > self._settings.max_control and hop.number not in target.crowded_by:
            # What goes through in one piece pauses its sender as chunks do (SR-08).
            target.crowded_by.add(hop.number)
            hop.crowding += 1
        if flow is not None:
            target.expect(transaction, flow, now)
        self._wake(target, now)

    def _uncrowd(self, hop: Hop) -> None:
        """It takes whole requests again, or never will: whoever waited for it may send on."""
        for number in hop.crowded_by:
            waiting = self._hops.get(number)
            if waiting is not None:
                waiting.crowding -= 1
                self._touched.add(number)
        hop.crowded_by.clear()

    # --- AUTH ------------------------------------------------------------------------------------
    def _on_auth(self, hop: Hop, request: Request, now: Instant) -> None:
        granted = self._access.judge(hop.number, request, secure=hop.secure, now=now)
        hop.proven = hop.proven or granted.proven
        if granted.strike:
            self._refuse(hop, request, granted.status, granted.comment, now)
            return
        self._answer(hop, request, granted.status, granted.comment, granted.headers)
        if granted.wrong:
            hop.failures += 1
            if hop.failures >= self._settings.max_failures:
                # Section 6.3: "several unsuccessful AUTH requests ... SHOULD terminate".
                self._close(hop, "wrong credentials", now)

    # --- answers ---------------------------------------------------------------------------------
    def _on_response(self, hop: Hop, response: Response, now: Instant) -> None:
        known = hop.answered(response.transaction)
        if known is None or 200 <= response.status < 300:
            return
        flow, start, end = known
        self._report(flow, response.status, response.comment or "refused by the next hop", start, end, now)
        # Nothing more of this chunk is wanted there; the sender hears of it by the report.
        if flow.stream in hop.flows:
            flow.failed = True
            hop.writer.drop(flow.stream)

    def _report(self, flow: Flow, status: int, comment: str, start: int, end: int, now: Instant) -> None:
        """Tell the sender, unless he wants to hear nothing (section 6.4.1)."""
        origin = self._hops.get(flow.origin)
        if origin is None or flow.request.failure_report is FailureReport.NO:
            return
        report = flow.report(status, comment, start, max(end, start - 1))
        transaction = new_transaction(self._rng)
        origin.writer.put(
            encode_head(replace(report, transaction=transaction))
            + encode_end(transaction, Flag.COMPLETE, after_body=False)
        )
        self._wake(origin, now)

    def _refuse(self, hop: Hop, request: Request, status: int, reason: str, now: Instant) -> None:
        if request.method != "REPORT" and request.failure_report is not FailureReport.NO:
            self._answer(hop, request, status, reason)
        self._strike(hop, now)

    def _strike(self, hop: Hop, now: Instant) -> None:
        hop.strikes += 1
        if not hop.proven and hop.strikes >= self._settings.max_strikes:
            self._close(hop, "nothing that could be served", now)

    def _answer(
        self, hop: Hop, request: Request, status: int, comment: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        # To a SEND only the previous hop is answered, to any other request its sender (RFC 4975 section 7.2).
        back = request.from_path[:1] if request.method == "SEND" else request.from_path
        self._answer_to(hop, request.transaction, status, comment, back, request.to_path[:1], headers)

    def _answer_to(
        self,
        hop: Hop,
        transaction: str,
        status: int,
        comment: str,
        to_path: Path,
        from_path: Path,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        hop.writer.put(encode_response(Response(transaction, status, to_path, from_path, comment, headers)))
        self._wake(hop, hop.heard)

    def _close(self, hop: Hop, reason: str, now: Instant) -> None:
        self.lost(hop.number, now)
        self._events.append(CloseWanted(hop.number, reason))

    def _open_outward(self, uri: MsrpUri, user: int, now: Instant) -> int:
        hop = self._hop(secure=uri.secure, ready=False, opened_for=user, now=now)
        hop.proven = True
        self._events.append(ConnectWanted(hop.number, uri))
        return hop.number

    def _hop(self, *, secure: bool, ready: bool, opened_for: int | None, now: Instant) -> Hop:
        settings = self._settings
        hop = Hop(
            self._next,
            settings.limits,
            secure=secure,
            ready=ready,
            opened_for=opened_for,
            turn=settings.turn,
            max_transactions=settings.max_transactions,
            transaction_ms=settings.transaction_ms,
            rng=self._rng,
            now=now,
        )
        self._next += 1
        self._hops[hop.number] = hop
        return hop
