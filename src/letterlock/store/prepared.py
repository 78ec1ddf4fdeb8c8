"""A commit on its way to the disk: its records encoded, dealt out over a few statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..seam import SEARCH, Writes

__all__ = ["Prepared", "encode_commit"]

_INSERT = "INSERT INTO records (key, version, value) VALUES "
_REPLACE = " ON CONFLICT (key) DO UPDATE SET version = excluded.version, value = excluded.value"
_CHUNKS = (64, 16, 4, 1)
# Rows per statement. Each execution lets go of the interpreter's lock and has to get it back from an event loop
# that is busy encrypting, which may keep it for 5 ms: row by row, a commit of a hundred rows could take that often.
_UPSERTS = tuple((n, _INSERT + ", ".join(["(?, ?, ?)"] * n) + _REPLACE) for n in _CHUNKS)
_DELETES = tuple((n, "DELETE FROM records WHERE key IN (?" + ", ?" * (n - 1) + ")") for n in _CHUNKS)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A commit that was checked and encoded and not yet written. `generation` is what it will make."""

    generation: int
    writes: Writes = field(repr=False)
    sizes: tuple[int, ...] = field(repr=False)
    """Of the encoded values, in the order of `writes`."""
    statements: tuple[tuple[str, tuple[Any, ...]], ...] = field(repr=False)
    texts: tuple[tuple[str, str | None], ...] = field(default=(), repr=False)
    """What changes in the index of text."""


def encode_commit(writes: Writes, version: int) -> Prepared:
    """Encode what is to be written, as the commit `version`."""
    rows: list[Any] = []
    gone: list[Any] = []
    sizes: list[int] = []
    texts: list[tuple[str, str | None]] = []
    start = len(SEARCH.name) + 1
    for key, value in writes.items():
        if key.kind is SEARCH:
            texts.append((key.name[start:], value))
            sizes.append(0)
        elif value is None:
            gone.append(key.name)
            sizes.append(0)
        else:
            encoded = key.kind.encode(value)
            rows += (key.name, version, encoded)
            sizes.append(len(encoded))
    statements = (*_in_chunks(rows, 3, _UPSERTS), *_in_chunks(gone, 1, _DELETES))
    return Prepared(version, writes, tuple(sizes), statements, tuple(texts))


def _in_chunks(
    values: list[Any], per_row: int, statements: Sequence[tuple[int, str]]
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The rows dealt out over statements of a few sizes, so that SQLite keeps them prepared."""
    at = 0
    for rows, statement in statements:
        step = rows * per_row
        while len(values) - at >= step:
            yield statement, tuple(values[at : at + step])
            at += step
