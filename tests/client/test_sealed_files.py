"""Sealed files from disk to disk: whole, in ranges, interrupted, changed on the way, and what must not be left behind."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from files.world import CRYPTO, Parts, content, seeded
from letterlock.client.files.sealed import SealedReader, open_file, reading, seal_file
from letterlock.errors import InputError, InvalidFile, LetterlockError
from letterlock.files import CHUNK, HEADER, Seal, seal_bytes
from letterlock.files.layout import TAG

MIB = 1 << 20
SIZES = [0, 1, CHUNK, 16 * CHUNK - 1, 16 * CHUNK, 16 * CHUNK + 1, 2 * MIB + 12_345]


def sealed_in(folder: Path, size: int, seed: str = "files") -> tuple[Seal, Path, Path]:
    """(seal, sealed file, where to open it)."""
    plain = folder / "plain"
    plain.write_bytes(content(size))
    sealed = folder / "sealed"
    return seal_file(plain, sealed, crypto=CRYPTO, rng=seeded(seed)), sealed, folder / "opened"


def opened(sealed: Path, target: Path, seal: Seal, **more: object) -> str:
    return open_file(sealed, target, seal, part=target.with_name(".part"), crypto=CRYPTO, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", SIZES)
def test_what_was_sealed_opens(size: int, tmp_path: Path) -> None:
    seal, sealed, target = sealed_in(tmp_path, size)
    assert opened(sealed, target, seal) == str(target)
    assert target.read_bytes() == content(size)
    assert seal.sha256 == hashlib.sha256(sealed.read_bytes()).digest()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["opened", "plain", "sealed"]
    for path in (sealed, target):
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("size", SIZES)
def test_from_disk_or_from_memory_it_is_the_same(size: int, tmp_path: Path) -> None:
    seal, sealed, _ = sealed_in(tmp_path, size)
    assert (seal, sealed.read_bytes()) == seal_bytes(content(size), crypto=CRYPTO, rng=seeded())


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    for act in ("seal", "open"):
        said: list[tuple[int, int]] = []
        seal, sealed, target = sealed_in(tmp_path, 3 * MIB + 5)
        if act == "seal":
            seal_file(
                tmp_path / "plain",
                sealed,
                crypto=CRYPTO,
                rng=seeded(),
                on_progress=lambda *now: said.append(now),  # noqa: B023
            )
        else:
            opened(sealed, target, seal, on_progress=lambda *now: said.append(now))  # noqa: B023
        assert [done for done, _ in said] == sorted(done for done, _ in said)
        assert len(said) >= 3
        assert said[-1] == (3 * MIB + 5, 3 * MIB + 5)


# --- what was changed ------------------------------------------------------------------------------------------------
THREE = 2 * CHUNK + 1000


def places(size: int) -> list[int]:
    """The header's parts, and each end of each chunk and tag."""
    layout = Parts(size).seal.layout
    marks = {0, 7, 8, 12, HEADER - 1}
    for index in range(layout.chunks):
        start, end = layout.sealed_at(index), layout.sealed_at(index + 1)
        marks |= {start, end - TAG - 1, end - TAG, end - 1}
    return sorted(marks)


def changed(how: str, data: bytes, place: int) -> bytes:
    if how == "flip":
        return data[:place] + bytes((data[place] ^ 0x40,)) + data[place + 1 :]
    return data[:place] if how == "cut" else data + bytes(place)


@pytest.mark.parametrize(
    ("how", "place"),
    [
        *(("flip", place) for place in places(THREE)),
        *(("cut", place) for place in places(THREE)),
        *(("extend", count) for count in (1, TAG, CHUNK + TAG)),
    ],
)
def test_sr15_what_was_changed_never_gets_its_name(how: str, place: int, tmp_path: Path) -> None:
    """SR-15: at every boundary; and nothing else is left either."""
    seal, sealed, target = sealed_in(tmp_path, THREE)
    sealed.write_bytes(changed(how, sealed.read_bytes(), place))
    with pytest.raises(InvalidFile):
        opened(sealed, target, seal)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain", "sealed"]


def test_sr15_swapped_chunks_within_and_between_files(tmp_path: Path) -> None:
    """SR-15."""
    seal, sealed, target = sealed_in(tmp_path, 3 * CHUNK)
    parts, other = Parts(3 * CHUNK), Parts(3 * CHUNK, "another")
    assert parts.whole == sealed.read_bytes()
    first, second, third = parts.chunks
    for wrong in (
        [second, first, third],
        [first, third, second],
        [first, first, third],
        [other.chunks[0], second, third],
    ):
        sealed.write_bytes(parts.header + b"".join(wrong))
        with pytest.raises(InvalidFile):
            opened(sealed, target, seal)
    sealed.write_bytes(other.whole)
    with pytest.raises(InvalidFile):
        opened(sealed, target, seal)
    assert not target.exists()


