"""kill -9 at either end: what was sealed is sent as it was, what was not is sealed anew, what came is kept (SR-06)."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from client.files_town import ANA, BEN, FilesTown, content, received, until_cached
from client.phones import texts
from letterlock.client import TransferStage, TransferState
from letterlock.files.pointer import encode_pointer

pytestmark = pytest.mark.anyio
SIZE = 12_000_000


async def phone(town: FilesTown, **task: Any) -> None:
    """Run a phone that kills itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("sealed_phone.py")),
        json.dumps({"state": str(town.folder / "state"), **task}),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)},
    )
    try:
        assert await process.wait() == -9
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _know_each_other(town: FilesTown) -> tuple[Path, Path]:
    ana, ben = await town.create(ANA), await town.create(BEN)
    async with town.open(ana) as a, town.open(ben) as b:
        await (await a.chat(BEN)).send("hello")
        assert await texts(b, 1) == ["hello"]
    return ana, ben


@pytest.mark.parametrize("die", [-1, 0, SIZE // 5], ids=["begun", "sealed", "uploading"])
async def test_sr06_the_sender_is_killed(tmp_path: Path, die: int) -> None:
    data = content(SIZE)
    (tmp_path / "film.bin").write_bytes(data)
    async with FilesTown.running(tmp_path) as town:
        ana, ben = await _know_each_other(town)
        await phone(town, die=die, profile=str(ana), chat=BEN, upload=str(tmp_path / "film.bin"))
        a, b = await town.opened(ana), await town.opened(ben)
        (found,) = await a.transfers()
        assert found.info.state is TransferState.INTERRUPTED
        before = found.info.sealed
        assert before is not None and (before.pointer is not None) == (die >= 0)
        place = tmp_path / ANA / "transfers" / f"{found.id}.sealed"
        sealed = place.read_bytes() if before.pointer is not None else b""
        await found.resume()
        file = await found.file()
        assert file.pointer is not None
        if before.pointer is not None:
            # The same bytes under the same key, and not once more under it.
            assert file.pointer.at.seal == before.pointer.at.seal
            await until_cached(a, 1)
            (blob,) = list((tmp_path / ANA / "files").iterdir())
            assert blob.read_bytes() == sealed
        await (await a.chat(BEN)).send_file(file)
        info = await (await b.download(await received(b, ANA), tmp_path / "got.bin")).wait()
        assert Path(info.path).read_bytes() == data


async def test_sr06_what_was_not_sealed_to_its_end_is_sealed_under_another_key(tmp_path: Path) -> None:
    """And the file may be another one by then."""
    (tmp_path / "film.bin").write_bytes(content(SIZE))
    async with FilesTown.running(tmp_path) as town:
        ana, _ = await _know_each_other(town)
        await phone(town, die=-1, profile=str(ana), chat=BEN, upload=str(tmp_path / "film.bin"))
        (tmp_path / "film.bin").write_bytes(b"another film")
        a = await town.opened(ana)
        (found,) = await a.transfers()
        assert found.info.sealed is not None and found.info.sealed.pointer is None
        await found.resume()
        file = await found.file()
        assert file.size == len(b"another film")
        async with await a.open_file(file) as reader:
            assert await reader.read() == b"another film"


async def test_sr06_the_receiver_is_killed(tmp_path: Path) -> None:
    data = content(SIZE)
    (tmp_path / "film.bin").write_bytes(data)
    (tmp_path / "got").mkdir()
    async with FilesTown.running(tmp_path) as town:
        ana, ben = await _know_each_other(town)
        a = await town.opened(ana)
        async with town.open(ben) as b:
            after = await b.cursor()
            await (await a.chat(BEN)).send_file(tmp_path / "film.bin", thumbnail=False)
            file = await received(b, ANA, after)
        assert file.pointer is not None
        fetching = {"pointer": encode_pointer(file.pointer).hex(), "to": str(tmp_path / "got")}
        await phone(town, die=SIZE // 5, profile=str(ben), **fetching)
        (part,) = list((tmp_path / BEN / "transfers").iterdir())
        had = part.stat().st_size
        assert 0 < had < SIZE and list((tmp_path / "got").iterdir()) == []
        b = await town.opened(ben)
        assert (await b.cache()).files == ()
        (found,) = [each for each in await b.transfers() if not each.info.upload]
        assert found.info.state is TransferState.INTERRUPTED
        await found.resume()
        known = found.info.done
        # Only of the bytes that come: the next stage, opening, counts from nothing.
        done = [info.done async for info in found.progress() if info.stage is TransferStage.MOVING]
        assert Path((await found.wait()).path).read_bytes() == data
        # It went on where it was.
        assert done and all(count >= had for count in done if count > known)


async def test_a_blob_whose_note_was_never_written_gets_its_name(tmp_path: Path) -> None:
    """Killed between the two: the blob is in the cache, and nobody knows what it is until it is fetched again."""
    (tmp_path / "film.bin").write_bytes(content(300_000))
    async with FilesTown.running(tmp_path) as town:
        ana, ben = await _know_each_other(town)
        a = await town.opened(ana)
        async with town.open(ben) as b:
            after = await b.cursor()
            await (await a.chat(BEN)).send_file(tmp_path / "film.bin", thumbnail=False)
            file = await received(b, ANA, after)
            await (await b.download(file)).wait()
            (cached,) = (await b.cache()).files
        blob = next((tmp_path / BEN / "files").iterdir())
        data = blob.read_bytes()
        blob.unlink()
        async with town.open(ben):
            pass  # its note goes with it
        blob.write_bytes(data)
        async with town.open(ben) as b:
            assert [each.name for each in (await b.cache()).files] == [""]
            await (await b.download(file)).wait()
            assert [each.name for each in (await b.cache()).files] == [cached.name]
