"""Token buckets and the writer, by themselves."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.errors import DirectoryError, StoreError
from letterlock.services.buckets import Buckets, Rate
from letterlock.services.database.sqlite import SqliteConnection
from letterlock.services.directory.tables import Tables
from letterlock.services.http import address_key
from letterlock.services.writer import Writer

RATE = Rate(burst=3, per_ms=3000)


def test_a_bucket_gives_its_burst_then_refills() -> None:
    buckets = Buckets(10)
    assert [buckets.take("a", "k", RATE, 0) for _ in range(3)] == [0, 0, 0]
    assert buckets.take("a", "k", RATE, 0) == 1000
    assert buckets.take("a", "k", RATE, 400) == 600
    assert buckets.take("a", "other", RATE, 0) == 0 and buckets.take("b", "k", RATE, 0) == 0
    assert buckets.take("a", "k", RATE, 1000) == 0
    assert [buckets.take("a", "k", RATE, 100_000) for _ in range(4)] == [0, 0, 0, 1000]


@given(st.lists(st.integers(-5000, 5000), max_size=60))
def test_no_clock_gives_more_than_the_rate(steps: list[int]) -> None:
    buckets, now, highest, given_out = Buckets(10), 0, 0, 0
    for step in steps:
        now += step
        forward = max(0, step)
        highest += forward
        given_out += buckets.take("a", "k", RATE, now) == 0
    assert given_out <= RATE.burst + highest * RATE.burst / RATE.per_ms + 1


def test_a_flood_of_keys_is_bounded_and_lifts_no_limit_sr17() -> None:
    buckets = Buckets(100)
    for _ in range(3):
        buckets.take("a", "victim", RATE, 0)
    allowed = sum(buckets.take("a", n, RATE, 0) == 0 for n in range(10_000))
    assert len(buckets) <= 101 and allowed <= 99 + RATE.burst
    assert buckets.take("a", "victim", RATE, 0) > 0
    # Later, when the buckets are full again, they make room.
    assert buckets.take("a", "late", RATE, 10_000) == 0 and len(buckets) < 10


@pytest.mark.parametrize(
    ("remote", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9%eth0", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        (None, ""),
        ("unix", "unix"),
    ],
)
def test_an_ipv6_subscriber_is_one_address(remote: str | None, key: str) -> None:
    assert address_key(remote) == key


async def opened(folder: Path) -> Writer[Tables]:
    writer = Writer(str(folder / "d.db"), Tables, DirectoryError, "directory")
    await writer.start()
    return writer


def put_nonce(n: int) -> bytes:
    return n.to_bytes(32, "big")


@pytest.mark.anyio
async def test_a_refusal_stands_and_a_mistake_is_undone(tmp_path: Path) -> None:
    writer = await opened(tmp_path)

    def refuse(tables: Tables) -> None:
        assert tables.remember_nonce(put_nonce(1), 10, 0)
        raise DirectoryError("no", status=403)

    def fail(tables: Tables) -> None:
        assert tables.remember_nonce(put_nonce(2), 10, 0)
        raise ValueError("bug")

    results = await asyncio.gather(
        writer.run(refuse), writer.run(fail), writer.run(lambda t: t.remember_nonce(put_nonce(3), 10, 0)),
        return_exceptions=True,
    )  # fmt: skip
    assert isinstance(results[0], DirectoryError) and isinstance(results[1], ValueError) and results[2] is True
    known = [await writer.run(lambda t, n=n: not t.remember_nonce(put_nonce(n), 10, 0)) for n in (1, 2, 3)]
    assert known == [True, False, True]
    await writer.close()
    with pytest.raises(StoreError):
        await writer.run(lambda t: None)


class FailingDisk:
    """A connection on which neither COMMIT nor ROLLBACK works, `times` times each."""

    def __init__(self, connection: sqlite3.Connection, times: int) -> None:
        self._connection = connection
        self._left = {"COMMIT": times, "ROLLBACK": times}

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, statement: str, *parameters: object) -> sqlite3.Cursor:
        if self._left.get(statement, 0):
            self._left[statement] -= 1
            raise sqlite3.OperationalError("disk I/O error")
        return self._connection.execute(statement, *parameters)

    def close(self) -> None:
        self._connection.close()


@pytest.mark.anyio
async def test_a_disk_on_which_even_the_rollback_fails_leaves_nobody_waiting(tmp_path: Path) -> None:
    writer = await opened(tmp_path)

    def break_disk(tables: Tables) -> None:
        assert isinstance(tables.connection, SqliteConnection)
        tables.connection.raw = FailingDisk(tables.connection.raw, 1)  # type: ignore[assignment]

    def forget(tables: Tables) -> bool:
        return tables.remember_nonce(put_nonce(1), 10, 0)

    async with asyncio.timeout(10):
        for step in (break_disk, forget):  # its own failure, then the transaction that it left open
            with pytest.raises(StoreError):
                await writer.run(step)
        assert await writer.run(lambda t: t.remember_nonce(put_nonce(1), 10, 0)), "the failed steps left something"
    await writer.close()


@pytest.mark.anyio
async def test_what_was_answered_is_on_the_disk(tmp_path: Path) -> None:
    """A copy of the files, taken after the answer, holds the step: as after a power cut."""
    writer = await opened(tmp_path)
    await asyncio.gather(*(writer.run(lambda t, n=n: t.remember_nonce(put_nonce(n), 10, 0)) for n in range(200)))
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in tmp_path.glob("d.db*"):
        (copy / path.name).write_bytes(path.read_bytes())
    db = sqlite3.connect(copy / "d.db")
    assert db.execute("SELECT COUNT(*) FROM nonces").fetchone() == (200,)
    db.close()
    await writer.close()


@pytest.mark.anyio
async def test_the_database_flushes_every_commit(tmp_path: Path) -> None:
    writer = await opened(tmp_path)
    settings = await writer.run(
        lambda t: [
            t.connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    )
    assert settings == ["wal", 2, 1]
    await writer.close()


@pytest.mark.anyio
async def test_a_file_that_is_no_database_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "d.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError):
        await opened(tmp_path)
    with pytest.raises(StoreError):
        await opened(tmp_path / "nowhere")
