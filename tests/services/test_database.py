"""A service's database, whichever it is: the same answers, and nothing lost that was acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from letterlock.errors import StoreError, StoreLocked
from letterlock.services.database import Connection, open_database

SCHEMA = """
CREATE TABLE parents (name TEXT PRIMARY KEY, data BLOB NOT NULL, count INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE children (
    place INTEGER PRIMARY KEY AUTOINCREMENT, parent TEXT NOT NULL REFERENCES parents ON DELETE CASCADE, size INTEGER
);
CREATE INDEX children_parent ON children (parent);
INSERT INTO parents VALUES ('what?', '', 1);
"""


def opened(database: str, **changes: Any) -> Connection:
    settings = {
        "version": 1, "application_id": 0x4C4C5454, "name": "testing", "hint": "it is up already", "exclusive": False
    }  # fmt: skip
    return open_database(database, changes.pop("schema", SCHEMA), **{**settings, **changes})  # type: ignore[arg-type]


def in_batch(connection: Connection, statement: str, *parameters: object) -> list[Any]:
    connection.begin()
    rows = connection.execute(statement, parameters).fetchall()
    connection.commit()
    return rows


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    made = opened(database)
    yield made
    made.close()


def test_rows_and_counts(connection: Connection) -> None:
    connection.begin()
    connection.execute("DELETE FROM parents")
    put = "INSERT INTO parents VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET count = parents.count + excluded.count"
    assert connection.execute(put, ("ä", b"\x00\xff", True)).rowcount == 1
    assert connection.execute(put, ("ä", b"", 2**62)).rowcount == 1
    assert connection.execute("SELECT * FROM parents WHERE name = ?1 OR name = ?1", ("ä",)).fetchall() == [
        ("ä", b"\x00\xff", 2**62 + 1)
    ]
    none = connection.execute("INSERT INTO parents VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING", ("ä", b"", 0))
    assert none.rowcount == 0
    assert connection.execute("SELECT name, '? is no place ?', NULL FROM parents LIMIT ?", (5,)).fetchone() == (
        "ä",
        "? is no place ?",
        None,
    )
    connection.commit()


def test_numbers_are_given_once(connection: Connection) -> None:
    assert connection.last_identity("children", "place") == 0
    connection.begin()
    add = "INSERT INTO children (parent, size) VALUES (?, ?) RETURNING place"
    places = [connection.execute(add, ("what?", size)).fetchone()[0] for size in range(3)]
    connection.execute("DELETE FROM children WHERE place = ?", (places[-1],))
    connection.commit()
    assert places == sorted(set(places))
    assert connection.last_identity("children", "place") == places[-1]
    assert in_batch(connection, add, "what?", 1)[0][0] > places[-1]


def test_many_rows_and_sums(connection: Connection) -> None:
    connection.begin()
    connection.executemany("INSERT INTO children (parent, size) VALUES (?, ?)", [("what?", n) for n in range(1000)])
    connection.executemany("INSERT INTO children (parent, size) VALUES (?, ?)", [])
    rows = connection.execute("SELECT CAST(SUM(size) AS BIGINT), COUNT(*) FILTER (WHERE size < ?) FROM children", (10,))
    assert rows.fetchone() == (499_500, 10) and rows.fetchone() is None
    connection.commit()


def test_what_belongs_to_a_row_goes_with_it(connection: Connection) -> None:
    in_batch(connection, "INSERT INTO children (parent, size) VALUES (?, ?)", "what?", 1)
    in_batch(connection, "DELETE FROM parents WHERE name = ?", "what?")
    assert in_batch(connection, "SELECT * FROM children") == []


def test_texts_stand_in_the_order_of_their_bytes(connection: Connection) -> None:
    texts = ["a", "B", "_", "é", "Z", "+1", "z"]
    connection.begin()
    connection.execute("DELETE FROM parents")
    connection.executemany("INSERT INTO parents VALUES (?, ?, 0)", [(text, b"") for text in texts])
    rows = connection.execute("SELECT name FROM parents ORDER BY name").fetchall()
    connection.commit()
    assert [text for (text,) in rows] == sorted(texts, key=str.encode)


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        ("SELECT nothing FROM nowhere", ()),
        ("INSERT INTO parents VALUES (?, ?, ?)", ("what?", b"", 1)),
        ("INSERT INTO children (parent) VALUES (?)", ("nobody",)),
        ("INSERT INTO parents VALUES (?, ?, ?)", ("x", None, 1)),
    ],
)
def test_a_statement_that_fails_says_no_more_than_that(
    connection: Connection, statement: str, parameters: tuple[object, ...]
) -> None:
    connection.begin()
    connection.execute("SAVEPOINT step")
    with pytest.raises(StoreError) as raised:
        connection.execute(statement, parameters)
        connection.commit()  # SQLite: a foreign key may wait for it
    assert "nobody" not in str(raised.value) and "what?" not in str(raised.value)
    connection.execute("ROLLBACK TO step")
    assert connection.execute("SELECT COUNT(*) FROM children").fetchone() == (0,)
    connection.rollback()


@pytest.mark.parametrize("value", ["\ud800", 2**63, object()])
def test_a_value_that_it_cannot_keep_fails_its_step_only(connection: Connection, value: object) -> None:
    connection.begin()
    connection.execute("UPDATE parents SET count = 5")
    connection.execute("SAVEPOINT step")
    with pytest.raises(StoreError):
        if isinstance(value, str):
            connection.execute("INSERT INTO parents VALUES (?, ?, 1)", (value, b""))
        else:
            connection.executemany("INSERT INTO parents VALUES ('x', ?1, ?2)", [(b"", value)])
    connection.execute("ROLLBACK TO step")
    connection.commit()
    assert in_batch(connection, "SELECT name, count FROM parents") == [("what?", 5)]


def test_a_rollback_undoes_a_batch(connection: Connection) -> None:
    connection.begin()
    connection.execute("DELETE FROM parents")
    connection.rollback()
    assert in_batch(connection, "SELECT COUNT(*) FROM parents") == [(1,)]


def test_it_is_there_when_opened_again(database: str) -> None:
    first = opened(database)
    in_batch(first, "UPDATE parents SET count = ?", 7)
    first.close()
    second = opened(database)
    assert in_batch(second, "SELECT count FROM parents") == [(7,)]
    second.close()


def test_a_newer_schema_is_refused(database: str) -> None:
    opened(database, version=3, schema=SCHEMA).close()
    with pytest.raises(StoreError) as raised:
        opened(database, version=2)
    assert raised.value.code == "store.schema" and raised.value.hint


def test_an_older_schema_is_led_to_ours(database: str) -> None:
    opened(database).close()
    upgrades = {
        1: "ALTER TABLE parents ADD COLUMN late TEXT;\nUPDATE parents SET late = 'one';\n",
        2: "\nCREATE TABLE more (id INTEGER PRIMARY KEY, data BLOB);\n",
    }
    for _ in range(2):
        again = opened(database, version=3, upgrades=upgrades)
        assert in_batch(again, "SELECT late FROM parents") == [("one",)]
        assert in_batch(again, "INSERT INTO more (data) VALUES (?) RETURNING data", b"x") == [(b"x",)]
        again.close()


def test_an_exclusive_service_runs_once(database: str) -> None:
    first = opened(database, exclusive=True)
    with pytest.raises(StoreLocked) as raised:
        opened(database, exclusive=True)
    assert raised.value.hint == "it is up already"
    first.close()
    opened(database, exclusive=True).close()
