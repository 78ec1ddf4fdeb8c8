"""One connection of a relay: what goes out on it in chunks of its own, and what became of them (RFC 4976 section 6.4).

A chunk that arrives on one hop is a `Flow` to another: its bytes pass through a pipe that is emptied as the other
hop takes them, so a body is never held beyond the bound at which reading pauses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ..codec.msrp import ByteRange, FailureReport, Flag, Limits, MsrpParser, MsrpUri, Request, Status
from ..ids import Instant, Rng
from .writing import Chunk, ChunkWriter, Stream

__all__ = ["Flow", "Hop", "Pipe"]


class Pipe:
    """A body on its way through."""

    __slots__ = ("_pieces", "done", "size", "taken")

    def __init__(self, taken: Callable[[int], None]) -> None:
        self._pieces: deque[memoryview] = deque()
        self.size = 0
        self.done = False  # nothing more will be put in
        self.taken = taken  # told of the bytes that went out

    def put(self, data: memoryview) -> None:
        self._pieces.append(data)
        self.size += len(data)

    def clear(self) -> None:
        self._pieces.clear()
        size, self.size = self.size, 0
        self.taken(size)

    def read(self, limit: int) -> bytes | None:
        if not self._pieces:
            return b"" if self.done else None
        out: list[memoryview] = []
        room = limit
        while room > 0 and self._pieces:
            piece = self._pieces.popleft()
            if len(piece) > room:
                self._pieces.appendleft(piece[room:])
                piece = piece[:room]
            out.append(piece)
            room -= len(piece)
        self.size -= limit - room
        self.taken(limit - room)
        return b"".join(out)


@dataclass(slots=True, eq=False)
class Flow:
    """A chunk on its way from a hop to another, and those behind it that go on where it ends: so their order stays."""

    origin: int  # the hop it came from
    target: int
    request: Request  # as it came
    here: MsrpUri  # our address in it
    stream: Stream
    pipe: Pipe
    received: int  # the position behind the last byte that came
    failed: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """What the chunks of one message have in common."""
        request = self.request
        return (self.target, request.message_id, request.to_path, request.from_path)

    def goes_on(self, request: Request) -> bool:
        """Whether a later chunk of the message can be written behind it as if it were one."""
        start = 1 if request.byte_range is None else request.byte_range.start
        total = None if request.byte_range is None else request.byte_range.total
        mine = self.request
        return (
            not self.failed
            and self.pipe.done
            and self.stream.end is Flag.CONTINUED
            and start == self.received
            and total == self.stream.total
            and request.content_type == mine.content_type
            and request.headers == mine.headers
            and (request.success_report, request.failure_report) == (mine.success_report, mine.failure_report)
        )

    def report(self, status: int, comment: str, start: int, end: int) -> Request:
        """The REPORT to its sender about these bytes, without a transaction id (section 6.4.1)."""
        total = None if self.request.byte_range is None else self.request.byte_range.total
        known = total if total is None or total >= end else None
        return Request(
            transaction="",
            method="REPORT",
            to_path=self.request.from_path,
            from_path=(self.here,),
            message_id=self.request.message_id,
            byte_range=ByteRange(start, end, known),
            status=Status(status, comment),
        )


@dataclass(slots=True, eq=False)
class _Sent:
    flow: Flow
    start: int
    end: int


class Hop:
    """A connection: its parser, what is queued for it, the answers it owes."""

    def __init__(
        self,
        number: int,
        limits: Limits,
        *,
        secure: bool,
        ready: bool,
        opened_for: int | None,
        turn: int,
        max_transactions: int,
        transaction_ms: int,
        rng: Rng,
        now: Instant,
    ) -> None:
        self.number = number
        self.secure = secure
        self.ready = ready  # False while it is being connected
        self.opened_for = opened_for  # the user's connection that we opened it for
        self.parser = MsrpParser(limits)
        self.proven = False  # a request of it was served
        self.failures = 0  # AUTH requests with wrong credentials
        self.strikes = 0  # requests refused before any was served
        self.since = now
        self.heard = now
        self.used = now  # when bytes went either way
        self.waiting: Instant | None = None  # since when it has left bytes untaken
        self.pending = 0  # bytes in pipes towards it
        self.crowded_by: set[int] = set()  # whose whole requests wait here, more than there should be
        self.crowding = 0  # of how many connections that is true for this one
        self.request: Request | None = None  # the SEND that comes in
        self.arriving: Flow | None = None  # what its body goes to
        self.report: tuple[int, Request, list[bytes]] | None = None  # the REPORT that comes in: target, head, body
        self.sources: dict[tuple[object, ...], Flow] = {}  # flows from here that are not out, by message
        self.flows: dict[Stream, Flow] = {}  # flows to here that are not out
        self.finished: list[Flow] = []  # flows to here that are out since the relay last looked
        self._max_transactions = max_transactions
        self._transaction_ms = transaction_ms
        self._sent: dict[str, _Sent] = {}
        self._due: dict[str, Instant] = {}
        self.writer = ChunkWriter(rng, turn, self._may_open, self._opened, self._closed, self._ended)

    def forget(self, flow: Flow) -> None:
        """A flow from here is out."""
        if self.sources.get(flow.key) is flow:
            del self.sources[flow.key]

    def expect(self, transaction: str, flow: Flow, now: Instant) -> None:
        """A whole request was queued for it that will be answered; of more than the bound nobody hears the failure."""
        if flow.request.failure_report is not FailureReport.NO and self._may_open():
            self._sent[transaction] = _Sent(flow, 1, 0)
            self._due[transaction] = now + self._transaction_ms

    def answered(self, transaction: str) -> tuple[Flow, int, int] | None:
        """A response came: the flow and the bytes that it is about."""
        self._due.pop(transaction, None)
        sent = self._sent.pop(transaction, None)
        return None if sent is None else (sent.flow, sent.start, sent.end)

    def overdue(self, now: Instant) -> list[tuple[Flow, int, int]]:
        """What was not answered in time."""
        late = []
        while self._due and next(iter(self._due.values())) <= now:
            name = next(iter(self._due))
            del self._due[name]
            sent = self._sent.pop(name)
            late.append((sent.flow, sent.start, sent.end))
        return late

    def unanswered(self) -> list[tuple[Flow, int, int]]:
        """Everything that waits for an answer, at the end of the connection."""
        left = [(sent.flow, sent.start, sent.end) for sent in self._sent.values()]
        self._sent.clear()
        self._due.clear()
        return left

    @property
    def next_due(self) -> Instant | None:
        return next(iter(self._due.values()), None)

    # --- what the writer tells ---------------------------------------------------------------------
    def _may_open(self) -> bool:
        return len(self._sent) < self._max_transactions

    def _opened(self, chunk: Chunk) -> None:
        flow = self.flows.get(chunk.stream)
        if flow is not None and flow.request.failure_report is not FailureReport.NO:
            self._sent[chunk.transaction] = _Sent(flow, chunk.start, chunk.start - 1)

    def _closed(self, chunk: Chunk, flag: Flag, now: Instant) -> None:
        sent = self._sent.get(chunk.transaction)
        if sent is not None:
            sent.end = chunk.start + chunk.written - 1
            # The time starts "when the last byte of the message has been sent to the next hop" (section 6.4.1).
            self._due[chunk.transaction] = now + self._transaction_ms

    def _ended(self, stream: Stream) -> None:
        flow = self.flows.pop(stream, None)
        if flow is not None:
            self.finished.append(flow)
