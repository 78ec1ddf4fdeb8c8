"""The wire log as frames, live: what came in, and in which form it went out again; each frame is read by `frame`.

Nothing here knows a key, a store or a phone: only the log. Where two things look alike, the kind says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ...carrier.passage import FIRST_PASSAGE
from ...carrier.wirelog import Record
from ...ids import Instant
from .frame import Copy, Frame, body_of, call_of, headers_of, read
from .framing import Framing, RawFrame, framing_of
from .network import DIRECTORY_PASSAGE
from .relayed import Relayed

__all__ = ["Change", "Closed", "Frames"]

_KEPT = 3_000


@dataclass(frozen=True, slots=True)
class Closed:
    """A number's connection is gone."""

    at: Instant
    number: str


Change = Frame | tuple[Frame, Copy] | Closed


@dataclass(slots=True)
class _Connection:
    how: str
    passage: str
    number: str = ""
    begun: dict[str, str] = field(default_factory=dict)
    inward: Framing = field(init=False)
    outward: Framing = field(init=False)

    def __post_init__(self) -> None:
        self.inward, self.outward = Framing(self.how), Framing(self.how)


class Frames:
    """Feed it records; it keeps the last frames and says what is new."""

    def __init__(self) -> None:
        self._connections: dict[int, _Connection] = {}
        self._kept: dict[int, Frame] = {}
        self._by_call: dict[tuple[str, str], Frame] = {}
        self._relayed = Relayed()
        self._next = 1

    def frame(self, number: int) -> Frame | None:
        """One that is kept."""
        return self._kept.get(number)

    @property
    def all(self) -> Iterable[Frame]:
        """Those that are kept, oldest first."""
        return self._kept.values()

    def feed(self, record: Record) -> Iterator[Change]:
        """What a record of the log brings."""
        if record.kind == "O":
            passage = record.connection >= FIRST_PASSAGE
            where = "" if not passage else "directory" if record.connection >= DIRECTORY_PASSAGE else "content"
            self._connections[record.connection] = _Connection(framing_of(record.payload, passage), where)
            return
        connection = self._connections.get(record.connection)
        if connection is None:
            return
        if record.kind == "C":
            del self._connections[record.connection]
            if connection.number and connection.how == "sip":
                yield Closed(record.at, connection.number)
        elif record.kind == "r":
            for raw in connection.inward.feed(record.payload):
                yield self._keep(read(connection, raw, record.at, self._next))
        elif record.kind == "s":
            for raw in connection.outward.feed(record.payload):
                yield from self._outward(connection, raw, record.at)

    # --- what comes out of the carrier -------------------------------------------------------------------
    def _outward(self, connection: _Connection, raw: RawFrame, at: Instant) -> Iterator[Change]:
        if connection.how == "http":
            if raw.how == "piece" or raw.head < len(raw.data) or connection.outward.within_body:
                yield self._keep(_answer(connection, raw, at, self._next))
            return
        if connection.how == "msrp":
            passed = self._relayed.left(raw, at, connection.number)
            if passed is not None:
                yield passed, passed.copies[-1]
            return
        if connection.how != "sip" or raw.how == "ping" or raw.data.startswith(b"SIP/2.0"):
            return
        headers = headers_of(raw)
        before = self._by_call.get(call_of(headers))
        if before is not None and before.line.split(" ")[0] == raw.data.split(b" ", 1)[0].decode("ascii", "replace"):
            changed = raw.data[raw.head :] != body_of(before)
            copy = Copy(at, connection.number, raw.data, changed)
            before.copies.append(copy)
            yield before, copy
            return
        if raw.data.startswith(b"MESSAGE "):
            made = read(connection, raw, at, self._next)
            made.made = True
            made.recipient = connection.number or made.recipient
            yield self._keep(made)

    def _keep(self, frame: Frame) -> Frame:
        self._next += 1
        self._kept[frame.number] = frame
        if frame.how == "sip" and not frame.made:
            call = call_of(frame.headers)
            if call[0] and not frame.line.startswith("SIP/2.0"):
                self._by_call[call] = frame
        if frame.how == "msrp":
            self._relayed.came(frame)
        while len(self._kept) > _KEPT:
            gone = self._kept.pop(next(iter(self._kept)))
            self._by_call.pop(call_of(gone.headers), None)
        return frame


def _answer(connection: _Connection, raw: RawFrame, at: Instant, number: int) -> Frame:
    frame = read(connection, raw, at, number)
    frame.sender, frame.recipient = "", connection.number
    frame.kind = "keys-answer" if connection.passage == "directory" else "file-answer"
    return frame
