"""Our messages: what was answered, what was reported, and how each of them ends (RFC 4975 sections 7.1.1 and 7.3.2).

A message ends once, in completion or in failure:

* it asked for a success report: when reports cover it whole; it fails when none comes in time,
* else, with Failure-Report yes: when every chunk was answered with 200,
* partial: when no error came within the time that an answer would have had,
* no: when its last byte was written.

An error answer, a failure report, a chunk without an answer for 30 seconds and the end of the session or
the connection are failures. What comes after a message's end says nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..codec.msrp import FailureReport, Flag, Request, Response
from ..errors import InputError, LimitExceeded
from ..ids import Instant, Rng
from .events import Event, SendCompleted, SendFailed, SendProgressed
from .ranges import Coverage
from .sessions import Session
from .settings import EndpointSettings
from .sources import BodySource
from .writing import Chunk, ChunkWriter, Stream

__all__ = ["Sender", "ends_session"]

_MAX_REPORTED_RANGES = 64
# What concerns one message alone; of anything else a session does not recover (sections 7.3.2, 10.8 and 10.10).
_OF_ONE_MESSAGE = frozenset((400, 403, 408, 413, 415, 423, 501))


@dataclass(slots=True, eq=False)
class _Message:
    number: int
    session: str
    message_id: str
    stream: Stream
    success_report: bool
    failure_report: FailureReport
    unanswered: set[str] = field(default_factory=set)
    written: bool = False  # its last byte is out
    any_report: bool = False  # what an empty message waits for
    reported: Coverage = field(default_factory=lambda: Coverage(_MAX_REPORTED_RANGES))


@dataclass(slots=True, eq=False)
class _Transaction:
    message: _Message
    deadline: Instant | None = None  # none before the chunk's last byte


class Sender:
    """The messages of one connection that are not finished."""

    def __init__(self, settings: EndpointSettings, rng: Rng, emit: Callable[[Event], None]) -> None:
        self._settings = settings
        self._emit = emit
        self._messages: dict[int, _Message] = {}
        self._streams: dict[Stream, _Message] = {}
        self._by_id: dict[tuple[str, str], _Message] = {}
        self._transactions: dict[str, _Transaction] = {}
        self._due: dict[str, Instant] = {}  # transactions that wait for an answer, the oldest first
        self._reports_due: dict[int, Instant] = {}  # messages that wait for a report, the oldest first
        self._next = 1
        self.writer = ChunkWriter(rng, settings.turn, self._may_open, self._opened, self._closed)

    def send(
        self,
        session: Session,
        message_id: str,
        content_type: str,
        source: BodySource,
        size: int | None,
        success_report: bool,
        failure_report: FailureReport,
        headers: tuple[tuple[str, str], ...],
        chunk: int | None,
    ) -> int:
        """Queue a message. Raises InputError when its id is in use, LimitExceeded when too many are not finished."""
        if len(self._messages) >= self._settings.max_outgoing:
            raise LimitExceeded("too many messages under way", code="msrp.limit.outgoing")
        if (session.id, message_id) in self._by_id:
            raise InputError("this message is under way", code="msrp.message_id")
        head = Request(
            transaction="",
            method="SEND",
            to_path=session.to_path,
            from_path=(session.local,),
            message_id=message_id,
            success_report=success_report,
            failure_report=failure_report,
            content_type=content_type,
            headers=headers,
        )
        stream = Stream(head, source, chunk or session.chunk, size, size)
        message = _Message(self._next, session.id, message_id, stream, success_report, failure_report)
        self._next += 1
        self._messages[message.number] = message
        self._streams[stream] = message
        self._by_id[session.id, message_id] = message
        self.writer.add(stream)
        return message.number

    def resume(self, number: int) -> None:
        message = self._messages.get(number)
        if message is not None:
            self.writer.resume(message.stream)

    def abort(self, number: int, reason: str) -> None:
        """Give a message up; nothing happens when it has ended."""
        message = self._messages.get(number)
        if message is not None:
            self._fail(message, 0, reason)

    def fail_session(self, session: str, status: int, reason: str) -> None:
        """All its messages have failed; nothing more is sent in it."""
        for message in [m for m in self._messages.values() if m.session == session]:
            self._fail(message, status, reason, tell=False)

    def session_of(self, transaction: str) -> str | None:
        """The session of a chunk that waits for its answer."""
        waiting = self._transactions.get(transaction)
        return None if waiting is None else waiting.message.session

    def on_response(self, response: Response) -> bool:
        """False when the response is to nothing of ours."""
        transaction = self._transactions.pop(response.transaction, None)
        if transaction is None:
            return False
        self._due.pop(response.transaction, None)
        message = transaction.message
        message.unanswered.discard(response.transaction)
        if 200 <= response.status < 300:
            self._judge(message)
        else:
            self._fail(message, response.status, response.comment or "refused")
        return True

    def on_report(self, session: str, report: Request, now: Instant) -> int | None:
        """Take a REPORT. Returns the status that ends the session, if it does.

        A report for an unknown message is ignored (section 7.1.2), and so is one in a foreign namespace.
        """
        status = report.status
        message = self._by_id.get((session, report.message_id or ""))
        if message is None or status is None or status.namespace != "000":
            return None
        if not 200 <= status.code < 300:
            self._fail(message, status.code, status.comment or "reported as failed")
            # "a failure REPORT indicating that a particular byte range was not received, it MUST treat the session
            # as failed" (section 7.3.2).
            lost_bytes = status.code == 408 or ends_session(status.code)
            return status.code if lost_bytes else None
        if not message.success_report:
            return None
        message.any_report = True
        before = message.reported.through
        sent = message.stream.position - 1
        if report.byte_range is None:
            message.reported.add(1, sent)
        else:
            end = report.byte_range.end
            end = report.byte_range.total if end is None else end
            message.reported.add(report.byte_range.start, sent if end is None else min(end, sent))
        if message.reported.through > before:
            self._emit(SendProgressed(message.number, message.reported.through))
            if message.number in self._reports_due:
                self._wait_for_report(message, now)
        self._judge(message)
        return None

    def next_deadline(self) -> Instant | None:
        first = (next(iter(self._due.values()), None), next(iter(self._reports_due.values()), None))
        return min((at for at in first if at is not None), default=None)

    def on_deadline(self, now: Instant) -> None:
        while self._due and next(iter(self._due.values())) <= now:
            name = next(iter(self._due))
            del self._due[name]
            message = self._transactions.pop(name).message
            message.unanswered.discard(name)
            if message.failure_report is FailureReport.PARTIAL:
                self._judge(message)  # silence is what was asked for
            else:
                self._fail(message, 408, "no answer")
        while self._reports_due and next(iter(self._reports_due.values())) <= now:
            number = next(iter(self._reports_due))
            del self._reports_due[number]
            self._fail(self._messages[number], 408, "no report of its delivery")

    # --- what the writer tells ---------------------------------------------------------------------
    def _may_open(self) -> bool:
        return len(self._transactions) < self._settings.max_transactions

    def _opened(self, chunk: Chunk) -> None:
        message = self._streams.get(chunk.stream)
        if message is None or message.failure_report is FailureReport.NO:
            return
        # An error may come before the chunk is whole, so it is expected from its first byte on.
        self._transactions[chunk.transaction] = _Transaction(message)
        message.unanswered.add(chunk.transaction)

    def _closed(self, chunk: Chunk, flag: Flag, now: Instant) -> None:
        message = self._streams.get(chunk.stream)
        if message is None:
            return
        if chunk.transaction in self._transactions:
            # "within 30 seconds from the time the last byte of the transaction is sent" (section 7.1.1).
            self._due[chunk.transaction] = now + self._settings.transaction_ms
        if flag is Flag.ABORTED:
            self._fail(message, 0, "the content ended early")
            return
        if flag is Flag.COMPLETE:
            message.written = True
            if message.success_report:
                self._wait_for_report(message, now)
            self._judge(message)

    # --- how messages end --------------------------------------------------------------------------
    def _judge(self, message: _Message) -> None:
        """Whether it is complete by now."""
        if not message.written:
            return
        if message.success_report:
            if message.any_report and message.reported.through >= message.stream.position - 1:
                self._end(message)
                self._emit(SendCompleted(message.number, reported=True))
        elif not message.unanswered:
            self._end(message)
            self._emit(SendCompleted(message.number, reported=False))

    def _wait_for_report(self, message: _Message, now: Instant) -> None:
        self._reports_due.pop(message.number, None)
        self._reports_due[message.number] = now + self._settings.report_ms

    def _fail(self, message: _Message, status: int, reason: str, *, tell: bool = True) -> None:
        self._end(message)
        # "the entire message corresponding to that chunk SHOULD be aborted" (section 7.3.2).
        self.writer.drop(message.stream, tell=tell)
        self._emit(SendFailed(message.number, status, reason))

    def _end(self, message: _Message) -> None:
        del self._messages[message.number]
        del self._streams[message.stream]
        del self._by_id[message.session, message.message_id]
        self._reports_due.pop(message.number, None)
        for name in message.unanswered:
            self._transactions.pop(name, None)
            self._due.pop(name, None)


def ends_session(status: int) -> bool:
    """Whether an answer says that the session itself is of no more use."""
    return status not in _OF_ONE_MESSAGE and not 200 <= status < 300
