"""The peer's messages: chunks put together in order, answered one by one, reported when the owner says so.

RFC 4975 sections 7.1.3, 7.1.4, 7.2 and 7.3.1. Bytes are handed out as soon as everything in front of them was;
what comes before its turn is held within bounds. Bytes handed out cannot be taken back, so there the first
wins; among those held the last wins. The chunk that ends in `$` says where the message ends.

A message ends once: received, or broken. What comes for it afterwards is answered and not shown; a message
that begins again with the same id is shown as a repeat, because only who reads the content can tell (SR-05).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..codec.msrp import ByteRange, FailureReport, Flag, Path, Request, Status
from ..ids import Instant
from .events import Event, MessageBroken, MessagePiece, MessageReceived, MessageStarted
from .ranges import Gaps
from .sessions import Session, accepts
from .settings import EndpointSettings

__all__ = ["Receiver"]


@dataclass(slots=True, eq=False)
class _Incoming:
    number: int
    session: str
    message_id: str
    local: Session
    reply_path: Path
    success_report: bool
    failure_report: FailureReport
    total: int | None
    handed: int = 0  # bytes handed out
    length: int | None = None  # once the chunk with `$` has ended
    gaps: Gaps = field(default_factory=Gaps)
    deadline: Instant = 0


@dataclass(slots=True, eq=False)
class _Chunk:
    """The request that is arriving."""

    request: Request
    message: _Incoming | None  # None: what comes is passed over
    start: int
    size: int = 0
    answered: bool = False


class Receiver:
    """Messages that are arriving on one connection, and those that wait to be confirmed."""

    def __init__(
        self, settings: EndpointSettings, emit: Callable[[Event], None], answer: Callable[[Request, int, str], None]
    ) -> None:
        self._settings = settings
        self._emit = emit
        self._answer = answer
        self._messages: dict[int, _Incoming] = {}  # the one that has been silent for longest first
        self._by_id: dict[tuple[str, str], _Incoming] = {}
        self._received: dict[int, _Incoming] = {}  # waiting for the owner
        self._ended: dict[tuple[str, str], int] = {}  # what ended lately, and the status it is refused with; 200 if not
        self._chunk: _Chunk | None = None
        self._held = 0
        self._next = 1

    @property
    def held(self) -> int:
        """Bytes held beyond gaps."""
        return self._held

    @property
    def unconfirmed(self) -> int:
        """Messages that wait for the owner."""
        return len(self._received)

    def on_head(self, request: Request, session: Session, now: Instant) -> None:
        """A SEND with a body, of a session that is bound here."""
        start = request.byte_range.start if request.byte_range is not None else 1
        self._chunk = chunk = _Chunk(request, None, start)
        key = (session.id, request.message_id or "")
        total = None if request.byte_range is None else request.byte_range.total
        message = self._by_id.get(key)
        if message is None:
            ended = self._ended.get(key)
            if ended is not None and ended >= 300:
                self._refuse_chunk(chunk, ended, "this message was refused")
                return
            if ended is not None and start > 1:
                return  # bytes again of a message that is complete (section 7.3.1)
            refusal = self._refusal(session, request.content_type or "", total)
            if refusal is not None:
                self._remember(key, refusal[0])
                self._refuse_chunk(chunk, *refusal)
                return
            message = self._start(request, session, key, total, now)
        chunk.message = message
        if total is not None and total != message.total:
            if message.total is not None:
                self._break(message, 400, "two totals of one message")
            elif total < max(message.handed, message.gaps.end):
                self._break(message, 400, "a total below what has come")
            else:
                message.total = total

    def on_body(self, data: memoryview, now: Instant) -> None:
        chunk = self._chunk
        if chunk is None or chunk.message is None:
            return
        message = chunk.message
        self._touch(message, now)
        position = chunk.start + chunk.size
        chunk.size += len(data)
        end = position + len(data) - 1
        bound = message.total if message.length is None else message.length
        if bound is not None and end > bound:
            self._break(message, 400, "more bytes than the message has")
        elif end > message.local.max_size:
            self._break(message, 413, "the message is too large")
        elif position > message.handed + 1:
            self._hold(message, position, data)
        elif end > message.handed:
            piece = data[message.handed + 1 - position :]
            if len(message.gaps):
                self._held -= message.gaps.size
                message.gaps.cut(position, end + 1)
                self._held += message.gaps.size
            self._hand_out(message, piece)
            if len(message.gaps):
                self._hand_out_held(message)

    def on_end(self, flag: Flag, now: Instant) -> None:
        """The chunk is whole, or was interrupted."""
        chunk, self._chunk = self._chunk, None
        if chunk is None:
            return
        message = chunk.message
        if message is not None:
            if flag is Flag.ABORTED:
                self._break(message, 200, "given up by its sender")
            elif flag is Flag.COMPLETE:
                self._at_end(message, chunk.start - 1 + chunk.size)
        if not chunk.answered and chunk.request.failure_report is FailureReport.YES:
            # Section 7.1.4: with "partial" no 200, with "no" nothing at all.
            self._answer(chunk.request, 200, "OK")
        if message is not None and message.number in self._messages:
            self._touch(message, now)
            if message.length is not None and message.handed >= message.length:
                self._complete(message)

    def refuse(self, number: int, status: int, reason: str) -> None:
        """The owner does not want the message that is arriving; nothing more of it is handed out."""
        message = self._messages.get(number)
        if message is not None:
            self._break(message, status, reason)

    def settle(self, number: int) -> tuple[Request | None, Request | None] | None:
        """The owner has decided on a received message: its success and its failure report, None where none is wanted.

        None instead of both when there is no such message (any more).
        """
        message = self._received.pop(number, None)
        if message is None:
            return None
        report = Request(
            transaction="",
            method="REPORT",
            to_path=message.reply_path,
            from_path=(message.local.local,),
            message_id=message.message_id,
            byte_range=ByteRange(1, message.handed, message.handed),
            status=Status(200, "OK"),
        )
        return (
            report if message.success_report else None,
            report if message.failure_report is not FailureReport.NO else None,
        )

    def fail_session(self, session: str, reason: str) -> None:
        """What is arriving in it will not be complete; what has arrived cannot be reported any more."""
        for message in [m for m in self._messages.values() if m.session == session]:
            self._break(message, 0, reason)
        for number in [number for number, m in self._received.items() if m.session == session]:
            del self._received[number]

    def next_deadline(self) -> Instant | None:
        first = next(iter(self._messages.values()), None)
        return None if first is None else first.deadline

    def on_deadline(self, now: Instant) -> None:
        for message in list(self._messages.values()):
            if message.deadline > now:
                return
            self._break(message, 413, "its sender fell silent")

    # --- inside ----------------------------------------------------------------------------------
    def _refusal(self, session: Session, content_type: str, size: int | None) -> tuple[int, str] | None:
        if not accepts(session.accept_types, content_type):
            return 415, "this type is not accepted"
        if size is not None and size > session.max_size:
            # Checked before anything is kept for it (SR-08, section 14.5).
            return 413, "the message is too large"
        if len(self._messages) >= self._settings.max_incoming:
            return 413, "too many messages at once"
        return None

    def _start(
        self, request: Request, session: Session, key: tuple[str, str], total: int | None, now: Instant
    ) -> _Incoming:
        message = _Incoming(
            self._next,
            session.id,
            key[1],
            session,
            request.from_path,
            request.success_report,
            request.failure_report,
            total,
        )
        self._next += 1
        self._by_id[key] = message
        self._messages[message.number] = message
        self._touch(message, now)
        repeat = self._ended.pop(key, None) is not None
        kind = request.content_type or ""
        self._emit(MessageStarted(message.number, session.id, key[1], kind, total, request.headers, repeat))
        return message

    def _touch(self, message: _Incoming, now: Instant) -> None:
        message.deadline = now + self._settings.stalled_ms
        del self._messages[message.number]
        self._messages[message.number] = message

    def _hold(self, message: _Incoming, position: int, data: memoryview) -> None:
        room = self._settings.max_gap_bytes - self._held
        before = message.gaps.size
        if len(data) <= room:
            message.gaps.put(position, data)
            self._held += message.gaps.size - before
        if len(data) > room or len(message.gaps) > self._settings.max_gaps:
            self._break(message, 413, "too much of it came before its turn")

    def _hand_out(self, message: _Incoming, piece: memoryview | bytes) -> None:
        message.handed += len(piece)
        self._emit(MessagePiece(message.number, piece))

    def _hand_out_held(self, message: _Incoming) -> None:
        while piece := message.gaps.take(message.handed + 1):
            self._held -= len(piece)
            self._hand_out(message, piece)

    def _at_end(self, message: _Incoming, length: int) -> None:
        """ "the chunk that has a termination character of "$" defines the total length" (section 7.3.1)."""
        known = message.length
        if (known is not None and known != length) or length < max(message.handed, message.gaps.end):
            self._break(message, 400, "two ends of one message")
            return
        message.length = length

    def _complete(self, message: _Incoming) -> None:
        self._forget(message, 200)
        self._received[message.number] = message
        self._emit(MessageReceived(message.number, message.handed))

    def _break(self, message: _Incoming, status: int, reason: str) -> None:
        """It ends here. With a status of 300 or more its sender is told so, now and for each further chunk."""
        self._forget(message, status if status >= 300 else 200)
        chunk = self._chunk
        if chunk is not None and chunk.message is message:
            chunk.message = None
            if status >= 300:
                self._refuse_chunk(chunk, status, reason)
        self._emit(MessageBroken(message.number, reason))

    def _forget(self, message: _Incoming, status: int) -> None:
        del self._messages[message.number]
        key = (message.session, message.message_id)
        del self._by_id[key]
        self._held -= message.gaps.size
        self._remember(key, status)

    def _remember(self, key: tuple[str, str], status: int) -> None:
        self._ended.pop(key, None)
        self._ended[key] = status
        if len(self._ended) > self._settings.remembered:
            del self._ended[next(iter(self._ended))]

    def _refuse_chunk(self, chunk: _Chunk, status: int, reason: str) -> None:
        if not chunk.answered and chunk.request.failure_report is not FailureReport.NO:
            chunk.answered = True
            self._answer(chunk.request, status, reason)