@pytest.mark.parametrize("lie", [-1, 1, -THREE, CHUNK, 2**40 - THREE])
def test_sr15_a_lying_size(lie: int, tmp_path: Path) -> None:
    """SR-15: one off, zero, a chunk more, as much as there can be. The last is refused before a byte is read."""
    seal, sealed, target = sealed_in(tmp_path, THREE)
    with pytest.raises(InvalidFile):
        opened(sealed, target, replace(seal, size=THREE + lie))
    assert not target.exists()


def test_a_digest_that_is_not_the_files(tmp_path: Path) -> None:
    """All chunks verify, and yet it is not what the sender announced."""
    seal, sealed, target = sealed_in(tmp_path, THREE)
    with pytest.raises(InvalidFile) as refused:
        opened(sealed, target, replace(seal, sha256=bytes(32)))
    assert refused.value.rule == "LL-FILE-08"
    assert not target.exists()


# --- the disk --------------------------------------------------------------------------------------------------------
def test_sr14_nothing_is_overwritten(tmp_path: Path) -> None:
    """SR-14."""
    seal, sealed, target = sealed_in(tmp_path, 1000)
    target.write_bytes(b"mine")
    assert opened(sealed, target, seal) == str(tmp_path / "opened (2)")
    assert target.read_bytes() == b"mine"
    assert (tmp_path / "opened (2)").read_bytes() == content(1000)


def test_the_same_file_is_not_written_twice(tmp_path: Path) -> None:
    """As after a program that ended when the file had got its name and nobody knew of it yet."""
    seal, sealed, target = sealed_in(tmp_path, MIB + 5)
    opened(sealed, target, seal)
    assert opened(sealed, target, seal) == str(target)
    assert not (tmp_path / "opened (2)").exists()
    # The sealed file is verified all the same, whatever lies there.
    data = sealed.read_bytes()
    sealed.write_bytes(changed("flip", data, len(data) - 1))
    with pytest.raises(InvalidFile):
        opened(sealed, target, seal)
    assert target.read_bytes() == content(MIB + 5)


def test_sr06_what_a_kill_left_is_cleared(tmp_path: Path) -> None:
    """SR-06: parts of either kind; the sealed file of before is whole until the new one is."""
    seal, sealed, target = sealed_in(tmp_path, 1000)
    (tmp_path / ".part").write_bytes(b"unfinished")
    (tmp_path / "sealed.part").write_bytes(b"unfinished")
    assert opened(sealed, target, seal) == str(target)
    assert target.read_bytes() == content(1000)
    again = seal_file(tmp_path / "plain", sealed, crypto=CRYPTO, rng=seeded("again"))
    assert not again.key.matches(seal.key)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["opened", "plain", "sealed"]


def test_sr14_no_link_is_followed(tmp_path: Path) -> None:
    """SR-14: neither to where something is written nor in the place of a sealed file."""
    seal, sealed, target = sealed_in(tmp_path, 1000)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"mine")
    for name in (".part", "sealed.part"):
        (tmp_path / name).symlink_to(elsewhere)
    (tmp_path / "target").symlink_to(elsewhere)
    assert opened(sealed, tmp_path / "target", seal) == str(tmp_path / "target (2)")
    seal_file(tmp_path / "plain", sealed, crypto=CRYPTO, rng=seeded())
    assert elsewhere.read_bytes() == b"mine"
    (tmp_path / "link").symlink_to(sealed)
    with pytest.raises(InputError):
        opened(tmp_path / "link", target, seal)


@pytest.mark.parametrize("what", ["nothing", "a folder", "a pipe"])
def test_what_is_no_file(what: str, tmp_path: Path) -> None:
    """A pipe without a writer would keep us for ever."""
    seal, sealed, target = sealed_in(tmp_path, 10)
    odd = tmp_path / "odd"
    if what == "a folder":
        odd.mkdir()
    elif what == "a pipe":
        os.mkfifo(odd)
    acts: tuple[Callable[[], object], ...] = (
        lambda: seal_file(odd, tmp_path / "new", crypto=CRYPTO, rng=seeded()),
        lambda: opened(odd, target, seal),
    )
    for act in acts:
        with pytest.raises(InputError) as refused:
            act()
        assert refused.value.code == "transfer.file"
    with pytest.raises(InputError):
        seal_file(tmp_path / "plain", tmp_path / "no" / "folder", crypto=CRYPTO, rng=seeded())
    with pytest.raises(InputError):
        opened(sealed, tmp_path / "no" / "folder", seal)
    assert not target.exists() and not (tmp_path / "new").exists()


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def cut(path: Path) -> None:
    os.truncate(path, MIB)


def rewritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"other")
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize("how", [grown, cut, rewritten])
def test_sr06_a_file_that_changes_while_it_is_read(how: Callable[[Path], None], tmp_path: Path) -> None:
    """SR-06: what was sealed of it is thrown away, key and all."""
    plain, sealed = tmp_path / "plain", tmp_path / "sealed"
    plain.write_bytes(content(3 * MIB))
    with pytest.raises(InputError) as refused:
        seal_file(plain, sealed, crypto=CRYPTO, rng=seeded(), on_progress=lambda done, size: how(plain))
    assert refused.value.code == "transfer.changed"
    assert [path.name for path in tmp_path.iterdir()] == ["plain"]


def test_it_can_be_stopped(tmp_path: Path) -> None:
    seal, sealed, target = sealed_in(tmp_path, 3 * MIB)
    before = sealed.read_bytes()
    stop = threading.Event()
    said: list[int] = []

    def on_progress(done: int, size: int) -> None:
        said.append(done)
        stop.set()

    for act in (
        lambda: seal_file(
            tmp_path / "plain", sealed, crypto=CRYPTO, rng=seeded(), on_progress=on_progress, cancelled=stop.is_set
        ),
        lambda: opened(sealed, target, seal, on_progress=on_progress, cancelled=stop.is_set),
    ):
        stop.clear()
        said.clear()
        with pytest.raises(InputError) as stopped:
            act()
        assert (stopped.value.code, said) == ("transfer.cancelled", [MIB])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain", "sealed"]
    assert sealed.read_bytes() == before, "the one before is still there"


_CHILD = """
import os, resource, sys
from pathlib import Path
from files.world import CRYPTO, seeded
from letterlock.client.files.sealed import open_file, seal_file
from letterlock.errors import LetterlockError

what, how, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
seal = seal_file(folder / "plain", folder / "sealed", crypto=CRYPTO, rng=seeded())

def on_progress(done, size):
    if how == "kill":
        os.kill(os.getpid(), 9)

if how == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    if what == "seal":
        seal_file(folder / "plain", folder / "sealed", crypto=CRYPTO, rng=seeded("again"), on_progress=on_progress)
    else:
        open_file(
            folder / "sealed", folder / "opened", seal, part=folder / ".part", crypto=CRYPTO, on_progress=on_progress
        )
except LetterlockError as error:
    print(error.code)
"""


