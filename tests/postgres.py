"""PostgreSQL for tests: Debian's binaries, once a session, in a folder of its own, on a Unix socket only.

`database` is a fixture with two parameters: an empty file for SQLite, and an empty database of PostgreSQL, which is
skipped with its reason where the binaries are missing. `./run test` installs postgresql-15. fsync is on: what the tests
kill, they kill for real. A module whose labs ask `database_in` runs on both with `usefixtures("both_databases")`; a test
of it that is about the file says `ONLY_SQLITE`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest

from letterlock.services.database import is_url

__all__ = [
    "ONLY_SQLITE",
    "PostgresqlServer",
    "both_databases",
    "database",
    "database_in",
    "postgresql",
    "postgresql_url",
    "rows_of",
]

ONLY_SQLITE = pytest.mark.parametrize("both_databases", ["sqlite"], indirect=True)
_MARK = "postgresql-url"

T = TypeVar("T")

_HBA = """
local all doubtful scram-sha-256
local all all trust
"""
# Ends with the tests, however they end: then its input does, too.
_KEEPER = '"$@" </dev/null & server=$!; read _; kill -INT $server 2>/dev/null; wait $server'
_TIDY = """
DO $$ DECLARE found TEXT; BEGIN
    FOR found IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', found);
    END LOOP;
END $$;
"""


class PostgresqlServer:
    """A server that can be killed. `url(user)` is its database for services."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        # The path of a socket is short: not under pytest's own folders.
        self.folder = Path(tempfile.mkdtemp(prefix="llpg-", dir="/tmp"))
        self._user: dict[str, Any] = {}
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            self._user = {
                "user": "postgres",
                "group": "postgres",
                "extra_groups": ["postgres"],
                "env": {"PATH": "/usr/bin:/bin"},
            }
        self._process: subprocess.Popen[bytes] | None = None
        data = self.folder / "data"
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **self._user,
        )  # fmt: skip
        (data / "pg_hba.conf").write_text(_HBA)
        self.start()
        self.ask("CREATE DATABASE letterlock", database="postgres")
        self.ask("CREATE USER doubtful PASSWORD 'right'; CREATE USER humble")

    def url(self, user: str = "postgres", database: str = "letterlock") -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def start(self) -> None:
        """Begin to run, after a kill too: it goes through its log and puts right what was half done."""
        settings = ("listen_addresses=", "fsync=on", "autovacuum=off", "max_connections=60", "log_min_messages=fatal")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("sh", "-c", _KEEPER, "sh"),
                    *(self._binaries / "postgres", "-D", self.folder / "data", "-k", self.folder),
                    *(part for setting in settings for part in ("-c", setting)),
                ],
                stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self.folder, **self._user,
            )  # fmt: skip
        until = time.monotonic() + 30
        while True:
            try:
                return self.ask("SELECT 1", database="postgres")
            except (OSError, asyncpg.PostgresError):
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < until, "PostgreSQL does not start"
                time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL to all of it, as when the power fails."""
        server = int((self.folder / "data/postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGSTOP)  # so that it starts no new ones meanwhile
        children = _children(server)
        for pid in (*children, server):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.stop()
        while any(Path(f"/proc/{pid}").exists() for pid in children):
            time.sleep(0.005)

    def stop(self) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait(60)
            self._process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, statements: str, *, database: str = "letterlock") -> None:
        _asked(self.url(database=database), lambda connection: connection.execute(statements))

    def end_sessions(self) -> None:
        """Everybody's connection with the database of services is cut by the server."""
        self.ask(
            "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity "
            "WHERE datname = 'letterlock' AND pid != pg_backend_pid()"
        )

    def tidy(self) -> None:
        """No session and no namespace is left."""
        self.end_sessions()
        self.ask(_TIDY)


def _asked(url: str, question: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    async def run() -> T:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            return await question(connection)
        finally:
            await connection.close()

    # In a thread, because the test may have a loop of its own that runs.
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, run()).result()


def rows_of(database: str, service: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables that a service keeps."""
    if not is_url(database):
        with contextlib.closing(sqlite3.connect(database)) as file:
            tables = file.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            return {name: file.execute(f"SELECT * FROM {name}").fetchall() for (name,) in tables.fetchall()}

    async def run(connection: asyncpg.Connection) -> dict[str, list[tuple[Any, ...]]]:
        tables = "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename NOT LIKE 'letterlock_%'"
        return {
            name: [tuple(row) for row in await connection.fetch(f'SELECT * FROM "{service}".{name}')]
            for (name,) in await connection.fetch(tables, service)
        }

    return _asked(database, run)


def database_in(folder: Path, name: str) -> str:
    """Where a lab keeps a service's rows: a file of its folder, or PostgreSQL when `both_databases` has said so."""
    for place in (folder, *folder.parents):
        if (place / _MARK).is_file():
            return (place / _MARK).read_text()
    return str(folder / name)


def _children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def _binaries() -> Path:
    folders = sorted(Path("/usr/lib/postgresql").glob("[0-9]*/bin/postgres"), key=lambda each: int(each.parts[4]))
    if not folders:
        pytest.skip("PostgreSQL is not installed: apt-get install --no-install-recommends postgresql-15")
    if os.getuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    return folders[-1].parent


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """One server for the whole session."""
    server = PostgresqlServer(_binaries())
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def postgresql_url(postgresql: PostgresqlServer) -> Iterator[str]:
    """An empty database of PostgreSQL."""
    yield postgresql.url()
    postgresql.tidy()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind, as a service takes it."""
    if request.param == "sqlite":
        return str(tmp_path / "service.db")
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def both_databases(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The test's labs keep what they keep in each kind of database."""
    if request.param == "postgresql":
        (tmp_path / _MARK).write_text(request.getfixturevalue("postgresql_url"))
