"""The store: reads, version-checked commits, wrong keys, damage, full disks."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from letterlock.errors import DecodeError, StoreConflict, StoreError, StoreLocked, WrongStoreKey
from letterlock.seam import RecordKind, Staged
from letterlock.store import Store
from letterlock.store.database import SCHEMA_VERSION, connect

OLD_STORES = Path(__file__).parent / "old"
KEY = bytes(range(32))


def _decode_text(data: bytes) -> str:
    if data == b"broken":
        raise DecodeError("not a text")
    return data.decode()


TEXT = RecordKind[str]("text", str.encode, _decode_text)
OTHER = RecordKind[str]("texting", str.encode, _decode_text)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store.db", KEY) as opened:
        yield opened


def test_what_was_committed_is_read_back_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store.open(path, KEY) as store:
        generation = store.generation
        assert store.commit([], {TEXT.key("a"): "1", TEXT.key("b"): "2"}, generation) == generation + 1
        store.commit([], {TEXT.key("a"): None, TEXT.key("b"): "3"}, store.generation)
        assert (store.get(TEXT.key("a")), store.get(TEXT.key("b"))) == (None, "3")
    with Store.open(path, KEY) as store:
        assert (store.get(TEXT.key("a")), store.get(TEXT.key("b"))) == (None, "3")


def test_scan_gives_a_kind_and_prefix_in_text_order(store: Store) -> None:
    store.commit(
        [], {TEXT.key(part): part for part in ("b2", "a", "b1", "c")} | {OTHER.key("b9"): ""}, store.generation
    )
    assert [key.name for key in store.scan(TEXT)] == ["text/a", "text/b1", "text/b2", "text/c"]
    assert [key.name for key in store.scan(TEXT, "b")] == ["text/b1", "text/b2"]
    staged = Staged(store)
    staged.delete(TEXT.key("b1"))
    staged.put(TEXT.key("b3"), "")
    assert [key.name for key in staged.scan(TEXT, "b")] == ["text/b2", "text/b3"]


def test_histories_are_read_in_pages(store: Store) -> None:
    store.commit([], {TEXT.key(f"{n:03d}"): str(n) for n in range(10)}, store.generation)
    assert store.after(TEXT, "006", 2) == [("007", "7"), ("008", "8")]
    assert store.after(TEXT, "", 1) == [("000", "0")]
    assert store.before(TEXT, "", 2) == [("009", "9"), ("008", "8")]
    assert store.before(TEXT, "002", 5) == [("001", "1"), ("000", "0")]
    assert store.after(TEXT, "", 9, prefix="00") == [(f"{n:03d}", str(n)) for n in range(9)]


def test_a_step_whose_read_has_moved_fails_whole(store: Store) -> None:
    """SR-06: two steps that read the same ratchet cannot both be committed."""
    ratchet, other = TEXT.key("ratchet"), TEXT.key("other")
    store.commit([], {ratchet: "0"}, store.generation)
    began = store.generation
    store.commit([ratchet], {ratchet: "1"}, began)
    with pytest.raises(StoreConflict):
        store.commit([ratchet], {other: "lost", ratchet: "1 again"}, began)
    with pytest.raises(StoreConflict):
        store.commit([], {ratchet: "blind"}, began)
    assert (store.get(ratchet), store.get(other)) == ("1", None)
    store.commit([other], {other: "untouched by the other step"}, began)
    assert store.get(other) == "untouched by the other step"


def test_a_deleted_or_new_record_counts_as_moved(store: Store) -> None:
    key = TEXT.key("k")
    began = store.generation
    store.commit([], {key: "new"}, store.generation)
    with pytest.raises(StoreConflict):
        store.commit([key], {}, began)
    began = store.generation
    store.commit([], {key: None}, store.generation)
    with pytest.raises(StoreConflict):
        store.commit([key], {}, began)


def test_a_step_too_old_to_check_is_refused(store: Store) -> None:
    began = store.generation
    for n in range(300):
        store.commit([], {TEXT.key("n"): str(n)}, store.generation)
    with pytest.raises(StoreConflict):
        store.commit([TEXT.key("unrelated")], {}, began)
    with pytest.raises(StoreConflict):
        store.commit([], {}, store.generation + 1)


def test_a_small_cache_changes_no_answer(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db", KEY, cache_bytes=2000) as store:
        for n in range(100):
            store.commit([], {TEXT.key(f"{n:03d}"): "x" * n, TEXT.key("same"): str(n)}, store.generation)
        assert all(store.get(TEXT.key(f"{n:03d}")) == "x" * n for n in range(100))
        assert store.get(TEXT.key("same")) == "99"
        assert len(store._cache) < 20


def test_a_second_open_is_refused_while_the_first_owns_it(tmp_path: Path) -> None:
    """SR-06: one process owns a profile."""
    path = tmp_path / "store.db"
    with Store.open(path, KEY), pytest.raises(StoreLocked):
        Store.open(path, KEY)
    Store.open(path, KEY).close()


def test_an_owner_whose_lock_was_lost_cannot_commit_again(tmp_path: Path) -> None:
    """SR-06: even without the lock (a file system that keeps none) two owners cannot both move a ratchet."""
    path = tmp_path / "store.db"
    first = Store.open(path, KEY)
    os.unlink(tmp_path / "store.db.lock")
    second = Store.open(path, KEY)
    with pytest.raises(StoreConflict):
        first.commit([], {TEXT.key("a"): "1"}, first.generation)
    with pytest.raises(StoreError):
        first.commit([], {TEXT.key("a"): "1"}, first.generation)
    second.commit([], {TEXT.key("a"): "2"}, second.generation)
    first.close()
    assert second.get(TEXT.key("a")) == "2"
    second.close()


def test_a_wrong_key_is_named_and_changes_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "store.db"
    Store.open(path, KEY).close()
    before = path.read_bytes()
    with pytest.raises(WrongStoreKey):
        Store.open(path, bytes(32))
    with pytest.raises(WrongStoreKey):
        Store.open(path, b"short")
    assert path.read_bytes() == before
    assert capfd.readouterr().err == ""
    Store.open(path, KEY).close()


def test_nothing_readable_is_on_the_disk(tmp_path: Path) -> None:
    """SR-11: keys and messages are only in an encrypted file."""
    with Store.open(tmp_path / "store.db", KEY) as store:
        store.commit([], {TEXT.key("a"): "a secret of 22 letters"}, store.generation)
        for file in tmp_path.iterdir():
            assert b"secret of" not in file.read_bytes()
            assert b"SQLite format" not in file.read_bytes()
            assert b"text/a" not in file.read_bytes()
            assert file.stat().st_mode & 0o077 == 0, file


def test_deleted_values_are_overwritten(store: Store) -> None:
    """SR-10: a consumed key does not stay in free space for whoever learns the passphrase later."""
    assert store._writer.execute("PRAGMA secure_delete").fetchone()[0] == 1
    assert store._writer.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert store._writer.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_a_damaged_page_is_a_store_error(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store.open(path, KEY) as store:
        store.commit([], {TEXT.key(f"{n:03d}"): "x" * 2000 for n in range(40)}, store.generation)
    data = bytearray(path.read_bytes())
    for page in range(4, len(data) // 4096):
        data[page * 4096 + 100] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError) as caught, Store.open(path, KEY) as store:
        for n in range(40):
            store.get(TEXT.key(f"{n:03d}"))
    assert caught.value.code == "store.corrupt"


def test_a_damaged_first_page_is_a_store_error(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    Store.open(path, KEY).close()
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    with pytest.raises(WrongStoreKey):
        Store.open(path, KEY)


def test_a_full_disk_fails_the_commit_and_nothing_else(store: Store) -> None:
    store.commit([], {TEXT.key("a"): "before"}, store.generation)
    pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
    store._writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError) as caught:
        store.commit([], {TEXT.key("a"): "after", TEXT.key("big"): "x" * 100_000}, store.generation)
    assert caught.value.code == "store.full"
    assert (store.get(TEXT.key("a")), store.get(TEXT.key("big"))) == ("before", None)
    store._writer.execute("PRAGMA max_page_count = 1000000")
    store.commit([], {TEXT.key("a"): "after"}, store.generation)
    assert store.get(TEXT.key("a")) == "after"


def test_a_record_that_cannot_be_decoded_is_a_store_error(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store.open(path, KEY) as store:
        store.commit([], {TEXT.key("a"): "broken"}, store.generation)
    with Store.open(path, KEY) as store, pytest.raises(StoreError) as caught:
        store.get(TEXT.key("a"))
    assert caught.value.code == "store.record"


def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    Store.open(path, KEY).close()
    connection = connect(path, KEY)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(StoreError) as caught:
        Store.open(path, KEY)
    assert caught.value.code == "store.newer"


def test_closing_under_a_reader_in_another_thread_ends_it_cleanly(tmp_path: Path) -> None:
    for n in range(20):
        store = Store.open(tmp_path / f"{n}.db", KEY, cache_bytes=0)
        store.commit([], {TEXT.key(f"{k:03d}"): "x" * 500 for k in range(200)}, store.generation)
        codes: list[str] = []

        def read(store: Store = store, codes: list[str] = codes) -> None:
            try:
                while True:
                    store.after(TEXT, "", 200)
                    store.get(TEXT.key("001"))
            except StoreError as error:
                codes.append(error.code)

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        store.close()
        for reader in readers:
            reader.join(10)
        assert codes == ["client.closed"] * 2


def test_repr_shows_no_content(store: Store) -> None:
    """SR-10."""
    store.commit([], {TEXT.key("a"): "hidden"}, store.generation)
    prepared = store.prepare((), {TEXT.key("b"): "hidden too"}, store.generation)
    for value in (store, prepared, store._cache, store._witness, store._lock):
        assert "hidden" not in repr(value)
        assert KEY.hex() not in repr(value)


@pytest.mark.parametrize("version", sorted(path.name for path in OLD_STORES.iterdir()))
def test_stores_of_every_released_format_open(tmp_path: Path, version: str) -> None:
    for file in (OLD_STORES / version).iterdir():
        shutil.copy(file, tmp_path / file.name)
    with Store.open(tmp_path / "store.db", KEY) as store:
        assert store.get(TEXT.key("a")) == "written by format 1"
        store.commit([TEXT.key("a")], {TEXT.key("a"): "and now"}, store.generation)
