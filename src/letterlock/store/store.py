"""The store of a profile: `seam.State` for reading, version-checked commits for writing (SR-06, SR-11).

Everything is a record in one table. `generation` counts commits: it is a record too, each commit raises
it by one and refuses if it is not the one that this process wrote last, so that even a broken lock
cannot mix two owners. A record's `version` is the generation that wrote it.

A commit has three parts, so that the owner's event loop pays only for the first and the last:
`prepare` (check and encode), `write` (one transaction, fsync, witness; in any thread), `settle` (the
cache). `commit` does all three.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ..errors import DecodeError, StoreConflict, StoreError
from ..seam import SEARCH, Key, RecordKind, Writes
from .cache import MISSING, RecordCache
from .database import Connection, connect, create_or_migrate, store_errors
from .generation import GENERATION, generation_of, identify, is_old_copy
from .lock import ProfileLock
from .prepared import Prepared, encode_commit
from .search import Found, create_index, find, write_index
from .witness import Witness

__all__ = ["OLD_COPY", "Store"]

T = TypeVar("T")

_REMEMBERED_COMMITS = 256

OLD_COPY = Key(RecordKind[bool]("store", lambda _: b"\x01", lambda _: True), "store/old-copy")
"""Set while an old copy has been taken into use and its sessions have not been retired yet (SR-06)."""

_SELECT = "SELECT value FROM records WHERE key = ?"
_BEYOND = "\U0010ffff"
_MIGRATIONS = {1: create_index}
_NEWEST = (1 << 63) - 1
_SEARCH_CACHE_KIB = 2_048


def _nothing(_: str) -> None:
    """No crash test."""


class Store:
    """An open profile store. Use `Store.open`; reads may come from any thread, `write` from one at a time."""

    def __init__(
        self,
        path: Path,
        reader: Connection,
        searcher: Connection,
        writer: Connection,
        witness: Witness,
        lock: ProfileLock,
        cache_bytes: int,
    ) -> None:
        self.path = path
        self._reader = reader
        self._writer = writer
        self._witness = witness
        self._lock = lock
        self._cache = RecordCache(cache_bytes)
        self._generation = 0
        self._recent: deque[tuple[int, frozenset[str]]] = deque(maxlen=_REMEMBERED_COMMITS)
        self._failed: StoreError | None = None
        self._checkpoint: Callable[[str], None] = _nothing
        self._searcher = searcher
        self._searching = threading.Lock()
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._caching = threading.Lock()

    @classmethod
    def open(
        cls,
        path: Path,
        key: bytes,
        *,
        witness_folder: Path | None = None,
        lock: ProfileLock | None = None,
        cache_bytes: int = 32 * 1024 * 1024,
        use_old_copy: bool = False,
        checkpoint: Callable[[str], None] = _nothing,
    ) -> Store:
        """Open or create the store at `path` with a 32-byte key, and become its owner.

        `witness_folder` is a second place for the generation number, best outside the profile (witness.py).
        A `lock` that is already held is taken over and released by `close`. With `use_old_copy` an old copy is
        opened all the same and `OLD_COPY` is set in it; nothing may be encrypted before whoever opens it has
        retired all sessions and deleted that record, in one commit. `checkpoint` is for crash tests.

        Raises StoreLocked when another process owns it, WrongStoreKey when the key does not fit,
        StoreRolledBack when it is an older copy than the one used last, StoreError otherwise.
        """
        lock = lock or ProfileLock.acquire(path.with_name(path.name + ".lock"))
        opened = contextlib.ExitStack()
        with opened:
            opened.callback(lock.release)
            _create_private(path)
            writer = connect(path, key)
            opened.callback(writer.close)
            create_or_migrate(writer, _MIGRATIONS)
            store_id, generation = identify(writer)
            places = [path.with_name(path.name + ".generation")]
            if witness_folder is not None:
                places.append(witness_folder / store_id.hex())
            witness = Witness(store_id, key, places)
            opened.callback(witness.close)
            seen = witness.seen()
            old_copy = is_old_copy(generation, seen, use_old_copy)
            witness.record(
                max(generation, seen or 0)
            )  # before the first commit, so that no store in use ever lacks one
            reader = connect(path, key)
            opened.callback(reader.close)
            searcher = connect(path, key)
            opened.callback(searcher.close)
            searcher.execute(f"PRAGMA cache_size = -{_SEARCH_CACHE_KIB}")
            store = cls(path, reader, searcher, writer, witness, lock, cache_bytes)
            store._checkpoint = checkpoint
            store._generation = generation
            # A new owner is a commit of its own: whoever held the store before can commit no more.
            jump = max(0, (seen or 0) - generation)
            prepared = encode_commit({OLD_COPY: True} if old_copy else {}, generation + 1 + jump)
            store.write(prepared, previous=generation)
            store.settle(prepared)
            witness.sync()
            opened.pop_all()
        return store

    @property
    def generation(self) -> int:
        """The number of the last commit that was settled."""
        return self._generation

    # --- reading: seam.State ---------------------------------------------------------------------------
    def get(self, key: Key[T]) -> T | None:
        """The record as it was last committed, or None. Raises StoreError when it cannot be read."""
        with self._caching:
            value = self._cache.get(key.name)
        if value is MISSING:
            value = self._load(key)
        found: T | None = value
        return found

    def scan(self, kind: RecordKind[T], prefix: str = "") -> Sequence[Key[T]]:
        """The keys of a kind whose part behind the kind's name starts with `prefix`, in text order."""
        start = f"{kind.name}/{prefix}"
        with store_errors(), self._reading:
            rows = self._reader.execute(
                "SELECT key FROM records WHERE key >= ? AND key < ? ORDER BY key", (start, start + _BEYOND)
            ).fetchall()
        return [Key(kind, name) for (name,) in rows]

    def after(self, kind: RecordKind[T], last: str, limit: int, *, prefix: str = "") -> Sequence[tuple[str, T]]:
        """Up to `limit` records of a kind behind the part `last`, in text order: (part, value) each.

        The part is what follows the kind's name. It reads past the cache: it is for histories.
        """
        start = f"{kind.name}/"
        with store_errors(), self._reading:
            rows = self._reader.execute(
                "SELECT key, value FROM records WHERE key > ? AND key >= ? AND key < ? ORDER BY key LIMIT ?",
                (start + last, start + prefix, start + prefix + _BEYOND, limit),
            ).fetchall()
        return [(name[len(start) :], _decode(kind, name, value)) for name, value in rows]

    def before(self, kind: RecordKind[T], first: str, limit: int, *, prefix: str = "") -> Sequence[tuple[str, T]]:
        """Up to `limit` records of a kind before the part `first`, newest (last in text order) first; empty: from the end."""
        start = f"{kind.name}/"
        with store_errors(), self._reading:
            rows = self._reader.execute(
                "SELECT key, value FROM records WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT ?",
                (start + prefix, start + first if first else start + prefix + _BEYOND, limit),
            ).fetchall()
        return [(name[len(start) :], _decode(kind, name, value)) for name, value in rows]

    def search(self, expression: str, prefix: str, limit: int, before: int = _NEWEST) -> Sequence[Found]:
        """Texts of the index that an expression of `search_terms` finds, under keys that begin with `prefix`; newest first.

        For a thread of its own: it may take long, and keeps nobody else who reads waiting.
        """
        with store_errors(), self._searching:
            return find(self._searcher, expression, prefix, limit, before)

    def _load(self, key: Key[T]) -> T | None:
        generation = self._generation
        with store_errors(), self._reading:
            row = self._reader.execute(_SELECT, (key.name,)).fetchone()
        value = None if row is None else _decode(key.kind, key.name, row[0])
        with self._caching:
            # A commit that was settled while we read may have replaced it: an old ratchet must not stay here.
            if generation == self._generation:
                self._cache.put(key.name, value, 0 if row is None else len(row[0]))
        return value

    # --- writing -----------------------------------------------------------------------------------------
    def commit(self, reads: Iterable[Key[Any]], writes: Writes, generation: int) -> int:
        """Store `writes` of a step that started at `generation` and looked at `reads`; returns the new generation.

        All or nothing. Raises StoreConflict when a record that was read or is to be written has moved since,
        or another owner has committed; StoreError when it cannot be written (nothing was then).
        """
        prepared = self.prepare({key.name for key in reads}, writes, generation)
        self.write(prepared)
        self.settle(prepared)
        return self._generation

    def prepare(self, read: Collection[str], writes: Writes, generation: int) -> Prepared:
        """Check and encode, for `write`. Settle the commit before before preparing this one. Raises StoreConflict."""
        if generation != self._generation:
            self._refuse_moved(read, writes, generation)
        return encode_commit(writes, self._generation + 1)

    def write(self, prepared: Prepared, *, previous: int | None = None) -> None:
        """The transaction. When it returns, the commit survives a power cut and the witness has seen it."""
        with self._writing:  # and `close` waits: SQLite must not lose a connection while another thread is inside it
            self._write(prepared, previous)

    def _write(self, prepared: Prepared, previous: int | None) -> None:
        if self._failed is not None:
            raise self._failed
        version = prepared.generation
        previous = version - 1 if previous is None else previous
        connection = self._writer
        try:
            with store_errors():
                connection.execute("BEGIN IMMEDIATE")
                # Compare and set: an owner that lost the profile (a lock that the file system did not keep,
                # a folder that was copied over) must not write a ratchet that another one has moved (SR-06).
                moved = connection.execute(
                    "UPDATE records SET version = ?, value = ? WHERE key = ? AND version = ?",
                    (version, version.to_bytes(8, "big"), GENERATION, previous),
                ).rowcount
                if moved != 1:
                    raise StoreConflict("another owner has written to this store", code="store.owner")
                for statement, parameters in prepared.statements:
                    connection.execute(statement, parameters)
                if prepared.texts:
                    write_index(connection, prepared.texts)
                    self._checkpoint("store.indexed")
                self._checkpoint("store.before-commit")
                connection.execute("COMMIT")
        except BaseException as error:  # interrupted too: what the disk holds must be known before more is written
            self._after_failed_write(previous, error)
            raise
        self._checkpoint("store.committed")
        self._witness.record(version)

    def settle(self, prepared: Prepared) -> None:
        """Make a written commit the one that `get` shows."""
        names: list[str] = []
        with self._caching:
            self._generation = prepared.generation
            for (key, value), size in zip(prepared.writes.items(), prepared.sizes, strict=True):
                names.append(key.name)
                if key.kind is not SEARCH:
                    self._cache.put(key.name, value, size)
        self._recent.append((prepared.generation, frozenset(names)))

    def _refuse_moved(self, read: Collection[str], writes: Writes, generation: int) -> None:
        if generation > self._generation:
            raise StoreConflict("the step is from another store or the future")
        oldest = self._recent[0][0] if self._recent else self._generation + 1
        if generation < oldest - 1:
            raise StoreConflict("the step is too old to be checked")
        touched = {*read, *(key.name for key in writes)}
        for version, names in self._recent:
            if version > generation and not names.isdisjoint(touched):
                raise StoreConflict(f"a record has moved since: {sorted(names & touched)[0]}")

    def _after_failed_write(self, previous: int, error: BaseException) -> None:
        """Roll back and find out whether the commit happened; when that is unclear nothing more is written."""
        with contextlib.suppress(Exception):  # a connection that cannot even do this is found out below
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        unclear = "the store failed while writing and must be opened again"
        if isinstance(error, StoreConflict):
            unclear = "another owner has written to this store"
        try:
            if generation_of(self._writer) == previous:
                return
        except Exception:  # whatever stops us from reading leaves it as unclear as before
            unclear += "; it cannot be read either"
        self._failed = StoreError(unclear, code="store.failed", hint="close this profile and open it again")

    # --- the end -----------------------------------------------------------------------------------------
    def close(self) -> None:
        """Fold the write-ahead log in, close, and give the profile back. Harmless when done twice."""
        if not self._lock.held:
            return
        try:
            with self._reading:  # SQLite must not lose a connection while another thread is inside it
                self._reader.close()
            with self._searching:
                self._searcher.close()
            with self._writing:
                with contextlib.suppress(Exception):  # closing goes on: the next owner's close does it
                    # Truncating drops the older versions of pages, with the keys that were in them.
                    self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._writer.close()
                self._witness.close()
                self._cache.clear()
        finally:
            self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self.path}, generation {self._generation})"


def _create_private(path: Path) -> None:
    # SQLite gives the -wal and -shm files the mode of the database.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(
            f"the store cannot be opened: {error.strerror}", code="store.io", hint=f"check {path}"
        ) from error


def _decode(kind: RecordKind[T], name: str, value: bytes) -> T:
    try:
        return kind.decode(value)
    except DecodeError as error:
        # SQLCipher has authenticated the page, so this is a newer format or a bug, not an attack.
        raise StoreError(
            f"the record {name} cannot be read: {error}", code="store.record", hint="update Letterlock, or report it"
        ) from error