def in_a_child(what: str, how: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(str(Path(__file__).parents[2] / name) for name in ("src", "tests"))
    return subprocess.run(
        [sys.executable, "-c", _CHILD, what, how, str(folder)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("what", ["seal", "open"])
def test_sr06_killed_in_the_middle(what: str, tmp_path: Path) -> None:
    """SR-06, SR-15: no name is given to what is unfinished, and the next call finds its way."""
    (tmp_path / "plain").write_bytes(content(3 * MIB))
    expected, _ = seal_bytes(content(3 * MIB), crypto=CRYPTO, rng=seeded())
    assert in_a_child(what, "kill", tmp_path).returncode == -9
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"plain", "sealed", "sealed.part" if what == "seal" else ".part"}
    target = tmp_path / "opened"
    assert opened(tmp_path / "sealed", target, expected) == str(target)
    assert target.read_bytes() == content(3 * MIB)


@pytest.mark.parametrize("what", ["seal", "open"])
def test_a_full_disk(what: str, tmp_path: Path) -> None:
    """As the limit of a file's size makes it."""
    (tmp_path / "plain").write_bytes(content(3 * MIB))
    done = in_a_child(what, "full", tmp_path)
    assert (done.returncode, done.stdout) == (0, "transfer.disk\n"), done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain", "sealed"]


# --- ranges ------------------------------------------------------------------------------------------------------------
class Fetched:
    """A sealed file elsewhere: `asked` is what was fetched of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked: list[tuple[int, int]] = []

    def __call__(self, at: int, count: int) -> bytes:
        self.asked.append((at, count))
        return self.data[at : at + count]


RANGES = Parts(20 * CHUNK + 77)
PLAIN = content(20 * CHUNK + 77)
DATA = RANGES.whole


@settings(deadline=None)
@given(st.data())
def test_any_range_is_what_stands_there(data: st.DataObject) -> None:
    size = len(PLAIN)
    near = st.integers(0, 20).flatmap(lambda i: st.integers(max(0, i * CHUNK - 2), i * CHUNK + 2))
    start = data.draw(st.integers(0, size + 10) | near)
    length = data.draw(st.integers(0, size + 10) | near)
    blob = Fetched(DATA)
    reader = SealedReader(blob, RANGES.seal, crypto=CRYPTO)
    assert reader.read(start, length) == PLAIN[start : start + length]
    stop = min(start + length, size)
    if start < stop:
        first, behind = RANGES.seal.layout.sealed_range(start, stop)
        assert sum(count for at, count in blob.asked if (at, count) != (0, HEADER)) == behind - first
        assert all(first <= at and at + count <= behind for at, count in blob.asked if (at, count) != (0, HEADER))
    else:
        assert blob.asked == []


def test_a_range_comes_in_pieces_that_were_verified() -> None:
    """SR-15: what is right comes; the first wrong chunk ends it, and what is behind is not even fetched."""
    data = bytearray(DATA)
    data[RANGES.seal.layout.sealed_at(17)] ^= 1
    blob = Fetched(bytes(data))
    reader = SealedReader(blob, RANGES.seal, crypto=CRYPTO)
    pieces = reader.stream(5, len(PLAIN))
    assert next(pieces) == PLAIN[5 : 16 * CHUNK]
    with pytest.raises(InvalidFile):
        next(pieces)
    assert reader.read(18 * CHUNK, 100) == PLAIN[18 * CHUNK : 18 * CHUNK + 100]
    with pytest.raises(InvalidFile):
        reader.read(17 * CHUNK - 1, 2)


def test_a_file_of_which_only_a_part_is_there() -> None:
    layout = RANGES.seal.layout
    reader = SealedReader(Fetched(DATA[: layout.sealed_at(3)]), RANGES.seal, crypto=CRYPTO)
    assert reader.read(CHUNK + 5, 2 * CHUNK - 5) == PLAIN[CHUNK + 5 : 3 * CHUNK]
    for start in (3 * CHUNK - 1, 3 * CHUNK, 20 * CHUNK):
        with pytest.raises(InvalidFile):
            reader.read(start, 2)


def test_what_the_reader_of_a_network_raises_comes_out() -> None:
    def lost(at: int, count: int) -> bytes:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        SealedReader(lost, RANGES.seal, crypto=CRYPTO).read(0, 1)


@pytest.mark.parametrize(("start", "length"), [(-1, 5), (0, -1)])
def test_what_is_no_range(start: int, length: int) -> None:
    with pytest.raises(InputError):
        SealedReader(Fetched(DATA), RANGES.seal, crypto=CRYPTO).read(start, length)


def test_several_threads_read_one_file(tmp_path: Path) -> None:
    """As a player does that asks for two ranges at once."""
    seal, sealed, _ = sealed_in(tmp_path, MIB)
    wrong: list[object] = []
    with reading(sealed, seal, crypto=CRYPTO) as reader:

        def read(seed: int) -> None:
            for at in range(seed, MIB - 5, 50_021):
                if reader.read(at, 60_000) != content(MIB)[at : at + 60_000]:
                    wrong.append(at)

        threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_file_that_shrinks_under_its_reader(tmp_path: Path) -> None:
    seal, sealed, _ = sealed_in(tmp_path, THREE)
    with reading(sealed, seal, crypto=CRYPTO) as reader:
        assert reader.read(0, 5) == content(5)
        os.truncate(sealed, HEADER + 10)
        with pytest.raises(LetterlockError):
            reader.read(0, 5)


@pytest.mark.parametrize("kind", ["a link", "a folder"])
def test_sr14_a_folder_that_is_replaced_meanwhile(kind: str, tmp_path: Path) -> None:
    """SR-14: what lies ready in the other one does not get the name, and nothing in the clear stays in the first."""
    seal, sealed, _ = sealed_in(tmp_path, 3 * MIB)
    folder, moved, other = (tmp_path / name for name in ("folder", "moved", "other"))
    folder.mkdir()
    other.mkdir()
    (other / ".part").write_bytes(b"forged")

    def swap(done: int, size: int) -> None:
        if done == size:
            folder.rename(moved)
            if kind == "a link":
                folder.symlink_to(other)
            else:
                other.rename(folder)

    with pytest.raises(InputError) as refused:
        opened(sealed, folder / "film", seal, on_progress=swap)
    assert refused.value.code == "transfer.file"
    assert list(moved.iterdir()) == []
    assert [path.name for path in folder.iterdir()] == [".part"]
