"""The index of text inside the store: one transaction with the records, and nothing left of what went."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from letterlock.codec.search_terms import expression
from letterlock.errors import StoreError
from letterlock.seam import SEARCH, RecordKind
from letterlock.store import Store
from letterlock.store.database import connect

KEY = bytes(range(32))
TEXT = RecordKind[str]("text", str.encode, bytes.decode)


def found(store: Store, question: str, prefix: str = "", limit: int = 50) -> list[str]:
    return [each.key for each in store.search(expression(question), prefix, limit)]


def put(store: Store, **texts: str | None) -> None:
    store.commit((), {SEARCH.key("chat", name): text for name, text in texts.items()}, store.generation)


def test_newest_first_within_a_chat_and_page_by_page(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db", KEY) as store:
        put(store, a="red fish", b="blue fish", c="red bird")
        store.commit((), {SEARCH.key("other", "d"): "red fish"}, store.generation)
        assert found(store, "red") == ["other/d", "chat/c", "chat/a"]
        assert found(store, "re fi", "chat/") == ["chat/a"]
        (first,) = store.search(expression("red"), "", 1)
        assert [each.key for each in store.search(expression("red"), "", 5, first.number)] == ["chat/c", "chat/a"]


def test_a_text_that_was_changed_or_went_is_found_no_more(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db", KEY) as store:
        put(store, a="herring", b="mackerel")
        put(store, a="salmon", b=None)
        assert [found(store, word) for word in ("herring", "mackerel", "salmon")] == [[], [], ["chat/a"]]
        put(store, a="😀")
        put(store, a="...")
        assert found(store, "😀") == []


def test_sr10_nothing_of_a_deleted_text_stays_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store.open(path, KEY) as store:
        put(store, **{f"m{n}": f"filler{n} common" for n in range(300)}, secret="xylophone zeppelin")
        put(store, edited="quagmire")
        put(store, secret=None, edited="harmless")
    connection = connect(path, KEY)
    connection.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, search, 'row')")
    words = {row[0] for row in connection.execute("SELECT term FROM temp.vocabulary")}
    assert "common" in words
    assert not words & {"xylophone", "zeppelin", "quagmire"}
    for table in ("search_data", "search_idx", "search_config", "searchable"):
        for row in connection.execute(f"SELECT * FROM {table}"):
            data = b" ".join(part if isinstance(part, bytes) else str(part).encode() for part in row)
            assert b"xyloph" not in data
            assert b"zeppel" not in data
            assert b"quagmi" not in data
    assert connection.execute("PRAGMA secure_delete").fetchone()[0] == 1
    assert connection.execute("SELECT v FROM search_config WHERE k = 'secure-delete'").fetchone()[0] == 1
    connection.close()


def test_sr06_a_commit_that_fails_leaves_the_index_as_it_was(tmp_path: Path) -> None:
    class Torn(Exception):
        pass

    def tear(name: str) -> None:
        if name == "store.indexed" and torn:
            raise Torn

    torn: list[bool] = []
    with Store.open(tmp_path / "store.db", KEY, checkpoint=tear) as store:
        put(store, a="before")
        torn.append(True)
        with pytest.raises(Torn):
            store.commit((), {SEARCH.key("chat", "a"): "after", TEXT.key("a"): "after"}, store.generation)
        torn.clear()
        assert (found(store, "before"), found(store, "after")) == (["chat/a"], [])
        assert store.get(TEXT.key("a")) is None


def test_the_index_is_no_record(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db", KEY) as store:
        put(store, a="text")
        assert store.get(SEARCH.key("chat", "a")) is None
        assert not store.scan(SEARCH)


def test_a_closed_store_is_not_searched(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store.db", KEY)
    store.close()
    with pytest.raises(StoreError) as caught:
        found(store, "x")
    assert caught.value.code == "client.closed"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.one_of(st.none(), st.lists(st.sampled_from(("red", "Réd", "redder", "blue", "東京", "東")), max_size=3)),
        ),
        max_size=20,
    )
)
def test_the_index_is_what_a_look_at_all_texts_would_give(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, list[str] | None]]
) -> None:
    naive: dict[str, str] = {}
    with Store.open(tmp_path_factory.mktemp("s") / "store.db", KEY) as store:
        for name, words in changes:
            text = None if words is None else " ".join(words)
            put(store, **{name: text})
            naive[name] = text or ""
        tests: dict[str, Callable[[str], bool]] = {
            "red": lambda text: any(word.lower().replace("é", "e").startswith("red") for word in text.split()),
            "blu": lambda text: "blue" in text,
            "東": lambda text: "東" in text,
            "東京": lambda text: "東京" in text,
        }
        store._writer.execute("INSERT INTO search (search, rank) VALUES ('integrity-check', 1)")
        for question, test in tests.items():
            assert set(found(store, question)) == {f"chat/{name}" for name, text in naive.items() if test(text)}


_WRITER = """
import sys
from pathlib import Path
from letterlock.seam import SEARCH, RecordKind
from letterlock.store import Store
TEXT = RecordKind[str]("text", str.encode, bytes.decode)
store = Store.open(Path(sys.argv[1]), bytes(range(32)))
n = int(store.get(TEXT.key("a")) or 0)
while True:
    n += 1
    writes = {TEXT.key("a"): str(n), SEARCH.key("chat", "last"): f"number{n}x", SEARCH.key("chat", f"{n:06d}"): "every"}
    store.commit((), writes, store.generation)
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
"""


@pytest.mark.slow
def test_sr06_killed_writers_have_an_index_of_what_they_wrote(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    for lines in (3, 41, 80):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, path], stdout=subprocess.PIPE, env=environment)
        assert writer.stdout is not None
        try:
            for _ in range(lines):
                writer.stdout.readline()
        finally:
            os.kill(writer.pid, signal.SIGKILL)
            writer.stdout.close()
            writer.wait()
        with Store.open(path, KEY) as store:
            n = int(store.get(TEXT.key("a")) or 0)
            assert n >= lines
            assert found(store, f"number{n}x") == ["chat/last"]
            assert found(store, "number") == ["chat/last"]
            assert len(found(store, "every", limit=10**6)) == n
