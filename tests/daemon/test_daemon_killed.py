"""kill -9 in the middle of an upload: nothing plain stays, and the file is sent once or not at all (SR-06, SR-15)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from client.files_town import content
from daemon.process import Process, serving
from daemon.sse import listening
from daemon.town import ANA, BEN, Town
from letterlock.engine.content import File

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CANARY = b"the only copy in the clear"


def plain(folder: Path) -> list[Path]:
    """The files of the profile with the canary in them."""
    found = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in found if CANARY in path.read_bytes()]


async def in_the_middle_of_the_body(daemon: Process, data: bytes, folder: Path) -> None:
    half, never = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncGenerator[bytes, None]:
        yield data[: len(data) // 2]
        half.set()
        await never.wait()

    headers = {"Content-Length": str(len(data))}
    coming = asyncio.ensure_future(daemon.program.upload(body(), headers, chat=BEN, name="plan.bin"))
    await half.wait()
    while not list((folder / "uploads").glob("*")):
        await daemon.program.ask("GET", "/api/v1/check")
    await daemon.kill()
    await asyncio.gather(coming, return_exceptions=True)


async def _at(daemon: Process, data: bytes, state: str) -> None:
    async with listening(daemon.program) as stream:
        await stream.until("live")
        coming = asyncio.ensure_future(daemon.program.upload(data, chat=BEN, name="plan.bin"))
        try:
            while (
                (frame := await stream.next()) is None or frame.data.get("state") != state or "stage" not in frame.data
            ):
                assert frame is not None
        finally:
            await daemon.kill()
            await asyncio.gather(coming, return_exceptions=True)


async def when_it_begins(daemon: Process, data: bytes, folder: Path) -> None:
    await _at(daemon, data, "running")


async def when_it_is_done(daemon: Process, data: bytes, folder: Path) -> None:
    await _at(daemon, data, "done")


@pytest.mark.parametrize("in_the_middle", [in_the_middle_of_the_body, when_it_begins, when_it_is_done])
@pytest.mark.parametrize("size", [3 << 20, 40 << 20], ids=["in-memory", "unnamed"])
async def test_killed(tmp_path: Path, in_the_middle: object, size: int) -> None:
    """SR-15, SR-16."""
    data = CANARY + content(size)
    async with AsyncExitStack() as stack:
        both = Town(tmp_path, stack)
        await both.start()
        ben = await both.person("ben", BEN)
        ana = tmp_path / "ana"
        await both.create(ana, ANA)
        async with serving(both, ana) as daemon:
            chat = await daemon.program.call("send", chat=BEN, text="hello")
            assert chat["chat"] == BEN
            assert callable(in_the_middle)
            await in_the_middle(daemon, data, ana)
        assert not plain(ana)
        async with serving(both, ana) as again:
            assert not list((ana / "uploads").glob("*")) and not plain(ana)
            left = await again.program.call("transfers")
            assert not [each for each in left if each["state"] != "done"]
            # The one that comes after it is what tells that nothing more is to come.
            await again.program.call("send", chat=BEN, text="after it")
            messages = await (await ben.client.chat(ANA)).messages()
            async with asyncio.timeout(30):
                while not any(getattr(each, "text", "") == "after it" for each in messages):
                    await asyncio.sleep(0.01)
                    messages = await (await ben.client.chat(ANA)).messages()
            assert sum(isinstance(each.content, File) for each in messages) <= 1
            mine = (await again.program.call("messages", chat=BEN))["messages"]
            assert sum(each["kind"] == "file" for each in mine) == sum(
                isinstance(each.content, File) for each in messages
            )
