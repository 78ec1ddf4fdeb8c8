"""The cache of sealed files: whole blobs by their digest, a budget, and what does not give way (client/files/cache.py)."""

from __future__ import annotations

import hashlib
import os
import random
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.client.files.cache import FileCache
from letterlock.errors import ContentError


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000_000

    def __call__(self) -> int:
        self.now += 1
        return self.now


def cache(folder: Path, budget: int = 100) -> FileCache:
    made = FileCache(folder / "files", budget, Clock())
    made.prepare()
    return made


def blob(folder: Path, size: int, seed: int) -> tuple[bytes, Path]:
    path = folder / f"blob-{seed}"
    path.write_bytes(random.Random(seed).randbytes(size))
    return hashlib.sha256(path.read_bytes()).digest(), path


def put(kept: FileCache, folder: Path, size: int, seed: int) -> bytes:
    digest, path = blob(folder, size, seed)
    assert kept.adopt(digest, path) and not path.exists()
    return digest


def test_what_was_used_longest_ago_gives_way(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    a, b, c = (put(kept, tmp_path, 30, seed) for seed in (1, 2, 3))
    assert kept.find(a) is not None
    d = put(kept, tmp_path, 40, 4)
    assert kept.find(b) is None and kept.find(c) is not None and kept.find(a) is not None
    assert kept.used == 100 and [each.digest for each in kept.contents()] == [d, c, a]
    assert stat.S_IMODE(os.stat(tmp_path / "files").st_mode) == 0o700
    # The order outlives the program.
    again = cache(tmp_path)
    assert [each.digest for each in again.contents()] == [d, c, a]
    assert again.prune(75) == 40 and again.find(d) is None and again.used == 60


def test_what_is_in_use_does_not_give_way(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    a, b = (put(kept, tmp_path, 50, seed) for seed in (1, 2))
    kept.hold(a)
    kept.hold(a)
    c = put(kept, tmp_path, 50, 3)
    assert kept.find(a) is not None and kept.find(b) is None
    # Nothing is deleted for what would not fit all the same.
    digest, path = blob(tmp_path, 60, 4)
    assert not kept.adopt(digest, path) and path.exists() and kept.find(c) is not None
    assert kept.prune(0) == 50 and kept.find(a) is not None
    kept.release(a)
    assert kept.prune(0) == 0
    kept.release(a)
    assert kept.prune(0) == 50 and kept.contents() == []


def test_more_than_the_budget_is_not_taken(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    a = put(kept, tmp_path, 100, 1)
    digest, path = blob(tmp_path, 101, 2)
    assert not kept.adopt(digest, path)
    assert kept.find(a) is not None and path.exists()


def test_sr06_what_a_killed_program_left_unfinished_does_not_count(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    a = put(kept, tmp_path, 10, 1)
    digest, path = blob(tmp_path, 20, 2)
    kept.hold(digest)
    assert kept.grow(digest, 20) and kept.used == 30
    kept.part(digest).write_bytes(path.read_bytes())
    (tmp_path / "files" / "stranger").write_bytes(b"x")
    again = cache(tmp_path)
    assert again.find(digest) is None and again.find(a) is not None and again.used == 10
    assert [path.name for path in (tmp_path / "files").iterdir()] == [f"{a.hex()}.sealed"]


def test_a_part_becomes_a_blob_when_its_digest_holds(tmp_path: Path) -> None:
    """SR-15: and is deleted when it does not."""
    kept = cache(tmp_path)
    digest, path = blob(tmp_path, 20, 2)
    for data in (path.read_bytes()[:-1] + b"?", path.read_bytes()):
        kept.hold(digest)
        kept.grow(digest, 20)
        kept.part(digest).write_bytes(data)
        if data == path.read_bytes():
            kept.complete(digest)
        else:
            with pytest.raises(ContentError):
                kept.complete(digest)
            assert list((tmp_path / "files").iterdir()) == [] and kept.used == 0
        kept.release(digest)
    found = kept.find(digest)
    assert found is not None and found.read_bytes() == path.read_bytes() and kept.used == 20
    kept.drop(digest)
    assert kept.find(digest) is None and list((tmp_path / "files").iterdir()) == []


def test_what_somebody_else_deleted_is_not_here(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    a = put(kept, tmp_path, 10, 1)
    (found,) = (tmp_path / "files").iterdir()
    found.unlink()
    assert kept.find(a) is None and kept.used == 0


@given(st.lists(st.tuples(st.sampled_from(["put", "find", "hold", "release", "prune", "grow"]), st.integers(0, 9))))
def test_never_over_the_budget_and_always_as_on_the_disk(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    kept = cache(folder)
    held: list[bytes] = []
    for what, number in steps:
        digest, path = blob(folder, 10 + 7 * number, number)
        if what == "put":
            kept.adopt(digest, path)
        elif what == "find":
            found = kept.find(digest)
            assert found is None or hashlib.sha256(found.read_bytes()).digest() == digest
        elif what == "hold":
            kept.hold(digest)
            held.append(digest)
        elif what == "release" and digest in held:
            kept.release(digest)
            held.remove(digest)
        elif what == "grow" and digest in held and not kept.has(digest) and kept.grow(digest, 10):
            kept.part(digest).write_bytes(bytes(10))
        elif what == "prune":
            before = {each.digest for each in kept.contents() if each.digest in held}
            kept.prune(number * 10)
            assert before <= {each.digest for each in kept.contents()}
        on_disk = sum(each.stat().st_size for each in (folder / "files").iterdir())
        assert kept.used == on_disk <= kept.budget
