"""The check behind "can it read what was written?": everything that the phones' own records say was written, looked for in
the bytes of the wire log, as it is and in every encoding that `carrier.search` knows.

The log is read once, in windows of each connection's direction that overlap. A window is made ready once: what is said
later is looked for in the windows that are there, and what was said before in each new one. Of the newest windows so
many are kept ready; an older one has been searched for everything that had been said until then. So what a search costs
depends on what is new, and not on how long the demo has run. What moves between phones and the content server is
megabytes of ciphertext: there, words are looked for as they are, and not in every encoding.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...carrier import Searcher
from ...carrier.passage import FIRST_PASSAGE
from ...carrier.wirelog import Record, WireLog, WireLogTail
from .network import DIRECTORY_PASSAGE

__all__ = ["Finding", "SecretsSearch", "Verdict"]

_SHORTEST = 4
"""A word of three letters stands in ciphertext by chance."""
_LONG = 600
_PIECE = 200
_READ = 4 << 20
_WINDOW = 64 << 10
_OVERLAP = 8 << 10
"""A piece of a text is shorter than this in every form."""
_KEPT = 80


@dataclass(frozen=True, slots=True)
class Finding:
    """A text that can be read on the way, in which form, and in how many directions of connections."""

    text: str
    form: str
    times: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many texts were looked for in how many bytes, and which were found. `short` were too short to mean anything."""

    texts: int
    short: int
    size: int
    found: tuple[Finding, ...]


@dataclass(slots=True)
class _Window:
    """A piece of what went one way over a connection; the first `done` texts have been looked for in it."""

    connection: int
    kind: str
    data: bytearray = field(default_factory=bytearray)
    done: int = 0
    ready: Searcher | None = None

    def add(self, data: bytes) -> None:
        self.data += data
        self.ready, self.done = None, 0

    def search(self, text: str) -> str | None:
        """The form in which it is here."""
        if self.ready is None:
            self.ready = Searcher(WireLog((Record(self.kind, self.connection, 0, bytes(self.data)),)))
        return next((hit.form for piece in _pieces(text) for hit in self.ready.search(piece)), None)


class SecretsSearch:
    """Of one log, for as long as it is written. One search at a time."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._tail = WireLogTail(log, _READ)
        self._open: dict[tuple[int, str], _Window] = {}
        self._full: list[_Window] = []
        self._found: dict[str, tuple[str, set[tuple[int, str]]]] = {}
        self._size = 0
        self._content = 0
        self._in_content = (0, 0)

    def close(self) -> None:
        self._tail.close()

    async def look_for(self, texts: Iterable[str]) -> Verdict:
        """`texts` are those of the last call and what came after them. In a thread, for it takes a moment."""
        return await asyncio.to_thread(self._look_for, list(dict.fromkeys(texts)))

    def _look_for(self, texts: list[str]) -> Verdict:
        wanted = [text for text in texts if len(text.encode()) >= _SHORTEST]
        while records := self._tail.read():
            for record in records:
                if record.kind in "rsRS":
                    self._take(record, wanted)
        for window in (*self._full, *self._open.values()):
            self._search(window, wanted)
        del self._full[:-_KEPT]
        self._search_content(wanted)
        found = (Finding(text, form, len(places)) for text, (form, places) in self._found.items())
        return Verdict(len(wanted), len(texts) - len(wanted), self._size, tuple(found))

    def _take(self, record: Record, wanted: list[str]) -> None:
        self._size += len(record.payload)
        if _is_content(record):
            self._content += len(record.payload)
            return
        key = record.connection, record.kind
        for at in range(0, len(record.payload), _WINDOW):
            window = self._open.setdefault(key, _Window(*key))
            window.add(record.payload[at : at + _WINDOW])
            if len(window.data) >= _WINDOW:
                self._full.append(window)
                self._open[key] = _Window(*key, window.data[-_OVERLAP:])
        if len(self._full) > 2 * _KEPT:
            for window in self._full[:-_KEPT]:
                self._search(window, wanted)
            del self._full[:-_KEPT]

    def _search(self, window: _Window, wanted: list[str]) -> None:
        for text in wanted[window.done :]:
            form = window.search(text)
            if form is not None:
                self._found.setdefault(text, (form, set()))[1].add((window.connection, window.kind))
        window.done = len(wanted)

    def _search_content(self, wanted: list[str]) -> None:
        """A file has gone up before its name is said: so from the beginning, and a piece at a time."""
        if not self._content or (self._content, len(wanted)) == self._in_content:
            return
        self._in_content = self._content, len(wanted)
        needles = [(text, [piece.encode() for piece in _pieces(text)]) for text in wanted]
        last: dict[tuple[int, str], bytes] = {}
        for record in _records(self._log):
            if not _is_content(record) or record.kind not in "rsRS":
                continue
            key = record.connection, record.kind
            data = last.get(key, b"") + record.payload
            for text, pieces in needles:
                if any(piece in data for piece in pieces):
                    self._found.setdefault(text, ("as it is", set()))[1].add(key)
            last[key] = data[-_OVERLAP:]


def _records(log: Path) -> Iterator[Record]:
    tail = WireLogTail(log, _READ)
    try:
        while records := tail.read():
            yield from records
    finally:
        tail.close()


def _pieces(text: str) -> list[str]:
    """Of a long text its beginning, middle and end stand for it."""
    if len(text) <= _LONG:
        return [text]
    return [text[at : at + _PIECE] for at in (0, (len(text) - _PIECE) // 2, len(text) - _PIECE)]


def _is_content(record: Record) -> bool:
    return FIRST_PASSAGE <= record.connection < DIRECTORY_PASSAGE
