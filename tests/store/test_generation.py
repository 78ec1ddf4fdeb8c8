"""SR-06: an old copy of the store is recognised before it encrypts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from letterlock.errors import StoreRolledBack
from letterlock.seam import RecordKind
from letterlock.store import OLD_COPY, Store
from letterlock.store.witness import Witness

KEY = bytes(range(32))
TEXT = RecordKind[str]("text", str.encode, bytes.decode)


def _use(folder: Path, elsewhere: Path | None = None, commits: int = 3) -> None:
    with Store.open(folder / "store.db", KEY, witness_folder=elsewhere) as store:
        for n in range(commits):
            store.commit([], {TEXT.key("ratchet"): str(n)}, store.generation)


def _copy_database(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for suffix in ("", "-wal", "-shm"):
        (target / f"store.db{suffix}").unlink(missing_ok=True)
        if (source / f"store.db{suffix}").exists():
            shutil.copy(source / f"store.db{suffix}", target / f"store.db{suffix}")


def test_an_old_database_put_back_is_refused(tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    profile.mkdir()
    _use(profile)
    _copy_database(profile, tmp_path / "backup")
    _use(profile)
    _copy_database(tmp_path / "backup", profile)
    with pytest.raises(StoreRolledBack):
        _use(profile)


def test_a_copy_taken_between_two_commits_of_a_running_owner_is_refused(tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    profile.mkdir()
    store = Store.open(profile / "store.db", KEY)
    store.commit([], {TEXT.key("ratchet"): "1"}, store.generation)
    _copy_database(profile, tmp_path / "backup")
    store.commit([], {TEXT.key("ratchet"): "2"}, store.generation)
    # The owner dies here without closing: its file descriptors go, nothing is folded in.
    os.close(store._lock._fd or -1)
    _copy_database(tmp_path / "backup", profile)
    with pytest.raises(StoreRolledBack):
        Store.open(profile / "store.db", KEY)
    store._lock._fd = None


def test_a_whole_profile_put_back_is_refused_by_the_second_place(tmp_path: Path) -> None:
    profile, elsewhere = tmp_path / "profile", tmp_path / "state"
    profile.mkdir()
    _use(profile, elsewhere)
    shutil.copytree(profile, tmp_path / "backup")
    _use(profile, elsewhere)
    shutil.rmtree(profile)
    shutil.copytree(tmp_path / "backup", profile)
    with pytest.raises(StoreRolledBack):
        _use(profile, elsewhere)


def test_a_profile_moved_whole_to_another_machine_opens(tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    profile.mkdir()
    _use(profile, tmp_path / "state")
    shutil.move(profile, tmp_path / "moved")
    _use(tmp_path / "moved", tmp_path / "state of the other machine")


def test_what_no_local_file_can_catch_is_documented_here(tmp_path: Path) -> None:
    """Everything put back from one moment opens: the limit that witness.py states."""
    shutil.copytree(tmp_path, tmp_path / "disk")
    disk = tmp_path / "disk"
    _use(disk, disk / "state")
    shutil.copytree(disk, tmp_path / "snapshot")
    _use(disk, disk / "state")
    shutil.rmtree(disk)
    shutil.copytree(tmp_path / "snapshot", disk)
    _use(disk, disk / "state")


def test_a_store_without_its_number_is_refused(tmp_path: Path) -> None:
    _use(tmp_path)
    (tmp_path / "store.db.generation").unlink()
    with pytest.raises(StoreRolledBack) as caught:
        _use(tmp_path)
    assert caught.value.code == "store.unwitnessed"


@pytest.mark.parametrize("change", ["flip", "truncate", "lower", "other store"])
def test_a_forged_number_is_no_number(tmp_path: Path, change: str) -> None:
    _use(tmp_path)
    path = tmp_path / "store.db.generation"
    data = bytearray(path.read_bytes())
    match change:
        case "flip":
            data[40] ^= 1
        case "truncate":
            del data[-1]
        case "lower":
            data[24:32] = (1).to_bytes(8, "big")
        case _:
            other = Witness(bytes(16), KEY, [tmp_path / "other"])
            other.record(10**6)
            other.close()
            data[:] = (tmp_path / "other").read_bytes()
    path.write_bytes(data)
    with pytest.raises(StoreRolledBack) as caught:
        _use(tmp_path)
    assert caught.value.code == "store.unwitnessed"


def test_a_second_place_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    _use(tmp_path, tmp_path / "file" / "state")
    _use(tmp_path, tmp_path / "file" / "state")


def test_the_number_is_outside_before_a_commit_returns(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db", KEY) as store:
        for _ in range(5):
            store.commit([], {}, store.generation)
            assert store._witness.seen() == store.generation


def test_an_old_copy_that_the_user_takes_into_use_stays_marked_until_its_sessions_are_retired(tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    profile.mkdir()
    _use(profile)
    _copy_database(profile, tmp_path / "backup")
    _use(profile)
    _copy_database(tmp_path / "backup", profile)
    for _ in range(2):  # also when the process dies between the opening and the retiring
        with Store.open(profile / "store.db", KEY, use_old_copy=True) as store:
            assert store.get(OLD_COPY) is True
    with Store.open(profile / "store.db", KEY) as store:
        assert store.get(OLD_COPY) is True
        store.commit([], {OLD_COPY: None}, store.generation)
        assert store._witness.seen() == store.generation
    with Store.open(profile / "store.db", KEY) as store:
        assert store.get(OLD_COPY) is None
