"""Nothing of a sealed file lies anywhere in the clear while it is on its way, nor goes over any wire (SR-14, SR-15)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from client.files_town import ANA, BEN, FilesTown, inside, photo, received, until_cached
from content.lab import Wire
from letterlock.client import Client, TransferState

pytestmark = pytest.mark.anyio
NAME = "Crane over the pier.jpg"


class Tapped(Wire):
    """Every byte between everybody and the content server."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.seen = bytearray()
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = asyncio.Event()

    async def _one_way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int) -> None:  # type: ignore[override]
        try:
            while piece := await reader.read(65_536):
                self.seen += piece
                if len(self.seen) > 150_000 and not self.gate.is_set():
                    self.waiting.set()
                    await self.gate.wait()
                writer.write(piece)
                await writer.drain()
        except OSError:
            pass


async def test_search_for_content_name_and_thumbnail(tmp_path: Path) -> None:
    """With both transfers stopped in the middle, and after their ends; a picture that was read and not saved."""
    picture = photo(side=700)
    outside = tmp_path / "of the user"
    outside.mkdir()
    (outside / NAME).write_bytes(picture)
    async with Tapped.to(0) as wire, FilesTown.running(tmp_path, public_url=f"http://127.0.0.1:{wire.port}") as town:
        assert isinstance(wire, Tapped)
        wire._port = town.server.server.port
        url = town.server.url
        ana = await town.opened(await town.create(ANA, url=url))
        ben = await town.opened(await town.create(BEN, url=url))
        chat = await ana.chat(BEN)
        await chat.send("hello")
        wire.gate.clear()
        transfer = await chat.upload(outside / NAME)
        await wire.waiting.wait()
        assert (await transfer.refresh()).state is TransferState.RUNNING
        assert transfer.info.sealed is not None and transfer.info.sealed.pointer is not None
        secrets = [NAME.encode(), b"Crane", picture[:40], picture[5_000:5_040], picture[-40:], b"image/jpeg"]
        _search(tmp_path, outside, secrets)
        wire.gate.set()
        file = await transfer.file()
        assert file.pointer is not None and file.pointer.thumbnail is not None
        small = await _read(ana, file, thumbnail=True)
        secrets += [small[:40], small[400:440], small[-40:]]
        secrets += [at.seal.key.reveal() for at in (file.pointer.at, file.pointer.thumbnail.at)]
        await chat.send_file(file)
        file = await received(ben, ANA)
        wire.waiting.clear()
        wire.gate.clear()
        transfer = await ben.download(file, outside / "copy.jpg")
        await wire.waiting.wait()
        _search(tmp_path, outside, secrets)
        assert [path.name for path in outside.iterdir()] == [NAME]
        wire.gate.set()
        await transfer.wait()
        assert (outside / "copy.jpg").read_bytes() == picture
        await ben.prune_cache()
        assert await _read(ben, file) == picture and await _read(ben, file, thumbnail=True) == small
        await until_cached(ana, 2)
        _search(tmp_path, outside, secrets)
        assert len(wire.seen) > 2 * len(picture)
        carried = b"".join(sent.body for _, sent in town.town.net.sent)
        for secret in secrets:
            assert secret not in wire.seen and secret not in carried, secret
        # The search would find what is there.
        assert file.file.url.rpartition("/")[2].encode() in wire.seen


async def _read(person: Client, file: object, *, thumbnail: bool = False) -> bytes:
    async with await person.open_file(file, thumbnail=thumbnail) as reader:  # type: ignore[arg-type]
        return await reader.read()


def _search(folder: Path, outside: Path, secrets: list[bytes]) -> None:
    """Both profiles, their state, and everything that the server keeps."""
    there = {name: data for name, data in inside(folder).items() if not name.startswith(outside.name)}
    assert any(name.endswith(".sealed") for name in there)
    assert any("blobs" in name for name in there)
    for secret in secrets:
        assert [name for name, data in there.items() if secret in data or secret.decode("latin-1") in name] == []
