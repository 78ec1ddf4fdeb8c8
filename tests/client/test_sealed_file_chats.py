"""Files of chats by sessions, from client to client over a real content server (SR-01, SR-14, SR-15)."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.files_town import ANA, BEN, FilesTown, content, file_in, photo, received, until_cached
from letterlock.engine.content import FileFormat

pytestmark = pytest.mark.anyio
NAME = "Crane über the pier.jpg"


async def test_a_picture_with_its_thumbnail(tmp_path: Path) -> None:
    picture = photo()
    (tmp_path / NAME).write_bytes(picture)
    async with FilesTown.running(tmp_path) as town:
        ana, ben = await town.people(ANA, BEN)
        chat = await ana.chat(BEN)
        sent = await chat.send_file(tmp_path / NAME)
        file = await received(ben, ANA)
        assert file.format is FileFormat.SEALED and file.pointer is not None
        assert (file.name, file.content_type, file.size, file.media) == (NAME, "image/jpeg", len(picture), "image")
        assert file.pointer.dimensions is not None and file.pointer.dimensions.width == 500
        assert file == await file_in(chat, sent)
        (tmp_path / "got").mkdir()
        info = await (await ben.download(file, tmp_path / "got")).wait()
        assert info.checked and Path(info.path).name == NAME and Path(info.path).read_bytes() == picture
        small = await (await ben.download(file, tmp_path / "small.jpg", thumbnail=True)).wait()
        assert Path(small.path).read_bytes().startswith(b"\xff\xd8\xff")
        # Ours is in our cache already, and nothing is left on its way.
        cached = await until_cached(ana, 2)
        assert {each.name for each in cached.files} == {NAME} and len(cached.files) == 2
        assert list((tmp_path / ANA / "transfers").iterdir()) == []
        assert list((tmp_path / BEN / "transfers").iterdir()) == []


async def test_without_a_plain_copy(tmp_path: Path) -> None:
    data = content(900_001)
    (tmp_path / "plan.bin").write_bytes(data)
    async with FilesTown.running(tmp_path) as town:
        ana, ben = await town.people(ANA, BEN)
        await (await ana.chat(BEN)).send_file(tmp_path / "plan.bin", thumbnail=False)
        file = await received(ben, ANA)
        async with await ben.open_file(file) as reader:
            assert reader.size == len(data)
            assert await reader.read(65_530, 20) == data[65_530:65_550]
            assert await reader.read(900_000, 20) == data[900_000:]
            (begun,) = (await ben.cache()).files
            assert not begun.whole and begun.in_use
            assert await reader.read() == data
            (whole,) = (await ben.cache()).files
            assert whole.whole and whole.in_use and whole.name == "plan.bin"
            assert await ben.prune_cache() == 0
        info = await (await ben.download(file)).wait()
        assert info.path == "" and info.checked
        assert await ben.prune_cache() == whole.size
        await (await ben.download(file)).wait()
        async with await ben.open_file(file) as reader:
            assert b"".join([piece async for piece in reader.stream()]) == data
