"""Whoever made the pointer, or runs the content server, wants to harm the receiver: one clear error, and nothing written
(SR-08, SR-14, SR-15)."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from client.files_town import ANA, BEN, FilesTown, Giver, content, inside, received
from content.lab import Liar, answer
from letterlock.client import Client
from letterlock.engine.content import File, pointed
from letterlock.errors import InvalidFile, LetterlockError
from letterlock.files.layout import CHUNK, HEADER, TAG
from letterlock.files.pointer import RemoteSeal
from letterlock.files.seal import Seal

pytestmark = pytest.mark.anyio

DATA = content(3 * CHUNK + 100)
SIZE = HEADER + 200_704 + 4 * TAG
"""Of the ciphertext: Padmé adds some to 196,708 bytes."""

Attack = Callable[[bytes], bytes]


def _at(place: int) -> Attack:
    def flip(sealed: bytes) -> bytes:
        changed = bytearray(sealed)
        changed[place] ^= 1
        return bytes(changed)

    return flip


def _swapped(sealed: bytes) -> bytes:
    step = CHUNK + TAG
    first, second = sealed[HEADER : HEADER + step], sealed[HEADER + step : HEADER + 2 * step]
    return sealed[:HEADER] + second + first + sealed[HEADER + 2 * step :]


EDGES = [edge + side for n in range(4) for edge in (HEADER + n * (CHUNK + TAG),) for side in (-1, 0)]
TAMPERED: dict[str, Attack] = {
    **{f"byte {place}": _at(place) for place in (0, 7, 8, 12, *EDGES, HEADER + CHUNK, -TAG - 1, -TAG, -1)},
    "chunks swapped": _swapped,
    "another file": lambda sealed: content(len(sealed), 9),
    "zeros": lambda sealed: bytes(len(sealed)),
}
LENGTHS: dict[str, Attack] = {
    "cut": lambda sealed: sealed[:-1],
    "without its last chunk": lambda sealed: sealed[: HEADER + 3 * (CHUNK + TAG)],
    "empty": lambda sealed: b"",
    "extended": lambda sealed: sealed + b"\0",
    "twice": lambda sealed: sealed + sealed,
}


class Scene:
    """Ben, who has a file from Ana, and a server of his own that gives what an attacker wants."""

    def __init__(self, ben: Client, file: File, sealed: bytes, folder: Path) -> None:
        assert file.pointer is not None
        self.ben, self.pointer, self.sealed, self.folder = ben, file.pointer, sealed, folder
        self.profile = folder / BEN

    def lying(self, url: str, **seal: object) -> File:
        """The pointer with another address, and perhaps another seal."""
        at = RemoteSeal(dataclasses.replace(self.pointer.at.seal, **seal), url)  # type: ignore[arg-type]
        return pointed(dataclasses.replace(self.pointer, at=at))

    async def refused(self, file: File, code: str) -> None:
        """Downloaded or read: refused so, and nothing of it is anywhere."""
        to = self.folder / "to"
        to.mkdir(exist_ok=True)
        tries: list[Callable[[], Awaitable[object]]] = [
            lambda: self._download(file, to),
            lambda: self._download(file, None),
            lambda: self._read(file),
        ]
        for attempt in tries:
            with pytest.raises(LetterlockError) as caught:
                await attempt()
            assert caught.value.code.startswith(code), caught.value.code
            assert list(to.iterdir()) == []
            assert (await self.ben.cache()).files == ()
            left = {
                name: data for name, data in inside(self.profile).items() if name.startswith(("files/", "transfers/"))
            }
            assert not [name for name, data in left.items() if DATA[:32] in data]
            assert not [name for name in left if name.startswith("files/")]

    async def _download(self, file: File, to: Path | None) -> None:
        transfer = await self.ben.download(file, to)
        try:
            await transfer.wait()
        finally:
            await transfer.cancel()

    async def _read(self, file: File) -> None:
        async with await self.ben.open_file(file) as reader:
            await reader.read()


async def _scene(town: FilesTown, url: str, tmp_path: Path) -> Scene:
    ana_path = await town.create(ANA)
    ben_path = await town.create(BEN, url=url)
    (tmp_path / "plan.bin").write_bytes(DATA)
    ana = await town.opened(ana_path)
    ben = await town.opened(ben_path)
    await (await ana.chat(BEN)).send_file(tmp_path / "plan.bin", thumbnail=False)
    file = await received(ben, ANA)
    (blob,) = list((tmp_path / ANA / "files").iterdir())
    assert blob.stat().st_size == SIZE
    return Scene(ben, file, blob.read_bytes(), tmp_path)


async def test_bytes_that_are_not_the_senders(tmp_path: Path) -> None:
    """SR-15: at every boundary of a chunk; by the whole digest, or by the chunk that was asked for."""
    async with FilesTown.running(tmp_path) as town, Giver.giving() as giver:
        scene = await _scene(town, giver.url, tmp_path)
        for what, attack in TAMPERED.items():
            giver.body = attack(scene.sealed)
            assert len(giver.body) == SIZE, what
            with pytest.raises(LetterlockError) as caught:
                await (await scene.ben.download(scene.lying(giver.url + "/x"), tmp_path / "out")).wait()
            assert caught.value.code == "content.digest", what
            await scene.refused(scene.lying(giver.url + "/x"), "")
        for what, attack in LENGTHS.items():
            giver.body = attack(scene.sealed)
            await scene.refused(scene.lying(giver.url + f"/{len(what)}"), "content.")
        giver.body = scene.sealed
        honest = await (await scene.ben.download(scene.lying(giver.url + "/x"), tmp_path / "out")).wait()
        assert Path(honest.path).read_bytes() == DATA


async def test_bytes_that_the_sender_herself_vouches_for(tmp_path: Path) -> None:
    """SR-15: the digest is that of what the server has, and the chunks do not hold all the same."""
    async with FilesTown.running(tmp_path) as town, Giver.giving() as giver:
        scene = await _scene(town, giver.url, tmp_path)
        for attack in TAMPERED.values():
            giver.body = attack(scene.sealed)
            file = scene.lying(giver.url + "/x", sha256=hashlib.sha256(giver.body).digest())
            await scene.refused(file, "file.")


async def test_a_size_that_is_not_true(tmp_path: Path) -> None:
    """SR-15: over and under, where Padmé makes the same of both; and where it does not."""
    async with FilesTown.running(tmp_path) as town, Giver.giving() as giver:
        scene = await _scene(town, giver.url, tmp_path)
        giver.body = scene.sealed
        for size in (len(DATA) - 1, len(DATA) + 1):
            assert Seal(size, scene.pointer.at.seal.key, b"").layout.sealed_size == SIZE
            await scene.refused(scene.lying(giver.url + "/x", size=size), "file.")
        for size in (1, 1_000, 10 * len(DATA)):
            await scene.refused(scene.lying(giver.url + "/x", size=size), "content.size")


PRIVATE = [
    "http://127.0.0.1:1/x",
    "https://127.0.0.1:1/x",
    "https://localhost:1/x",
    "https://0.0.0.0/x",
    "https://[::1]:1/x",
    "https://[::ffff:127.0.0.1]/x",
    "https://[::ffff:169.254.169.254]/latest/meta-data",
    "https://169.254.169.254/latest/meta-data",
    "https://10.0.0.1/x",
    "https://[fd00::1]/x",
    "https://[fe80::1]/x",
    "https://2130706433/x",
    "https://user:secret@content.example/x",
    "http://content.example/x",
]


async def test_an_address_that_is_not_for_strangers_to_choose(tmp_path: Path) -> None:
    """SR-14, SR-19."""
    async with FilesTown.running(tmp_path) as town:
        scene = await _scene(town, town.server.url, tmp_path)
        for url in PRIVATE:
            await scene.refused(scene.lying(url), "transfer.address")


@pytest.mark.parametrize("to", ["https://169.254.169.254/x", "https://10.0.0.1/x", "https://[::ffff:10.0.0.1]/x"])
async def test_a_redirect_into_a_private_network(tmp_path: Path, to: str) -> None:
    """SR-14: refused wherever it leads, and nothing is asked for there."""
    async with FilesTown.running(tmp_path) as town, Liar.telling(answer("302 Found", Location=to)) as liar:
        scene = await _scene(town, liar.url, tmp_path)
        await scene.refused(scene.lying(liar.url + "/x"), "")
        file = scene.lying(liar.url + "/x")
        with pytest.raises(LetterlockError) as caught:
            await (await scene.ben.download(file, tmp_path / "out")).wait()
        assert caught.value.code in ("content.redirect", "transfer.address")


async def test_bytes_without_an_end(tmp_path: Path) -> None:
    """SR-08: no more is taken than the pointer says."""
    told = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    async with FilesTown.running(tmp_path) as town, Liar.telling(told, endless=True) as liar:
        scene = await _scene(town, liar.url, tmp_path)
        await scene.refused(scene.lying(liar.url + "/x"), "content.")
        with pytest.raises(LetterlockError) as caught:
            await (await scene.ben.download(scene.lying(liar.url + "/x"))).wait()
        assert caught.value.code == "content.size"


async def test_more_than_this_device_takes(tmp_path: Path) -> None:
    """SR-08: refused by what the pointer says, before anything is asked for."""
    async with FilesTown.running(tmp_path) as town, Liar.telling(answer("500 No")) as liar:
        scene = await _scene(town, liar.url, tmp_path)
        huge = scene.lying(liar.url + "/x", size=1 << 40)
        with pytest.raises(LetterlockError) as caught:
            await (await scene.ben.download(huge, tmp_path / "out")).wait()
        assert caught.value.code == "transfer.too_large"
        with pytest.raises(LetterlockError) as caught:
            await scene.ben.download(huge)
        assert caught.value.code == "input.cache"
        assert liar.requests == []


async def test_it_is_the_same_error_in_another_process(tmp_path: Path) -> None:
    """The second client works through the first one's socket."""
    async with FilesTown.running(tmp_path) as town, Giver.giving() as giver:
        scene = await _scene(town, giver.url, tmp_path)
        giver.body = _at(HEADER)(scene.sealed)
        async with town.open(tmp_path / BEN) as other:
            assert not other.owner
            for person in (scene.ben, other):
                with pytest.raises(InvalidFile) as caught:
                    file = scene.lying(giver.url + "/x", sha256=hashlib.sha256(giver.body).digest())
                    async with await person.open_file(file) as reader:
                        await reader.read()
                assert (caught.value.code, caught.value.rule) == ("file.06", "LL-FILE-06")
