"""Reading sealed files piece by piece: what is fetched, what is kept, and what happens when either is bad (SR-15)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.files_town import content
from letterlock.client.files.cache import FileCache
from letterlock.client.files.reading import MOST_AT_ONCE, FileReadings
from letterlock.crypto.pyca import Pyca
from letterlock.errors import ContentError, InputError, InvalidFile, StoreError
from letterlock.files.layout import CHUNK, HEADER, TAG
from letterlock.files.pointer import RemoteSeal
from letterlock.files.whole import seal_bytes

pytestmark = pytest.mark.anyio

DATA = content(5_000_123)
SEAL, SEALED = seal_bytes(DATA, crypto=Pyca(), rng=os.urandom)
AT = RemoteSeal(SEAL, "https://cs.example/x")
LAST = SEAL.layout.sealed_at(len(DATA) // CHUNK)
"""Where the last chunk with content begins; those behind it are padding."""


class Bench:
    """Readings over a cache and a server that is a function."""

    def __init__(self, folder: Path, budget: int = 1 << 30) -> None:
        self.folder = folder / "files"
        self.cache = FileCache(self.folder, budget, lambda: 1_790_000_000_000)
        self.cache.prepare()
        self.readings = FileReadings(self.cache, Pyca())
        self.body = SEALED
        self.asked: list[tuple[int, int]] = []

    async def fetch(self, url: str, start: int, count: int, size: int) -> bytes:
        assert (url, size) == (AT.url, len(SEALED))
        self.asked.append((start, count))
        await asyncio.sleep(0)
        return self.body[start : start + count]

    async def read(self, offset: int, length: int, reader: str = "r") -> bytes:
        return await self.readings.read(reader, AT, offset, length, self.fetch)

    def left(self) -> list[str]:
        return sorted(path.suffix for path in self.folder.iterdir())


@contextlib.asynccontextmanager
async def bench(folder: Path, budget: int = 1 << 30) -> AsyncIterator[Bench]:
    made = Bench(folder, budget)
    try:
        yield made
    finally:
        await made.readings.close_all()


async def test_only_what_is_asked_for_and_a_little_ahead(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        assert await it.read(4_000_000, 10) == DATA[4_000_000:4_000_010]
        fetched = sum(count for _, count in it.asked)
        assert fetched <= 3 * (1 << 18)
        assert await it.read(4_000_005, 3) == DATA[4_000_005:4_000_008]
        assert sum(count for _, count in it.asked) == fetched
        assert await it.read(4_000_008, 10) == DATA[4_000_008:4_000_018]  # who reads on is met half-way
        assert fetched < sum(count for _, count in it.asked) <= fetched + 5 * (1 << 18)
        assert max(count for _, count in it.asked) <= 2 << 20
        assert it.cache.used == sum(count for _, count in it.asked)


async def test_bounds(tmp_path: Path) -> None:
    """SR-08."""
    async with bench(tmp_path) as it:
        for offset, length in ((-1, 1), (0, -1), (0, MOST_AT_ONCE + 1)):
            with pytest.raises(InputError):
                await it.read(offset, length)
        assert await it.read(len(DATA), 10) == b"" and await it.read(1 << 60, 10) == b""
        assert await it.read(5, 0) == b"" and it.asked == []
        for number in range(40):
            await it.read(0, 1, f"r{number}")
        await it.readings.close("nobody")


async def test_many_readers_of_one_file(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        places = [(n * 97_003) % len(DATA) for n in range(60)]
        found = await asyncio.gather(*(it.read(place, 70_000, f"r{place % 5}") for place in places))
        assert found == [DATA[place : place + 70_000] for place in places]
        assert len(set(it.asked)) == len(it.asked)
        for number in range(5):
            await it.readings.close(f"r{number}")
        assert ".part" not in it.left()


async def test_closed_while_others_wait(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        reads = [asyncio.ensure_future(it.read(n * 700_000, 10, "r")) for n in range(6)]
        await asyncio.sleep(0)
        await it.readings.close("r")
        assert await asyncio.gather(*reads) == [DATA[n * 700_000 : n * 700_000 + 10] for n in range(6)]
        await it.readings.close("r")


async def test_a_server_that_does_not_answer_holds_nobody_up(tmp_path: Path) -> None:
    """SR-08: not the reader of another file, however many are stuck, and not the end of the profile."""

    async def never(url: str, start: int, count: int, size: int) -> bytes:
        await asyncio.Event().wait()
        return b""

    async with asyncio.timeout(20), bench(tmp_path) as it:
        stuck = []
        for number in range(40):
            other = RemoteSeal(type(SEAL)(SEAL.size, SEAL.key, bytes([number]) * 32), "https://slow.example/x")
            stuck.append(asyncio.ensure_future(it.readings.read(f"s{number}", other, 0, 10, never)))
            await asyncio.sleep(0)
        assert await it.read(0, 10) == DATA[:10]
        await it.readings.close_all()
        assert {getattr(each, "code", "") for each in await asyncio.gather(*stuck, return_exceptions=True)} == {
            "client.closed"
        }
        with pytest.raises(StoreError):
            await it.read(0, 10)
        assert it.left() == [] and it.cache.used == 0


@pytest.mark.parametrize("place", [0, HEADER, HEADER + CHUNK, HEADER + CHUNK + TAG, LAST])
async def test_what_lies_here_and_was_damaged_is_fetched_again(tmp_path: Path, place: int) -> None:
    """SR-15: and what comes damaged is kept nowhere."""
    async with bench(tmp_path) as it:
        damaged = bytearray(SEALED)
        damaged[place] ^= 1
        offset = max(0, min(len(DATA) - 1, place - HEADER - 20))
        (tmp_path / "blob").write_bytes(damaged)
        assert it.cache.adopt(SEAL.sha256, tmp_path / "blob")
        wanted = DATA[offset : offset + 70_000]
        if place == LAST:
            offset, wanted = len(DATA) - 10, DATA[-10:]
        assert await it.read(offset, 70_000) == wanted and it.asked
        await it.readings.close("r")
        it.body = bytes(damaged)
        with pytest.raises(InvalidFile):
            await it.read(offset, 70_000)
        assert it.left() == [] and it.cache.used == 0
        it.body = SEALED
        assert await it.read(offset, 70_000) == wanted


async def test_a_whole_that_is_another_one_is_not_kept(tmp_path: Path) -> None:
    """SR-15: its chunks verify, and somebody has another digest of it. Only a sender can make that."""
    async with bench(tmp_path) as it:
        other = RemoteSeal(type(SEAL)(SEAL.size, SEAL.key, hashlib.sha256(b"other").digest()), AT.url)
        with pytest.raises(ContentError) as caught:
            for offset in range(0, len(DATA), MOST_AT_ONCE):
                await it.readings.read("r", other, offset, MOST_AT_ONCE, it.fetch)
        assert caught.value.code == "content.digest"
        assert it.left() == [] and it.cache.used == 0 and it.cache.contents() == []


async def test_a_file_that_is_larger_than_the_cache(tmp_path: Path) -> None:
    async with bench(tmp_path, budget=3 << 20) as it:
        found = b"".join([await it.read(offset, MOST_AT_ONCE) for offset in range(0, len(DATA), MOST_AT_ONCE)])
        assert found == DATA and it.cache.used <= 3 << 20
        assert await it.read(10, 5) == DATA[10:15]
    async with bench(tmp_path, budget=100_000) as it:
        with pytest.raises(InputError) as caught:
            await it.read(0, MOST_AT_ONCE)
        assert caught.value.code == "input.cache"


async def test_files_do_not_disturb_each_other(tmp_path: Path) -> None:
    """More than are held open: the oldest are closed and opened again."""
    files = [seal_bytes(content(70_000, seed), crypto=Pyca(), rng=os.urandom) for seed in range(40)]
    async with bench(tmp_path) as it:
        for _ in range(2):
            for seed, (seal, sealed) in enumerate(files):

                async def fetch(url: str, start: int, count: int, size: int, sealed: bytes = sealed) -> bytes:
                    return sealed[start : start + count]

                at = RemoteSeal(seal, f"https://cs.example/{seed}")
                got = await it.readings.read(f"r{seed}", at, 65_000, 5_000, fetch)
                assert got == content(70_000, seed)[65_000:]
        assert len(it.cache.contents()) == 40


@given(st.lists(st.tuples(st.integers(0, len(DATA)), st.integers(0, MOST_AT_ONCE)), max_size=6))
def test_any_ranges(tmp_path_factory: pytest.TempPathFactory, ranges: list[tuple[int, int]]) -> None:
    async def main() -> None:
        async with bench(tmp_path_factory.mktemp("reader"), budget=4 << 20) as it:
            for offset, length in ranges:
                assert await it.read(offset, length) == DATA[offset : offset + length]
                assert it.cache.used <= 4 << 20

    asyncio.run(main())
