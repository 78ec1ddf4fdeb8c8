"""SQLite: one file that is this process's alone, durable at each commit."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Sequence

from ...errors import StoreError, StoreLocked
from .connection import Layout, Rows

__all__ = ["SqliteConnection"]

_FAILURES = (sqlite3.Error, OverflowError, UnicodeError)
"""The last two of values: a number of more than 64 bits, half a character."""


class SqliteConnection:
    """A `Connection`. `raw` is in autocommit mode."""

    cheap_savepoints = True

    def __init__(self, raw: sqlite3.Connection, name: str) -> None:
        self.raw = raw
        self._name = name

    @classmethod
    def opened(cls, path: str, layout: Layout) -> SqliteConnection:
        """Raises StoreLocked and StoreError."""
        try:
            # Made here so that no other user of the machine can read it.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StoreError(f"cannot open the {layout.name} database: {error.strerror}") from error
        raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)
        try:
            _prepare(raw, layout)
        except sqlite3.DatabaseError as error:
            raw.close()
            if "locked" in str(error):
                raise StoreLocked(f"another process runs on this {layout.name} database", hint=layout.hint) from error
            raise StoreError(f"cannot open the {layout.name} database: {error}") from error
        except StoreError:
            raw.close()
            raise
        return cls(raw, layout.name)

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> Rows:
        try:
            cursor = self.raw.execute(statement, parameters)
            return Rows(cursor.fetchall(), cursor.rowcount)
        except _FAILURES as error:
            raise self._failed(error) from error

    def executemany(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        try:
            self.raw.executemany(statement, rows)
        except _FAILURES as error:
            raise self._failed(error) from error

    def last_identity(self, table: str, column: str) -> int:
        row = self.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        return row[0] if row else 0

    def begin(self) -> None:
        self.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        if self.raw.in_transaction:
            # A disk that fails here too must not end the writer: callers would wait for ever. The next
            # batch finds the transaction open, fails as this one did, and rolls back again.
            with contextlib.suppress(sqlite3.Error):
                self.raw.execute("ROLLBACK")

    def close(self) -> None:
        self.raw.close()

    def _failed(self, error: Exception) -> StoreError:
        if not isinstance(error, sqlite3.Error):
            return StoreError(f"the {self._name} database does not take a value")
        return StoreError(f"the {self._name} database failed: {error}")


def _prepare(raw: sqlite3.Connection, layout: Layout) -> None:
    run = raw.execute
    run("PRAGMA locking_mode = EXCLUSIVE")
    run("PRAGMA journal_mode = WAL")
    run("PRAGMA synchronous = FULL")
    run("PRAGMA foreign_keys = ON")
    run("PRAGMA secure_delete = ON")
    run("BEGIN EXCLUSIVE")
    for script in layout.scripts(run("PRAGMA user_version").fetchone()[0]):
        for statement in script:
            run(statement)
    run(f"PRAGMA application_id = {layout.application_id}")
    run(f"PRAGMA user_version = {layout.version}")
    run("COMMIT")
