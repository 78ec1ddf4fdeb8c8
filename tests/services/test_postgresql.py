"""What only PostgreSQL can do to a service: go away, in any moment; keep others out; have two processes at work."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from letterlock.errors import LetterlockError, ServiceError, StoreError, StoreLocked
from letterlock.services.database import Connection, open_database
from letterlock.services.database.postgresql import PostgresqlConnection
from letterlock.services.writer import Writer
from postgres import PostgresqlServer, rows_of
from services.cutting import Cutter

SCHEMA = """
CREATE TABLE items (name TEXT PRIMARY KEY, twin INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE places (place INTEGER PRIMARY KEY, taken_by TEXT);
"""


def opened(url: str, **changes: Any) -> Connection:
    settings = {"version": 1, "application_id": 0x4C4C5454, "name": "testing", "hint": "stop it", "exclusive": False}
    return open_database(url, SCHEMA, **{**settings, **changes})  # type: ignore[arg-type]


class Tables:
    def __init__(self, url: str, **changes: Any) -> None:
        self.connection = opened(url, **changes)

    def close(self) -> None:
        self.connection.close()

    def put(self, name: str) -> str:
        """Two rows: a half of it would be seen."""
        for twin in range(2):
            self.connection.execute("INSERT INTO items VALUES (?, ?)", (f"{name}-{twin}", twin))
        return name


def alone(url: str) -> Tables:
    return Tables(url, exclusive=True)


def waiting_for(seconds: float) -> Callable[[str], Tables]:
    def tables(url: str) -> Tables:
        made = Tables(url)
        assert isinstance(made.connection, PostgresqlConnection)
        made.connection.patience_s = seconds
        return made

    return tables


@contextlib.asynccontextmanager
async def writing(url: str, tables: Callable[[str], Tables] = Tables) -> Any:
    writer = Writer(url, tables, ServiceError, "testing")
    await writer.start()
    try:
        yield writer
    finally:
        await writer.close()


def names(url: str) -> set[str]:
    return {name for name, _ in rows_of(url, "testing")["items"]}


def whole(url: str) -> set[str]:
    """What is there, none of it half."""
    found = names(url)
    once = {name[:-2] for name in found}
    assert found == {f"{name}-{twin}" for name in once for twin in range(2)}
    return once


async def put(writer: Writer[Tables], name: str) -> str | None:
    try:
        return await writer.run(lambda tables: tables.put(name))
    except StoreError as error:
        assert error.code in ("store.connection", "store.unknown")
        return None


# --- the server goes away --------------------------------------------------------------------------------------
@pytest.mark.anyio
@pytest.mark.parametrize("after", [40, 170])
async def test_sr06_nothing_acknowledged_is_lost_when_the_server_is_killed(
    postgresql: PostgresqlServer, postgresql_url: str, after: int
) -> None:
    acknowledged: list[str] = []
    killed = threading.Event()

    async def client(writer: Writer[Tables], who: int) -> None:
        for count in itertools.count():
            name = await put(writer, f"{who}.{count}")
            if name is None or killed.is_set():
                return
            acknowledged.append(name)
            if len(acknowledged) == after:
                threading.Thread(target=kill).start()

    def kill() -> None:
        postgresql.kill()
        killed.set()
        postgresql.start()

    async with writing(postgresql_url, waiting_for(60)) as writer:
        await asyncio.gather(*(client(writer, who) for who in range(16)))
        assert await put(writer, "later") == "later", "it is connected again by itself"
        assert killed.is_set() and len(acknowledged) >= after
        assert {*acknowledged, "later"} <= whole(postgresql_url)


@pytest.mark.anyio
async def test_a_connection_that_ends_while_nobody_uses_it_costs_nothing(
    postgresql: PostgresqlServer, postgresql_url: str
) -> None:
    async with writing(postgresql_url) as writer:
        for name in ("a", "b"):
            assert await put(writer, name) == name
            postgresql.end_sessions()
        assert await put(writer, "c") == "c"
    assert whole(postgresql_url) == {"a", "b", "c"}


@pytest.mark.anyio
async def test_a_connection_that_ends_in_a_batch_undoes_all_of_it(
    postgresql: PostgresqlServer, postgresql_url: str
) -> None:
    def cut(tables: Tables) -> None:
        tables.put("cut")
        postgresql.end_sessions()
        tables.put("never")

    async with writing(postgresql_url) as writer:
        results = await asyncio.gather(
            writer.run(lambda tables: tables.put("before")),
            writer.run(cut),
            writer.run(lambda tables: tables.put("behind")),
            return_exceptions=True,
        )
        assert all(isinstance(each, StoreError) and each.code == "store.connection" for each in results), results
        assert len({id(each) for each in results}) == 1, "one error for all"
        assert await put(writer, "again") == "again"
    assert whole(postgresql_url) == {"again"}


@pytest.mark.anyio
@pytest.mark.parametrize("tables", [Tables, alone])
@pytest.mark.parametrize("arrives", [True, False])
async def test_a_commit_that_nobody_answered_is_looked_up(
    postgresql: PostgresqlServer, postgresql_url: str, tmp_path: Path, tables: Callable[[str], Tables], arrives: bool
) -> None:
    """The connection is cut when the COMMIT passes: before it is handed on, or after."""
    with Cutter(postgresql.folder) as cutter:
        async with writing(postgresql.url().replace(str(postgresql.folder), str(cutter.folder)), tables) as writer:
            assert await put(writer, "first") == "first"
            cutter.cut_at(b"COMMIT\x00", hand_on=arrives)
            assert await put(writer, "second") == ("second" if arrives else None)
            assert cutter.cuts == 1
            assert await put(writer, "third") == "third"
    assert whole(postgresql_url) == {"first", "third", *(["second"] if arrives else [])}


@pytest.mark.anyio
async def test_a_deadlock_makes_the_whole_batch_again(postgresql_url: str) -> None:
    raised: list[str] = []

    def meets(code: str, times: int) -> Callable[[Tables], str]:
        def step(tables: Tables) -> str:
            tables.put(code)
            if raised.count(code) < times:
                raised.append(code)
                tables.connection.execute(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{code}'; END $$")
            return code

        return step

    async with writing(postgresql_url) as writer:
        both = await asyncio.gather(writer.run(meets("40P01", 2)), writer.run(meets("40001", 2)))
        assert both == ["40P01", "40001"]
        with pytest.raises(StoreError) as busy:
            await writer.run(meets("55P03", 1000))
        assert busy.value.code == "store.busy" and 1 < raised.count("55P03") < 10
    assert whole(postgresql_url) == {"40P01", "40001"}


@pytest.mark.anyio
async def test_a_server_that_stays_away_is_said_at_once_and_found_again(
    postgresql: PostgresqlServer, postgresql_url: str
) -> None:
    async with writing(postgresql_url, waiting_for(0.1)) as writer:
        assert await put(writer, "a") == "a"
        postgresql.stop()
        try:
            for _ in range(3):
                with pytest.raises(StoreError) as raised:
                    await writer.run(lambda tables: tables.put("lost"))
            assert raised.value.code == "store.connection" and "running" in raised.value.hint
        finally:
            postgresql.start()
        assert await put(writer, "b") == "b"
    assert whole(postgresql_url) == {"a", "b"}


# --- several processes -----------------------------------------------------------------------------------------
@pytest.mark.anyio
async def test_sr13_two_at_work_hand_nothing_out_twice(postgresql_url: str) -> None:
    def take(tables: Tables) -> int | None:
        # In two statements, as a service's logic has it: it looks, then it writes.
        run = tables.connection.execute
        row = run("SELECT place FROM places WHERE taken_by IS NULL ORDER BY place LIMIT 1").fetchone()
        if row is None:
            return None
        run("UPDATE places SET taken_by = ? WHERE place = ?", ("me", row[0]))
        return int(row[0])

    async with writing(postgresql_url) as one, writing(postgresql_url) as two:
        await one.run(
            lambda tables: tables.connection.executemany(
                "INSERT INTO places VALUES (?, NULL)", [(n,) for n in range(300)]
            )
        )
        got = await asyncio.gather(*((one, two)[n % 2].run(take) for n in range(320)))
    taken = [place for place in got if place is not None]
    assert sorted(taken) == list(range(300))


def test_one_that_was_cut_off_learns_that_another_ran_meanwhile(
    postgresql: PostgresqlServer, postgresql_url: str
) -> None:
    """What the focus has in memory is then no longer what is so."""
    first = Tables(postgresql_url, exclusive=True)
    postgresql.end_sessions()
    first.connection.begin()  # nobody came: it goes on
    first.put("a")
    first.connection.commit()
    postgresql.end_sessions()
    Tables(postgresql_url, exclusive=True).close()
    for _ in range(2):
        with pytest.raises(StoreLocked) as raised:
            first.connection.begin()
        assert raised.value.code == "store.taken" and raised.value.hint
    first.close()


def test_no_upgrade_under_a_running_service(postgresql_url: str) -> None:
    running = [Tables(postgresql_url) for _ in range(2)]
    upgrades = {1: "ALTER TABLE items ADD COLUMN late TEXT;\n"}
    with pytest.raises(StoreLocked):
        Tables(postgresql_url, version=2, upgrades=upgrades)
    for each in running:
        each.close()
    Tables(postgresql_url, version=2, upgrades=upgrades).close()


def test_services_share_a_database_each_in_its_namespace(postgresql_url: str) -> None:
    one, two = Tables(postgresql_url), Tables(postgresql_url, name="other", application_id=2)
    one.put("mine")
    assert two.connection.execute("SELECT * FROM items").fetchall() == []
    one.close()
    two.close()


# --- what an operator may have got wrong ------------------------------------------------------------------------
@pytest.fixture
def secret() -> Iterator[str]:
    yield "s3cret-and-wrong"


def test_errors_say_what_to_do_and_no_password(postgresql: PostgresqlServer, postgresql_url: str, secret: str) -> None:
    nowhere = f"postgresql://ana:{secret}@/letterlock?host={postgresql.folder}/nowhere"
    denied = postgresql.url(f"doubtful:{secret}")
    missing = postgresql.url(f"postgres:{secret}", "missing")
    humble = postgresql.url(f"humble:{secret}")
    for url, code in [
        (nowhere, "store.connection"), (denied, "store.denied"), (missing, "store.missing"), (humble, "store.denied")
    ]:  # fmt: skip
        with pytest.raises(LetterlockError) as raised:
            opened(url)
        error = raised.value
        assert error.code == code and error.hint
        assert secret not in f"{error} {error.hint}" and str(postgresql.folder) in str(error)


def test_a_database_of_another_encoding_is_refused(postgresql: PostgresqlServer, postgresql_url: str) -> None:
    postgresql.ask("CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0")
    try:
        with pytest.raises(StoreError) as raised:
            opened(postgresql.url(database="latin"))
        assert raised.value.code == "store.encoding" and "UTF8" in raised.value.hint
    finally:
        postgresql.ask("DROP DATABASE latin")


def test_what_is_answered_is_on_the_disk_whatever_the_server_says(
    postgresql: PostgresqlServer, postgresql_url: str
) -> None:
    postgresql.ask("ALTER DATABASE letterlock SET synchronous_commit = off")
    try:
        connection = opened(postgresql_url)
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        # And one that stands still in a batch holds the others up no longer than this.
        assert connection.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("10s",)
        connection.close()
    finally:
        postgresql.ask("ALTER DATABASE letterlock RESET synchronous_commit")


def test_a_text_with_a_nul_fails_its_step_only(postgresql_url: str) -> None:
    """SQLite would keep it; PostgreSQL has no such text."""
    connection = opened(postgresql_url)
    connection.begin()
    connection.execute("INSERT INTO items VALUES (?, 0)", ("kept",))
    connection.execute("SAVEPOINT step")
    with pytest.raises(StoreError):
        connection.execute("INSERT INTO items VALUES (?, 0)", ("a\x00b",))
    connection.execute("ROLLBACK TO step")
    connection.commit()
    connection.close()
    assert names(postgresql_url) == {"kept"}
