"""The index of text: what is found by words, in the database itself, changed by the transaction that changes the records.

`searchable` has the terms of each text under its key, and FTS5 the index of them; triggers keep the two the same, so
that nothing is in one of them alone. A text that goes leaves nothing: FTS5's `secure-delete` takes its terms out of the
index at once instead of noting that they are void, and SQLite overwrites what it frees (SR-10). All of it is inside the
encrypted file, and no other program is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..codec.search_terms import terms
from .database import Connection

__all__ = ["Found", "create_index", "find", "write_index"]

_SCHEMA = (
    "CREATE TABLE searchable (id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, terms TEXT NOT NULL)",
    # The terms are cut by us (search_terms.py): between spaces this tokenizer takes bytes as they are.
    "CREATE VIRTUAL TABLE search USING fts5(terms, content='searchable', content_rowid='id', tokenize='ascii',"
    " columnsize=0)",
    "INSERT INTO search (search, rank) VALUES ('secure-delete', 1)",
    "CREATE TRIGGER searchable_new AFTER INSERT ON searchable BEGIN"
    " INSERT INTO search (rowid, terms) VALUES (new.id, new.terms); END",
    "CREATE TRIGGER searchable_gone AFTER DELETE ON searchable BEGIN"
    " INSERT INTO search (search, rowid, terms) VALUES ('delete', old.id, old.terms); END",
    "CREATE TRIGGER searchable_other AFTER UPDATE ON searchable BEGIN"
    " INSERT INTO search (search, rowid, terms) VALUES ('delete', old.id, old.terms);"
    " INSERT INTO search (rowid, terms) VALUES (new.id, new.terms); END",
)

_PUT = (
    "INSERT INTO searchable (key, terms) VALUES (?, ?)"
    " ON CONFLICT (key) DO UPDATE SET terms = excluded.terms WHERE terms IS NOT excluded.terms"
)
_FIND = (
    "SELECT searchable.id, searchable.key FROM search JOIN searchable ON searchable.id = search.rowid"
    " WHERE search.terms MATCH ? AND search.rowid < ? AND searchable.key >= ? AND searchable.key < ?"
    " ORDER BY search.rowid DESC LIMIT ?"
)


class Found(NamedTuple):
    """A text that was found: its number, which rises with the time when it was first stored, and its key."""

    number: int
    key: str


def create_index(connection: Connection) -> None:
    """The tables of schema 2. What was stored before is put in by its owner, a little at a time."""
    for statement in _SCHEMA:
        connection.execute(statement)


def write_index(connection: Connection, texts: Sequence[tuple[str, str | None]]) -> None:
    """Put texts in by their keys, or take them out; inside the transaction of a commit, in its thread."""
    rows: list[tuple[str, str]] = []
    gone: list[tuple[str]] = []
    for key, text in texts:
        cut = terms(text) if text is not None else ""
        if cut:
            rows.append((key, cut))
        else:
            gone.append((key,))
    connection.executemany(_PUT, rows)
    connection.executemany("DELETE FROM searchable WHERE key = ?", gone)


def find(connection: Connection, expression: str, prefix: str, limit: int, before: int) -> Sequence[Found]:
    """Texts with these terms under keys that begin so, the newest first; `before` is the number to go on from."""
    rows = connection.execute(_FIND, (expression, before, prefix, prefix + "\U0010ffff", limit)).fetchall()
    return [Found(int(number), str(key)) for number, key in rows]
