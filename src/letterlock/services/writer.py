"""The one writer: a thread that runs steps on the tables and commits those that wait together.

`run(step)` comes back only after the commit, with synchronous=FULL: what a caller was told is on the
disk. One slow disk flush serves all steps that came meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from ..errors import LetterlockError, StoreError

__all__ = ["Writer"]


class Database(Protocol):
    """Tables on one SQLite connection in autocommit mode, used on the writer's thread only."""

    @property
    def connection(self) -> sqlite3.Connection: ...

    def close(self) -> None: ...


D = TypeVar("D", bound=Database)
T = TypeVar("T")

_BATCH = 64


class Writer(Generic[D]):
    """Owns the database from `start` to `close`. `tables` opens it; `refusal` is the error of decisions, see `run`.

    `name` is what the service is called in errors.
    """

    def __init__(self, path: str, tables: Callable[[str], D], refusal: type[LetterlockError], name: str) -> None:
        self._path = path
        self._open = tables
        self._refusal = refusal
        self._name = name
        self._waiting: queue.SimpleQueue[tuple[Callable[[D], Any], asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Open the database. Raises StoreLocked or StoreError."""
        self._loop = asyncio.get_running_loop()
        tables = await asyncio.to_thread(self._open, self._path)
        self._thread = threading.Thread(target=self._work, args=(tables,), name=f"{self._name}-writer", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Finish what waits, then close the database."""
        if self._thread is not None:
            self._waiting.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    async def run(self, step: Callable[[D], T]) -> T:
        """Do one step in a transaction; its result, or its error, once that is durable.

        A `refusal` is a decision: what the step wrote before it (a spent try, a nonce) stands.
        Any other error undoes the step.
        """
        if self._loop is None or self._thread is None:
            raise StoreError(f"the {self._name} is closed", code="store.closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.put((step, future))
        return await future

    def _work(self, tables: D) -> None:
        closing = False
        while not closing:
            batch = []
            item = self._waiting.get()
            while item is not None:
                batch.append(item)
                if len(batch) == _BATCH:
                    break
                try:
                    item = self._waiting.get_nowait()
                except queue.Empty:
                    break
            else:
                closing = True
            if batch:
                self._commit(tables, batch)
        tables.close()

    def _commit(self, tables: D, batch: list[tuple[Callable[[D], Any], asyncio.Future[Any]]]) -> None:
        run = tables.connection.execute
        outcomes: list[tuple[Any, BaseException | None]] = []
        try:
            run("BEGIN IMMEDIATE")
            for step, _ in batch:
                outcomes.append(_one(tables, step, self._refusal))
            run("COMMIT")
        except sqlite3.Error as error:
            if tables.connection.in_transaction:
                # A disk that fails here too must not end the thread: callers would wait for ever. The next
                # batch finds the transaction open, fails as this one did, and rolls back again.
                with contextlib.suppress(sqlite3.Error):
                    run("ROLLBACK")
            failure = StoreError(f"the {self._name} database failed: {error}")
            outcomes = [(None, failure)] * len(batch)
        assert self._loop is not None
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            self._loop.call_soon_threadsafe(_resolve, future, outcome)


def _one(tables: D, step: Callable[[D], Any], refusal: type[LetterlockError]) -> tuple[Any, BaseException | None]:
    run = tables.connection.execute
    run("SAVEPOINT step")
    try:
        result = step(tables)
    except refusal as decision:
        run("RELEASE step")
        return None, decision
    except Exception as error:  # whatever it is belongs to this step's caller; the others of the batch go on
        run("ROLLBACK TO step")
        run("RELEASE step")
        return None, error
    run("RELEASE step")
    return result, None


def _resolve(future: asyncio.Future[Any], outcome: tuple[Any, BaseException | None]) -> None:
    if future.done():  # its caller went away
        return
    result, error = outcome
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
