"""What works between us and each MLS peer: filled by the tests of `test_mls_*.py`, printed at the end of a run.

A row is a case, a cell the cipher suites in which it passed. What a peer cannot do is a footnote with its own words,
and was provoked by a test: if the peer learns it, that test fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["PAIRINGS", "Case", "Matrix"]

PAIRINGS = [("ts-mls", 1), ("ts-mls", 2), ("mls-rs", 1)]
"""Peer and cipher suite of most tests. ts-mls has 3, 5 and 7 as well, where P-384 and P-521 take it long."""
COLUMNS = {
    ("ts-mls", "we"): "we, ts-mls follows",
    ("mls-rs", "we"): "we, mls-rs follows",
    ("ts-mls", "peer"): "ts-mls, we follow",
    ("mls-rs", "peer"): "mls-rs, we follow",
}


@dataclass(frozen=True)
class Case:
    """One row. `size` is how many members the group has."""

    feature: str
    wire: str
    size: int


@dataclass
class Cell:
    passed: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


class Matrix:
    """One for the whole run. A cell is named by the case, the peer, and who acts: "we" or "peer"."""

    def __init__(self) -> None:
        self._rows: dict[Case, dict[tuple[str, str], Cell]] = {}

    def __bool__(self) -> bool:
        return bool(self._rows)

    def cell(self, case: Case, peer: str, acts: str) -> Cell:
        return self._rows.setdefault(case, {}).setdefault((peer, acts), Cell())

    def lines(self) -> Iterator[str]:
        """The table and its footnotes."""
        notes: list[str] = []
        table = [("who acts:", "wire", "members", *COLUMNS.values())]
        for case, cells in self._rows.items():
            shown = (_text(cells.get(name, Cell()), notes) for name in COLUMNS)
            table.append((case.feature, case.wire, str(case.size), *shown))
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for row in table:
            yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for number, note in enumerate(notes, 1):
            yield f"[{number}] {note}"


def _text(cell: Cell, notes: list[str]) -> str:
    words = [str(suite) for suite in sorted(cell.passed - cell.failed)]
    words += [f"{suite}:FAILED" for suite in sorted(cell.failed)]
    for note in cell.notes:
        if note not in notes:
            notes.append(note)
        words.append(f"[{notes.index(note) + 1}]")
    return " ".join(words) or "not tried"
