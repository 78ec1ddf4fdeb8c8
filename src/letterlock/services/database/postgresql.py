"""PostgreSQL as a `Connection`: asyncpg on a private event loop of the writer's thread.

One process writes at a time: a batch begins with an advisory lock of its service, so that what a step has looked at is so
until its commit, as in SQLite, and nothing is handed out twice. Each batch that wrote notes its number in its own
transaction: when the connection is lost at the COMMIT, that tells whether it came to be.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from ...errors import LetterlockError, StoreError, StoreLocked
from .connection import Layout, Rows
from .dialect import numbered
from .postgresql_errors import ConnectionLost, failure_of, refusal_of
from .postgresql_session import WRITING, Server, Session, StoreTaken, connect
from .url import shown

__all__ = ["PostgresqlConnection"]

T = TypeVar("T")

_MAX_PREPARED = 256
_PAUSE_S = (0.05, 1.0)


class PostgresqlConnection:
    """A `Connection`. It is made anew by itself when the server went away."""

    cheap_savepoints = False

    def __init__(self, server: Server) -> None:
        self._server = server
        self.patience_s = 10.0
        """A server that restarts is waited for so long; then steps fail at once until it is back."""
        self._name = server.layout.name
        self._ours = f"writer = '{server.writer}'"  # hexadecimal, and ours: for statements that go out together
        self._loop = asyncio.new_event_loop()
        self._session: Session | None = None
        self._prepared: OrderedDict[str, PreparedStatement] = OrderedDict()
        self._generation: int | None = None
        self._down_since: float | None = None
        self._over: StoreTaken | None = None
        self._batch = 0
        self._wrote = False

    @classmethod
    def opened(cls, url: str, layout: Layout) -> PostgresqlConnection:
        """Raises StoreLocked and StoreError; InputError for a URL that cannot be used."""
        made = cls(Server(url, layout, os.urandom(16).hex()))
        try:
            made._connect()
        except BaseException:  # its loop and socket are nobody else's yet; Ctrl-C while it connects, too
            made.close()
            raise
        return made

    # --- statements ------------------------------------------------------------------------------
    def execute(self, statement: str, parameters: Sequence[object] = ()) -> Rows:
        return self._run(self._execute(statement, parameters))

    def executemany(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        self._run(self._executemany(statement, list(rows)))

    def last_identity(self, table: str, column: str) -> int:
        found: int = self.execute(
            "SELECT COALESCE(pg_sequence_last_value(CAST(pg_get_serial_sequence(?, ?) AS regclass)), 0)",
            (table, column),
        ).fetchone()[0]
        return found

    async def _execute(self, statement: str, parameters: Sequence[object]) -> Rows:
        prepared = await self._statement(statement)
        rows = await prepared.fetch(*parameters)
        verb, _, count = prepared.get_statusmsg().rpartition(" ")
        changed = int(count) if count.isdecimal() else -1
        self._wrote |= changed > 0 and verb != "SELECT"
        return Rows([tuple(row) for row in rows], changed)

    async def _executemany(self, statement: str, rows: list[Sequence[object]]) -> None:
        if rows:
            prepared = await self._statement(statement)
            await prepared.executemany(rows)
            self._wrote = True

    async def _statement(self, statement: str) -> PreparedStatement:
        found = self._prepared.get(statement)
        if found is None:
            found = self._prepared[statement] = await self._connected.prepare(numbered(statement))
            if len(self._prepared) > _MAX_PREPARED:
                self._prepared.popitem(last=False)  # asyncpg closes it on the server
        else:
            self._prepared.move_to_end(statement)
        return found

    # --- batches ---------------------------------------------------------------------------------
    def begin(self) -> None:
        self._wrote = False
        if self._session is not None and not self._session.connection.is_closed():
            try:
                return self._begin()
            except ConnectionLost:
                pass  # it went away while nobody used it: nothing is lost by making another
        self._reconnect()
        return self._begin()

    def commit(self) -> None:
        if not self._wrote:
            self._simple("COMMIT")
            return
        self._batch += 1
        note = f"UPDATE letterlock_writers SET batch = {self._batch}, at = now() WHERE {self._ours}"  # noqa: S608
        try:
            ended = self._simple(f"{note}; COMMIT")
        except ConnectionLost:
            if not self._came_to_be():
                raise
            return
        if ended != "COMMIT":  # PostgreSQL's word for a transaction that failed before
            raise StoreError(f"the {self._name} database undid a batch")

    def rollback(self) -> None:
        if self._session is None:
            return
        try:
            self._simple("ROLLBACK")
        except StoreError:
            self._drop()

    def close(self) -> None:
        if self._session is not None:
            try:
                self._simple(f"DELETE FROM letterlock_writers WHERE {self._ours}")  # noqa: S608
                self._loop.run_until_complete(self._connected.close(timeout=2))
            except (StoreError, OSError, TimeoutError, asyncpg.InterfaceError):
                self._drop()
            self._session = None
        if not self._loop.is_closed():
            self._loop.close()

    def _begin(self) -> None:
        lock = f"; SELECT pg_advisory_xact_lock({self._server.layout.application_id}, {WRITING})"
        # Read committed, so that each statement sees what was committed before we had the lock.
        self._simple("BEGIN ISOLATION LEVEL READ COMMITTED" + ("" if self._server.layout.exclusive else lock))

    def _came_to_be(self) -> bool:
        """Whether the batch whose COMMIT was not answered is there. Raises StoreError when nobody can say."""
        try:
            self._reconnect()
            # With the lock, this or that of the session: the server has done with the lost connection.
            self._begin()
            found = self.execute("SELECT batch FROM letterlock_writers WHERE writer = ?", (self._server.writer,))
            row = found.fetchone()
            self.rollback()
        except StoreError as error:
            raise StoreError(
                f"the {self._name} database went away at a commit: it may have been done, or not",
                code="store.unknown",
                hint=error.hint,
            ) from error
        return bool(row == (self._batch,))

    # --- the connection --------------------------------------------------------------------------
    @property
    def _connected(self) -> asyncpg.Connection:
        if self._session is None:
            raise ConnectionLost(f"the connection to the {self._name} database was lost")
        return self._session.connection

    def _connect(self) -> None:
        try:
            session = self._loop.run_until_complete(connect(self._server, self._generation))
        except LetterlockError:
            raise
        except Exception as error:
            refusal = refusal_of(error, self._name, shown(self._server.url))
            if refusal is None:
                raise
            raise refusal from None
        self._session, self._generation, self._down_since = session, session.generation, None

    def _reconnect(self) -> None:
        """Raises ConnectionLost when the server stays away; StoreLocked, for good, when another process came in between."""
        self._drop()
        if self._over is not None:
            raise self._over
        now = self._loop.time
        if self._down_since is None:
            self._down_since = now()
        pause, longest = _PAUSE_S
        while True:
            try:
                return self._connect()
            except StoreTaken as error:
                self._over = error
                raise
            except (ConnectionLost, StoreLocked):  # the lock of our own lost connection, until the server misses us
                if now() - self._down_since > self.patience_s:
                    raise
            self._loop.run_until_complete(asyncio.sleep(pause))
            pause = min(longest, 2 * pause)

    def _drop(self) -> None:
        self._prepared.clear()
        if self._session is not None:
            self._session.connection.terminate()
            self._session = None

    def _simple(self, statements: str) -> str:
        async def run() -> str:
            ended: str = await self._connected.execute(statements)
            return ended

        return self._run(run())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._loop.run_until_complete(work)
        except Exception as error:
            failure = error if isinstance(error, StoreError) else failure_of(error, self._name)
            if isinstance(failure, ConnectionLost):
                self._drop()
            if failure is None or failure is error:
                raise
            raise failure from None
