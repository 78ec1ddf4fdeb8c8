"""What a carrier learns without opening anything: who with whom, when, how often, how much, and who is online.

Counted from the frames alone. Receipts and typing are in the counts of messages, for a carrier cannot tell them apart.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any

from ...ids import Instant
from .frame import Frame
from .frames import Change, Closed

__all__ = ["Ledger"]

_BEATS = 240
_KEPT_FILES = 8
_SMALLEST_FILE = 1_000
"""What is smaller is talk about files."""
_HEAD = 4_096
_SIZE = re.compile(rb"(?im)^content-length[ \t]*:[ \t]*([0-9]{1,12})[ \t]*\r?$")


@dataclass(slots=True)
class _Pair:
    """Two numbers, in the order in which they were first seen."""

    one: str
    other: str
    sealed: int = 0
    plain: int = 0
    size: int = 0
    first: Instant = 0
    last: Instant = 0
    beats: list[Instant] = field(default_factory=list)


@dataclass(slots=True)
class _Line:
    """A number: whether it is registered, since when, and how much it has said in sessions."""

    number: str
    online: bool = False
    since: Instant = 0
    sessions: int = 0


class Ledger:
    """Feed it what `Frames` says."""

    def __init__(self) -> None:
        self._pairs: dict[frozenset[str], _Pair] = {}
        self._lines: dict[str, _Line] = {}
        self._look_ups: dict[tuple[str, str], int] = {}
        self._files: list[dict[str, Any]] = []
        self._bytes_of_files = 0
        self._bytes = 0

    def note(self, change: Change) -> None:
        if isinstance(change, Closed):
            line = self._line(change.number)
            line.online, line.since = False, change.at
        elif isinstance(change, Frame):
            self._bytes += len(change.data)
            if not change.made:
                self._frame(change)

    def _frame(self, frame: Frame) -> None:
        if frame.kind == "registration" and frame.sender:
            line = self._line(frame.sender)
            if not line.online:
                line.online, line.since = True, frame.at
        elif frame.kind == "look-up" and frame.sender and frame.sender != frame.recipient:
            key = frame.sender, frame.recipient
            self._look_ups[key] = self._look_ups.get(key, 0) + 1
        elif frame.kind in ("file", "file-answer"):
            self._file(frame)
        elif frame.how == "msrp" and frame.kind in ("sealed", "plain", "chunk", "control") and frame.sender:
            self._line(frame.sender).sessions += len(frame.data)
        elif frame.kind in ("sealed", "plain", "receipt") and frame.sender and frame.recipient:
            pair = self._pairs.setdefault(
                frozenset((frame.sender, frame.recipient)), _Pair(frame.sender, frame.recipient, first=frame.at)
            )
            if frame.kind == "sealed":
                pair.sealed += 1
            else:
                pair.plain += 1
            pair.size, pair.last = pair.size + len(frame.data), frame.at
            pair.beats = [*pair.beats[1 - _BEATS :], frame.at]

    def _file(self, frame: Frame) -> None:
        """No number is on the way to the content server; what is there is that a file of this size went up or down."""
        self._bytes_of_files += len(frame.data)
        if frame.how == "piece":
            return
        up = frame.kind == "file"
        found = _SIZE.search(frame.data[:_HEAD])
        size = int(found[1]) if found is not None else 0
        if size >= _SMALLEST_FILE and (not up or frame.line.startswith(("PUT ", "POST "))):
            self._files = [*self._files[1 - _KEPT_FILES :], {"at": frame.at, "up": up, "size": size}]

    def _line(self, number: str) -> _Line:
        return self._lines.setdefault(number, _Line(number))

    def to_json(self) -> dict[str, Any]:
        """For the page."""
        return {
            "pairs": [asdict(pair) for pair in self._pairs.values()],
            "lines": [asdict(line) for line in self._lines.values()],
            "look_ups": [{"asker": a, "about": b, "times": n} for (a, b), n in self._look_ups.items()],
            "files": self._bytes_of_files,
            "each_file": self._files,
            "bytes": self._bytes,
        }
