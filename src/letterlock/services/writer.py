"""The one writer: a thread that runs steps on the tables and commits those that wait together.

`run(step)` comes back only after the commit: what a caller was told is on the disk. One slow disk flush serves all steps
that came meanwhile.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from ..errors import LetterlockError, StoreError
from .database import Connection
from .database.connection import BatchLost, TryAgain

__all__ = ["Writer"]


class Database(Protocol):
    """Tables on one connection, opened and used on the writer's thread only."""

    @property
    def connection(self) -> Connection: ...

    def close(self) -> None: ...


D = TypeVar("D", bound=Database)
T = TypeVar("T")
Outcome = tuple[Any, BaseException | None]
Step = Callable[[D], Any]

_BATCH = 64
_ATTEMPTS = 5


class Writer(Generic[D]):
    """Owns the database from `start` to `close`. `tables` opens it; `refusal` is the error of decisions, see `run`.

    `name` is what the service is called in errors.
    """

    def __init__(self, database: str, tables: Callable[[str], D], refusal: type[LetterlockError], name: str) -> None:
        self._database = database
        self._open = tables
        self._refusal = refusal
        self._name = name
        self._waiting: queue.SimpleQueue[tuple[Step[D], asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Open the database. Raises StoreLocked or StoreError."""
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._work, args=(opened,), name=f"{self._name}-writer", daemon=True)
        self._thread.start()
        try:
            await opened
        except asyncio.CancelledError:
            await self.close()
            raise
        except BaseException:  # whoever starts us is told; and whoever closes must not wait for a thread
            self._thread = None  # it has ended
            raise

    async def close(self) -> None:
        """Finish what waits, then close the database."""
        if self._thread is not None:
            self._waiting.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    async def run(self, step: Callable[[D], T]) -> T:
        """Do one step in a transaction; its result, or its error, once that is durable.

        A `refusal` is a decision: what the step wrote before it (a spent try, a nonce) stands.
        Any other error undoes the step. On PostgreSQL a step may be done again, after all that it wrote was undone:
        when another of its batch failed, or another process was in its way. What it does outside the tables must bear
        that.
        """
        if self._loop is None or self._thread is None:
            raise StoreError(f"the {self._name} is closed", code="store.closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.put((step, future))
        return await future

    def _work(self, opened: asyncio.Future[None]) -> None:
        try:
            tables = self._open(self._database)
        except BaseException as error:  # whatever it is belongs to `start`, which waits for it
            self._tell([opened], [(None, error)])
            return
        self._tell([opened], [(None, None)])
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
                steps, futures = zip(*batch, strict=True)
                self._tell(futures, self._outcomes(tables, steps))
        tables.close()

    def _outcomes(self, tables: D, steps: tuple[Step[D], ...]) -> list[Outcome]:
        """Of all steps, in one transaction; when that fails, of none."""
        failure: Exception
        one = _apart if tables.connection.cheap_savepoints else _together
        tries = _ATTEMPTS
        while tries:
            tries -= 1
            try:
                tables.connection.begin()
                outcomes = [one(tables, step, self._refusal) for step in steps]
                tables.connection.commit()
                return outcomes
            except TryAgain as error:
                tables.connection.rollback()
                failure = error
            except _StepFailed as error:
                tables.connection.rollback()
                if len(steps) == 1:
                    return [(None, error.reason)]
                one, tries = _apart, _ATTEMPTS
            except Exception as error:  # a bug of ours too: the thread goes on, and nobody waits for ever
                tables.connection.rollback()
                failure = error
                break
        return [(None, failure)] * len(steps)

    def _tell(self, futures: Any, outcomes: list[Outcome]) -> None:
        assert self._loop is not None
        for future, outcome in zip(futures, outcomes, strict=True):
            self._loop.call_soon_threadsafe(_resolve, future, outcome)


class _StepFailed(Exception):
    """A step of a batch without savepoints failed; all of it is undone, to be done again with them."""

    def __init__(self, reason: Exception) -> None:
        self.reason = reason


def _apart(tables: D, step: Step[D], refusal: type[LetterlockError]) -> Outcome:
    """A step inside a savepoint: when it fails, the others of the batch go on."""
    run = tables.connection.execute
    run("SAVEPOINT step")
    try:
        result = step(tables)
    except refusal as decision:
        run("RELEASE step")
        return None, decision
    except BatchLost:
        raise
    except Exception as error:  # whatever it is belongs to this step's caller
        run("ROLLBACK TO step")
        run("RELEASE step")
        return None, error
    run("RELEASE step")
    return result, None


def _together(tables: D, step: Step[D], refusal: type[LetterlockError]) -> Outcome:
    """A step without one. Few fail, and then the batch is done again."""
    try:
        return step(tables), None
    except refusal as decision:
        return None, decision
    except BatchLost:
        raise
    except Exception as error:  # a bug of ours, or the database's word: the caller of this one step hears of it
        raise _StepFailed(error) from error


def _resolve(future: asyncio.Future[Any], outcome: Outcome) -> None:
    if future.done():  # its caller went away
        return
    result, error = outcome
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
