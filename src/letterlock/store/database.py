"""Opening the SQLCipher file, its schema versions, and what SQLite's errors mean to us."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlcipher3

from ..errors import StoreError, WrongStoreKey

__all__ = ["SCHEMA_VERSION", "Connection", "connect", "create_or_migrate", "store_errors"]

Connection = Any  # sqlcipher3 has no types; its connection is sqlite3.Connection's twin

SCHEMA_VERSION = 2
_APPLICATION_ID = 0x4C4C4B01  # "LLK" 1, as `file` would show it if it could read the header

# An ordinary rowid table: with session records of 4 kB, WITHOUT ROWID was measured at half the speed,
# because an index tree keeps at most a quarter of a page in place and spills the rest to overflow pages.
_SCHEMA = "CREATE TABLE records (key TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, value BLOB NOT NULL)"


def connect(path: Path, key: bytes) -> Connection:
    """One connection with our settings. Raises WrongStoreKey when the key does not read the first page."""
    if len(key) != 32:
        raise WrongStoreKey("a store key has 32 bytes", code="store.key")
    with store_errors(), contextlib.ExitStack() as unusable:
        connection = sqlcipher3.connect(
            os.fspath(path), isolation_level=None, check_same_thread=False, cached_statements=64, timeout=10.0
        )
        unusable.callback(connection.close)
        connection.execute("PRAGMA cipher_log_level = NONE")  # it would write to stderr; we raise instead
        # SQLite opens lazily; the raw key (no KDF in SQLCipher) is only tried at the first read.
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlcipher3.DatabaseError as error:
            if _name(error) == "SQLITE_NOTADB":
                raise WrongStoreKey(
                    "the key does not open this store, or its first page is damaged",
                    hint="check the passphrase or key file; if they are right, restore the profile",
                ) from None
            raise
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # a commit that returned survives a power cut (SR-06)
        connection.execute("PRAGMA secure_delete = ON")  # consumed keys are overwritten, not only unlinked (SR-10)
        connection.execute("PRAGMA wal_autocheckpoint = 2000")
        connection.execute("PRAGMA foreign_keys = OFF")
        unusable.pop_all()
    return connection


def create_or_migrate(connection: Connection, migrations: Mapping[int, Callable[[Connection], None]]) -> None:
    """Bring the file to the current schema: `migrations` lead from a version to the next one, and run inside the
    transaction that raises `user_version`; a new file goes through all of them. Raises StoreError for one written by a newer version."""
    with store_errors():
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == SCHEMA_VERSION:
            return
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"the store has format {version}, this program knows up to {SCHEMA_VERSION}",
                code="store.newer",
                hint="update Letterlock",
            )
        connection.execute("BEGIN IMMEDIATE")
        with contextlib.ExitStack() as unfinished:
            unfinished.callback(connection.execute, "ROLLBACK")
            if version == 0:
                connection.execute(_SCHEMA)
                connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            for step in range(max(version, 1), SCHEMA_VERSION):
                migrations[step](connection)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
            unfinished.pop_all()


@contextlib.contextmanager
def store_errors() -> Iterator[None]:
    """Turn SQLite's errors into ours; their texts name no content."""
    try:
        yield
    except sqlcipher3.Error as error:
        raise _translated(error) from error
    except OSError as error:
        raise StoreError(f"the store cannot be used: {error.strerror}", code="store.io") from error


def _translated(error: Any) -> StoreError:
    if isinstance(error, sqlcipher3.ProgrammingError) and "closed" in str(error):
        return StoreError("the profile is closed", code="client.closed")
    name = _name(error)
    if name.startswith("SQLITE_FULL"):
        return StoreError("the disk is full", code="store.full", hint="free some space; nothing was changed")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return StoreError("the store is damaged", code="store.corrupt", hint="restore the profile or set it up again")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreError("the store is in use by another program", code="store.busy", hint="end it and try again")
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
        return StoreError("the store cannot be read or written", code="store.io", hint="check the disk and permissions")
    return StoreError(f"the store failed: {name.lower() or 'unknown'}", code="store.sqlite")


def _name(error: Any) -> str:
    name = getattr(error, "sqlite_errorname", None)
    if isinstance(name, str):
        return name
    text = str(error)
    for words, known in (
        ("not a database", "SQLITE_NOTADB"),
        ("malformed", "SQLITE_CORRUPT"),
        ("is full", "SQLITE_FULL"),
        ("locked", "SQLITE_BUSY"),
        ("disk I/O", "SQLITE_IOERR"),
        ("unable to open", "SQLITE_CANTOPEN"),
        ("readonly", "SQLITE_READONLY"),
    ):
        if words in text:
            return known
    return ""
