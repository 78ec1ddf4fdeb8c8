"""Which store this is, at which commit it stands, and whether it is an old copy (SR-06). Both are records of the store itself."""

from __future__ import annotations

import os

from ..errors import StoreError, StoreRolledBack
from .database import Connection, store_errors

__all__ = ["GENERATION", "generation_of", "identify", "is_old_copy"]

GENERATION = "store/generation"
_ID = "store/id"

_INSERT = "INSERT INTO records (key, version, value) VALUES (?, ?, ?)"


def identify(connection: Connection) -> tuple[bytes, int]:
    """The store's id and generation; made up in a new store."""
    with store_errors():
        row = connection.execute("SELECT value FROM records WHERE key = ?", (_ID,)).fetchone()
        if row is None:
            store_id = os.urandom(16)
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_INSERT, (_ID, 0, store_id))
            connection.execute(_INSERT, (GENERATION, 0, bytes(8)))
            connection.execute("COMMIT")
            return store_id, 0
        return bytes(row[0]), generation_of(connection)


def generation_of(connection: Connection) -> int:
    with store_errors():
        row = connection.execute("SELECT version FROM records WHERE key = ?", (GENERATION,)).fetchone()
    if row is None:
        raise StoreError("the store has lost its generation number", code="store.corrupt")
    return int(row[0])


def is_old_copy(generation: int, seen: int | None, accepted: bool) -> bool:
    """SR-06: raise StoreRolledBack before anything is read from an old copy, unless the user took it into use."""
    if seen is None and generation > 0:
        # A store that was ever used leaves its number beside it; only generation 0, which holds nothing, may lack it.
        if accepted:
            return True
        raise StoreRolledBack(
            "the file with the store's generation number is missing or not its own",
            code="store.unwitnessed",
            hint="move a profile with all its files; if they are lost, set this device up again",
        )
    if seen is not None and generation < seen:
        if accepted:
            return True
        raise StoreRolledBack(
            f"the store is an old copy: generation {generation}, but {seen} has been used",
            hint="put the newer copy back; if it is lost, set this device up again: an old copy would reuse message keys",
        )
    return False
