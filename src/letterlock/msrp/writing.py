"""What goes out on one connection: answers and reports first, messages in chunks and by turns (RFC 4975 section 7.1.1).

One chunk at most is open. It is interrupted as soon as an answer waits and it has 2048 bytes, or another
message waits and it had its turn; it stays open while nothing else wants the connection, so that a large
message alone is one chunk. A body is pulled when there is room for it and never before.

The end of a chunk is recognised by its transaction id, which therefore may not stand in its body (section
7.1): it is drawn at random, looked for in every piece and across pieces, and where it turns up the chunk
ends in front of it and the next one gets another id.
"""

from __future__ import annotations

import base64
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ..codec.msrp import ByteRange, Flag, Request, encode_end, encode_head
from ..ids import Instant, Rng
from .sources import BodySource

__all__ = ["FIXED_CHUNK", "Chunk", "ChunkWriter", "Stream", "new_transaction"]

FIXED_CHUNK = 2048
"""A chunk of up to this size is written whole; above it must be interruptible (section 7.1.1)."""


@dataclass(slots=True, eq=False)
class Stream:
    """One body on its way out. `head` lacks what differs from chunk to chunk."""

    head: Request
    source: BodySource
    chunk: int  # the most bytes of one chunk
    length: int | None  # bytes that the source will give, if known
    total: int | None  # bytes of the whole message, if known
    position: int = 1  # of the next byte in the message
    end: Flag = Flag.COMPLETE  # how the last chunk ends
    started: bool = False  # whether the peer has seen anything of it
    dropped: bool = False
    taken: int = 0  # bytes pulled from the source and not pushed back
    ahead: bytes = b""  # pulled, not written
    ended: bool = False

    def pull(self, limit: int) -> bytes | None:
        """The next bytes; empty at the end, None when the source has none now."""
        if self.length is not None:
            limit = min(limit, self.length - self.taken)
            if limit == 0:
                self.ended = True
                return b""
        if self.ahead:
            piece, self.ahead = self.ahead[:limit], self.ahead[limit:]
        elif self.ended:
            return b""
        else:
            got = self.source.read(limit)
            if got is None:
                return None
            if not got:
                self.ended = True
                return b""
            piece, self.ahead = got[:limit], got[limit:]
        self.taken += len(piece)
        return piece

    def push_back(self, piece: bytes) -> None:
        self.ahead = piece + self.ahead
        self.taken -= len(piece)

    @property
    def complete(self) -> bool:
        """Whether all that is known to come was taken."""
        return self.taken == self.length if self.length is not None else self.ended and not self.ahead

    @property
    def short(self) -> bool:
        """Whether the source ended before its length."""
        return self.ended and self.length is not None and self.taken < self.length


@dataclass(slots=True, eq=False)
class Chunk:
    """One SEND request that is being written, or that waits for its answer."""

    stream: Stream
    transaction: str
    start: int
    written: int = 0
    tail: bytes = field(default=b"", repr=False)  # the last bytes, for an id that begins in them


