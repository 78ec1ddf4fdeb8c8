"""Opening a service's database: SQLite that is this process's alone, durable at each commit, and of a schema we know."""

from __future__ import annotations

import os
import sqlite3

from ..errors import StoreError, StoreLocked

__all__ = ["open_database"]


def open_database(
    path: str, schema: str, *, version: int, application_id: int, name: str, hint: str
) -> sqlite3.Connection:
    """The connection; a new file gets `schema`, statements that end in `;` and a line end, and both numbers.

    `name` is what errors call it, `hint` what to do when another process has it. Raises StoreLocked then, StoreError
    `store.schema` for a version that is newer than ours, and StoreError for what is no such file.
    """
    try:
        # Made here so that no other user of the machine can read it.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreError(f"cannot open the {name} database: {error.strerror}") from error
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)
    try:
        _begin(connection, schema, version, application_id, name)
    except sqlite3.DatabaseError as error:
        connection.close()
        if "locked" in str(error):
            raise StoreLocked(f"another process runs on this {name} database", hint=hint) from error
        raise StoreError(f"cannot open the {name} database: {error}") from error
    except StoreError:
        connection.close()
        raise
    return connection


def _begin(connection: sqlite3.Connection, schema: str, version: int, application_id: int, name: str) -> None:
    run = connection.execute
    run("PRAGMA locking_mode = EXCLUSIVE")
    run("PRAGMA journal_mode = WAL")
    run("PRAGMA synchronous = FULL")
    run("PRAGMA foreign_keys = ON")
    run("PRAGMA secure_delete = ON")
    run("BEGIN EXCLUSIVE")
    found = run("PRAGMA user_version").fetchone()[0]
    if found > version:
        raise StoreError(
            f"{name} database of schema {found}", code="store.schema", hint="run the newer version that made it"
        )
    if found == 0:
        for statement in schema.split(";\n"):
            run(statement)
        run(f"PRAGMA application_id = {application_id}")
        run(f"PRAGMA user_version = {version}")
    run("COMMIT")
