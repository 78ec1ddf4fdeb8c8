"""Which bytes of a message are there: what is reported of ours, and what is held of the peer's beyond a gap."""

from __future__ import annotations

__all__ = ["Coverage", "Gaps"]


class Coverage:
    """The ranges that reports have named, merged; at most `limit` that do not touch, further ones are not counted."""

    __slots__ = ("_limit", "_ranges")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ranges: list[tuple[int, int]] = []

    def add(self, start: int, end: int) -> None:
        """Positions from 1, both included; an empty range adds nothing."""
        if end < start:
            return
        kept: list[tuple[int, int]] = []
        for old_start, old_end in self._ranges:
            if old_end + 1 < start or end + 1 < old_start:
                kept.append((old_start, old_end))
            else:
                start, end = min(start, old_start), max(end, old_end)
        if len(kept) < self._limit:
            self._ranges = sorted((*kept, (start, end)))

    @property
    def through(self) -> int:
        """How far it is covered from the first byte."""
        return self._ranges[0][1] if self._ranges and self._ranges[0][0] == 1 else 0


class Gaps:
    """Bytes that came before what belongs in front of them; what came last wins (RFC 4975 section 7.3.1)."""

    __slots__ = ("_pieces", "size")

    def __init__(self) -> None:
        self._pieces: list[tuple[int, bytearray]] = []  # by position, never overlapping
        self.size = 0

    def __len__(self) -> int:
        return len(self._pieces)

    @property
    def end(self) -> int:
        """The last position held, 0 when nothing is."""
        return self._pieces[-1][0] + len(self._pieces[-1][1]) - 1 if self._pieces else 0

    def put(self, start: int, data: bytes | memoryview) -> None:
        if self._pieces and start == self.end + 1:
            # The usual case: a chunk that goes on behind what is held last.
            self._pieces[-1][1].extend(data)
            self.size += len(data)
            return
        stop = start + len(data)
        for position, piece in self._pieces:
            if position <= start and stop <= position + len(piece):
                piece[start - position : stop - position] = data
                return
        self.cut(start, stop)
        for at, (position, piece) in enumerate(self._pieces):
            if position + len(piece) == start:
                piece.extend(data)
                break
            if position > start:
                self._pieces.insert(at, (start, bytearray(data)))
                break
        else:
            self._pieces.append((start, bytearray(data)))
        self.size += len(data)

    def cut(self, start: int, stop: int) -> None:
        """Forget what is held from `start` up to before `stop`: newer bytes take its place."""
        if not self._pieces or self.end < start or self._pieces[0][0] >= stop:
            return
        kept: list[tuple[int, bytearray]] = []
        for position, piece in self._pieces:
            end = position + len(piece)
            if end <= start or position >= stop:
                kept.append((position, piece))
                continue
            if position < start:
                kept.append((position, piece[: start - position]))
            if end > stop:
                kept.append((stop, piece[stop - position :]))
        self._pieces = kept
        self.size = sum(len(piece) for _, piece in kept)

    def take(self, position: int) -> bytes:
        """What follows without a gap from `position`."""
        if not self._pieces or self._pieces[0][0] != position:
            return b""
        _, piece = self._pieces.pop(0)
        self.size -= len(piece)
        return bytes(piece)