class ChunkWriter:
    """`opened` is told of each chunk before its first byte, `closed` when its end-line is written, `ended` of a stream
    of which nothing more will be written.

    `may_open` says whether a further chunk may be begun. They may `drop`, and nothing else.
    """

    def __init__(
        self,
        rng: Rng,
        turn: int,
        may_open: Callable[[], bool],
        opened: Callable[[Chunk], None],
        closed: Callable[[Chunk, Flag, Instant], None],
        ended: Callable[[Stream], None] = lambda stream: None,
    ) -> None:
        self._rng = rng
        self._turn = max(turn, FIXED_CHUNK)
        self._may_open = may_open
        self._opened = opened
        self._closed = closed
        self._ended = ended
        self._control: deque[bytes] = deque()
        self._control_bytes = 0
        self._ready: deque[Stream] = deque()
        self._stalled: set[Stream] = set()
        self._chunk: Chunk | None = None
        self._chunk_stalled = False

    @property
    def control_bytes(self) -> int:
        """Answers, reports and other whole requests that wait to be taken."""
        return self._control_bytes

    @property
    def wants_to_send(self) -> bool:
        """Whether `take` would give anything."""
        if self._control:
            return True
        if self._chunk is not None:
            return not self._chunk_stalled or self._chunk.stream.dropped or self._others_ready()
        return self._others_ready()

    def put(self, whole: bytes) -> None:
        """Queue a response, or a request that is never divided, in front of all chunks."""
        self._control.append(whole)
        self._control_bytes += len(whole)

    def add(self, stream: Stream) -> None:
        self._ready.append(stream)

    def resume(self, stream: Stream) -> None:
        """Its source has bytes again, or has ended."""
        if self._chunk is not None and self._chunk.stream is stream:
            self._chunk_stalled = False
        elif stream in self._stalled:
            self._stalled.discard(stream)
            self._ready.append(stream)

    def drop(self, stream: Stream, *, tell: bool = True) -> None:
        """Send no more of it. `tell` the receiver of a message it has begun to get, by a chunk that ends in `#`."""
        stream.dropped = True
        if self._chunk is not None and self._chunk.stream is stream:
            return  # closed with the next `take`: its framing has to end
        if tell and stream.started:
            self.resume(stream)
            return
        if stream in self._stalled or stream in self._ready:
            self._stalled.discard(stream)
            with contextlib.suppress(ValueError):
                self._ready.remove(stream)
            self._ended(stream)

    def take(self, limit: int, now: Instant) -> bytes:
        """About `limit` bytes to put on the wire; empty when there are none now."""
        out: list[bytes] = []
        room = limit
        while room > 0:
            before = len(out)
            if self._chunk is not None:
                if not self._continue(self._chunk, out, room, now):
                    break
            elif self._control:
                out.extend(self._control)
                self._control.clear()
                self._control_bytes = 0
            elif not self._begin(out, room, now):
                break
            room -= sum(map(len, out[before:]))
        return b"".join(out)

    # --- inside ----------------------------------------------------------------------------------
    def _others_ready(self) -> bool:
        return bool(self._ready) and self._may_open()

    def _begin(self, out: list[bytes], room: int, now: Instant) -> bool:
        """Open a chunk of the stream whose turn it is. False when none can be opened."""
        if not self._others_ready():
            return False
        stream = self._ready.popleft()
        if stream.dropped:
            chunk = self._open(stream, b"", out)
            self._close(chunk, Flag.ABORTED, out, now)
            return True
        fixed = stream.chunk <= FIXED_CHUNK
        piece = stream.pull(stream.chunk if fixed else min(stream.chunk, max(room, FIXED_CHUNK)))
        if piece is None:
            self._stalled.add(stream)
            return True
        if not piece and stream.started and stream.end is Flag.CONTINUED:
            self._ended(stream)  # all of it is out, and a later stream has the rest of its message
            return True
        chunk = self._open(stream, piece, out)
        if piece:
            self._write(chunk, piece, out)
        if stream.complete or not piece:
            self._close(chunk, Flag.ABORTED if stream.short else stream.end, out, now)
        return True

    def _open(self, stream: Stream, first: bytes, out: list[bytes]) -> Chunk:
        transaction = new_transaction(self._rng)
        while transaction.encode() in first:
            transaction = new_transaction(self._rng)
        chunk = Chunk(stream, transaction, stream.position)
        total = stream.total
        if total is None and stream.complete and stream.end is Flag.COMPLETE:
            total = stream.position - 1 + len(first)
        whole = stream.chunk <= FIXED_CHUNK or (stream.complete and len(first) <= FIXED_CHUNK)
        # Nothing at all is "1-0/0", and only what cannot be interrupted says where it ends (section 7.1.1).
        end = stream.position - 1 + len(first) if whole else None
        out.append(
            encode_head(
                replace(stream.head, transaction=transaction, byte_range=ByteRange(stream.position, end, total))
            )
        )
        stream.started = True
        self._opened(chunk)
        self._chunk, self._chunk_stalled = chunk, False
        return chunk

    def _continue(self, chunk: Chunk, out: list[bytes], room: int, now: Instant) -> bool:
        """Write more of the open chunk, or close it. False when nothing can be done now."""
        stream = chunk.stream
        if stream.dropped:
            self._close(chunk, Flag.ABORTED, out, now)
            return True
        others = self._others_ready()
        if (self._control and chunk.written >= FIXED_CHUNK) or (others and chunk.written >= self._turn):
            self._close(chunk, Flag.CONTINUED, out, now)
            return True
        whole = stream.chunk <= FIXED_CHUNK
        full = whole or chunk.written >= stream.chunk
        if full and stream.length is not None:
            self._close(chunk, Flag.CONTINUED, out, now)
            return True
        # A full chunk of a message without a known length still has to know whether anything follows: its flag says so.
        want = stream.chunk if full else stream.chunk - chunk.written
        piece = None if self._chunk_stalled else stream.pull(min(want, max(room, FIXED_CHUNK)))
        if piece is None:
            self._chunk_stalled = True
            if self._control or others:
                self._close(chunk, Flag.CONTINUED, out, now)
                return True
            return False
        if not piece:
            self._close(chunk, Flag.ABORTED if stream.short else stream.end, out, now)
        elif full:
            stream.push_back(piece)
            self._close(chunk, Flag.CONTINUED, out, now)
        elif not self._write(chunk, piece, out):
            self._close(chunk, Flag.CONTINUED, out, now)
        elif stream.complete:
            self._close(chunk, stream.end, out, now)
        return True

    def _write(self, chunk: Chunk, piece: bytes, out: list[bytes]) -> bool:
        """Write a piece; False when the transaction id turned up: what is from there on was pushed back."""
        needle = chunk.transaction.encode()
        keep = len(needle) - 1
        at = piece.find(needle)
        if chunk.tail and (chunk.tail + piece[:keep]).find(needle) >= 0:
            at = 0
        if at >= 0:
            chunk.stream.push_back(piece[at:])
            piece = piece[:at]
        if piece:
            out.append(piece)
        chunk.written += len(piece)
        chunk.stream.position += len(piece)
        chunk.tail = piece[-keep:] if len(piece) >= keep else (chunk.tail + piece)[-keep:]
        return at < 0

    def _close(self, chunk: Chunk, flag: Flag, out: list[bytes], now: Instant) -> None:
        out.append(encode_end(chunk.transaction, flag, after_body=True))
        stream, stalled = chunk.stream, self._chunk_stalled
        self._chunk, self._chunk_stalled = None, False
        more = flag is Flag.CONTINUED and not (stream.complete and stream.end is flag)
        if more and stalled:
            self._stalled.add(stream)
        elif more:
            self._ready.append(stream)
        self._closed(chunk, flag, now)
        if not more:
            self._ended(stream)


def new_transaction(rng: Rng) -> str:
    """A transaction id with 80 bits of randomness (section 7.1 asks for 64)."""
    return base64.b32encode(rng(10)).decode().lower()
