"""One connection with PostgreSQL, ready for a service: its namespace, its schema, and who else may run.

Every service has a namespace of its own name in the database, so that all of them may share one. Two tables of ours are in
it: `letterlock_service` says version and generation, `letterlock_writers` the last batch that each process committed.

Advisory locks, by application and purpose: SCHEMA while the namespace is looked at or made; RUNNING for as long as a process
lives, shared, or alone for an exclusive service and for an upgrade; WRITING for the length of one batch.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import asyncpg

from ...errors import StoreError, StoreLocked
from .connection import Layout
from .dialect import postgresql_schema
from .url import tls_for

__all__ = ["WRITING", "Server", "Session", "StoreTaken", "connect"]

_SCHEMA, _RUNNING, WRITING = 1, 2, 3
_CONNECT_S = 5.0
_COMMAND_S = 60.0
_LOCKED_S = 2.0
"""How long to wait for another process to end, as for a file."""

_SETTINGS = {
    # A process that is stopped in the middle of a batch holds up the others no longer than this.
    "idle_in_transaction_session_timeout": "10s",
    "lock_timeout": "15s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "jit": "off",  # our statements are short
}


class StoreTaken(StoreLocked):
    """While we had no connection another process ran: what we have in memory is no longer what is so."""

    code = "store.taken"


@dataclass(frozen=True, slots=True)
class Server:
    """Where, for which service, and under which name our batches are noted there."""

    url: str
    layout: Layout
    writer: str


@dataclass(frozen=True, slots=True)
class Session:
    """A connection. The generation counts the processes that had an exclusive service."""

    connection: asyncpg.Connection
    generation: int


async def connect(server: Server, generation: int | None) -> Session:
    """A session; a later one of the same process says the generation of its first. Raises what asyncpg does, and StoreError."""
    tls = tls_for(server.url)
    connection = await asyncpg.connect(
        server.url,
        **({} if tls is None else {"ssl": tls}),
        timeout=_CONNECT_S,
        command_timeout=_COMMAND_S,
        statement_cache_size=0,
        server_settings={
            **_SETTINGS,
            "application_name": f"letterlock {server.layout.name}",
            "search_path": f'"{server.layout.name}"',
        },
    )
    try:
        await _durable(connection, server.layout)
        return Session(connection, await _enter(connection, server, generation))
    except BaseException:  # also when cancelled: a connection left open would hold the service's lock at the server
        connection.terminate()
        raise


async def _durable(connection: asyncpg.Connection, layout: Layout) -> None:
    if connection.get_settings().server_encoding != "UTF8":
        raise StoreError(
            f"the {layout.name} database is not in UTF-8", code="store.encoding", hint="createdb --encoding=UTF8"
        )
    # What is answered is on the disk, whatever the server's default; more than that, by standbys, is the operator's.
    if await connection.fetchval("SHOW synchronous_commit") == "off":
        await connection.execute("SET synchronous_commit = on")


async def _enter(connection: asyncpg.Connection, server: Server, generation: int | None) -> int:
    layout, application = server.layout, server.layout.application_id
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", application, _SCHEMA)
        version, last = await _state(connection, layout)
        scripts = layout.scripts(version)
        if generation is not None and (scripts or (layout.exclusive and generation != last)):
            raise StoreTaken(f"another process has run on this {layout.name} database", hint="start this one again")
        alone = layout.exclusive or bool(version and scripts)
        if alone:
            await _lock_alone(connection, layout)
        for statement in (each for script in scripts for each in script):
            await connection.execute(postgresql_schema(statement))
        current = last if generation is not None else last + 1
        await connection.execute("UPDATE letterlock_service SET version = $1, generation = $2", layout.version, current)
        await connection.execute(
            "INSERT INTO letterlock_writers (writer, batch) VALUES ($1, 0) ON CONFLICT DO NOTHING", server.writer
        )
        await connection.execute("DELETE FROM letterlock_writers WHERE at < now() - INTERVAL '30 days'")
    if not layout.exclusive:
        await connection.execute("SELECT pg_advisory_lock_shared($1, $2)", application, _RUNNING)
        if alone:
            await connection.execute("SELECT pg_advisory_unlock($1, $2)", application, _RUNNING)
    return current


async def _state(connection: asyncpg.Connection, layout: Layout) -> tuple[int, int]:
    """(version, generation); makes the namespace and our tables when they are not there."""
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", layout.name):
        await connection.execute(f'CREATE SCHEMA "{layout.name}"')
    if await connection.fetchval("SELECT to_regclass($1)", f'"{layout.name}".letterlock_service') is None:
        await connection.execute(
            "CREATE TABLE letterlock_service (version BIGINT NOT NULL, generation BIGINT NOT NULL); "
            "INSERT INTO letterlock_service VALUES (0, 0); "
            "CREATE TABLE letterlock_writers "
            "(writer TEXT PRIMARY KEY, batch BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL DEFAULT now())"
        )
    row = await connection.fetchrow("SELECT version, generation FROM letterlock_service")
    return row["version"], row["generation"]


async def _lock_alone(connection: asyncpg.Connection, layout: Layout) -> None:
    until = asyncio.get_running_loop().time() + _LOCKED_S
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", layout.application_id, _RUNNING):
        if asyncio.get_running_loop().time() > until:
            raise StoreLocked(f"another process runs on this {layout.name} database", hint=layout.hint)
        await asyncio.sleep(0.05)
