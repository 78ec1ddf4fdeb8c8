"""SIGKILL of the server and of the client in the middle of transfers; disks that are full; memory that stays flat (SR-06)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import letterlock
from content.lab import Pauses, browser, client, content, downloading, fetch, quiet, uploading
from content.seaweed import bucket_in
from letterlock.codec.ft_http import RemoteFile
from letterlock.errors import ContentError, TransportError
from letterlock.transport.content.config import ContentSettings

pytestmark = pytest.mark.anyio
# Sockets on loopback hold up to ten megabytes that their sender believes sent: these are many times that.
SIZE = 60_000_000
DATA = content(SIZE)
HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{Path(letterlock.__file__).parents[1]}{os.pathsep}{HERE.parent}"}
BOTH_STORES = pytest.mark.parametrize(
    "every_place", ["sqlite", pytest.param("bucket", marks=pytest.mark.slow)], indirect=True
)


def slow(value: int) -> Any:
    return pytest.param(value, marks=pytest.mark.slow)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.bin"
    path.write_bytes(DATA)
    return path


class ServerProcess:
    """A content server that can be killed and started again at the same place."""

    def __init__(self, folder: Path, most: int) -> None:
        self._folder, self._most = folder, most
        self.process: asyncio.subprocess.Process | None = None
        self.url = ""

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, folder: Path, most: int = 0) -> AsyncIterator[ServerProcess]:
        server = cls(folder, most)
        await server.start()
        try:
            yield server
        finally:
            await server.kill()

    async def start(self) -> None:
        port = self.url.rpartition(":")[2].removesuffix("/upload") or "0"
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(HERE / "content_process.py"),
            str(self._folder),
            port,
            str(self._most),
            stdout=asyncio.subprocess.PIPE,
            env=ENVIRONMENT,
        )
        assert self.process.stdout is not None
        self.url = (await self.process.stdout.readline()).decode().strip()

    async def kill(self) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    def most_memory_kib(self) -> int:
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


async def transfer(task: dict[str, Any], kill_at: int = 0) -> list[dict[str, Any]]:
    """Run one transfer process; what it said until its end, or until it was killed behind so many bytes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HERE / "transfer_process.py"),
        json.dumps(task),
        stdout=asyncio.subprocess.PIPE,
        env=ENVIRONMENT,
    )
    assert process.stdout is not None
    said: list[dict[str, Any]] = []
    async with asyncio.timeout(120):
        while line := await process.stdout.readline():
            said.append(json.loads(line))
            if kill_at and said[-1].get("done", 0) >= kill_at:
                process.kill()
                break
        await process.wait()
    assert (process.returncode == -signal.SIGKILL) == bool(kill_at)
    return said


def of(said: list[dict[str, Any]], name: str) -> Any:
    return next((line[name] for line in reversed(said) if name in line), None)


@BOTH_STORES
async def test_sr06_the_server_is_killed_in_the_middle(every_place: None, tmp_path: Path, source: Path) -> None:
    """SR-06: what was put down as received is there, the upload goes on, and the file is the right one."""
    async with ServerProcess.running(tmp_path / "server") as server:
        killed = 0
        seen: list[int] = []
        restarted: list[int] = []

        def progress(done: int, total: int | None) -> None:
            nonlocal killed
            seen.append(done)
            # What the socket still takes of a dead server's is progress too: once for each server.
            if done > 20_000_000 * (killed + 1) and killed == len(restarted) < 2:
                assert server.process is not None
                server.process.kill()
                killed += 1

        async def start_again() -> None:
            if len(restarted) < killed:
                await server.kill()
                restarted.append(len(seen))
                await server.start()

        settings = ContentSettings(block=65_536)
        async with client(server.url, settings=settings, pauses=Pauses(start_again)) as mine:
            found = await mine.upload(uploading(source), progress)
        assert len(restarted) == 2 and all(seen[at] > 1_000_000 for at in restarted)
        assert Path((await fetch(server.url, downloading(tmp_path, found.file))).path).read_bytes() == DATA


@BOTH_STORES
async def test_sr06_a_file_that_was_promised_survives_a_kill(every_place: None, tmp_path: Path, source: Path) -> None:
    """SR-06: a 200 was only given when the file and its row were on the disk."""
    async with ServerProcess.running(tmp_path / "server") as server:
        async with client(server.url) as mine:
            found = await mine.upload(uploading(source), quiet)
        await server.kill()
        await server.start()
        assert Path((await fetch(server.url, downloading(tmp_path, found.file))).path).read_bytes() == DATA


@pytest.mark.slow
async def test_sr06_another_server_takes_over_from_one_that_was_killed(
    shared_place: None, tmp_path: Path, source: Path
) -> None:
    """SR-06: what the first told the client that it has, the second has, byte for byte; it knew nothing of it before."""
    async with (
        ServerProcess.running(tmp_path / "first") as first,
        ServerProcess.running(tmp_path / "second") as second,
    ):

        def progress(done: int, total: int | None) -> None:
            if done > 20_000_000 and first.process is not None:
                first.process.kill()

        settings = ContentSettings(block=65_536, attempts=1)
        async with client(first.url, settings=settings) as mine:
            with pytest.raises(TransportError):
                await mine.upload(uploading(source), progress)
        seen: list[int] = []
        async with client(second.url, settings=settings) as mine:
            found = await mine.upload(uploading(source, begun=True), lambda done, total: seen.append(done))
        assert seen[0] >= 5 << 20, "it was begun again"
        assert Path((await fetch(second.url, downloading(tmp_path, found.file))).path).read_bytes() == DATA


@pytest.mark.parametrize("kill_at", [slow(1), 20_000_000, slow(59_000_000), slow(SIZE)])
async def test_sr06_the_client_is_killed_in_an_upload(tmp_path: Path, source: Path, kill_at: int) -> None:
    async with ServerProcess.running(tmp_path / "server") as server:
        state = uploading(source)
        task = {"url": server.url, "upload": dataclasses.asdict(state)}
        await transfer(task, kill_at)
        task["upload"] = dataclasses.asdict(dataclasses.replace(state, begun=True))
        said = await transfer(task)
        assert of(said, "size") == SIZE
        if kill_at > 1:
            assert said[0].get("done", SIZE) > 1_000_000, "it was begun again"
        file = RemoteFile(SIZE, "image/jpeg", of(said, "file"))
        assert Path((await fetch(server.url, downloading(tmp_path, file))).path).read_bytes() == DATA


@pytest.mark.parametrize("kill_at", [slow(1), 20_000_000, slow(59_000_000)])
async def test_sr06_the_client_is_killed_in_a_download(tmp_path: Path, source: Path, kill_at: int) -> None:
    async with ServerProcess.running(tmp_path / "server") as server:
        async with client(server.url) as mine:
            found = await mine.upload(uploading(source), quiet)
        download = {"url": found.file.url, "target": str(tmp_path / "got"), "part": str(tmp_path / ".p"), "size": SIZE}
        said = await transfer({"url": server.url, "download": download}, kill_at)
        assert not (tmp_path / "got").exists()
        download |= {"tag": of(said, "tag"), "announced": of(said, "announced")}
        said = await transfer({"url": server.url, "download": download})
        assert said[0].get("done", SIZE) > kill_at and Path(of(said, "path")).read_bytes() == DATA


async def test_a_full_disk_at_the_server_is_said_and_leaves_nothing(tmp_path: Path, source: Path) -> None:
    """507, no half of a file, and the room is free again."""
    async with ServerProcess.running(tmp_path / "server", most=1_500_000) as server:
        async with client(server.url, pauses=Pauses()) as mine:
            with pytest.raises(ContentError) as caught:
                await mine.upload(uploading(source), quiet)
            # The answer may be lost when the server hangs up before all was sent; asked again it says the same.
            assert caught.value.code == "content.full" and caught.value.status == 507
        assert list((tmp_path / "server" / "blobs").iterdir()) == []
        async with browser() as session, session.get(f"{server.url}?tid=t-1&get_upload_info") as asked:
            assert asked.status == 404


async def test_a_full_disk_here_keeps_what_came(tmp_path: Path, source: Path) -> None:
    async with ServerProcess.running(tmp_path / "server") as server:
        async with client(server.url) as mine:
            found = await mine.upload(uploading(source), quiet)
        download = {"url": found.file.url, "target": str(tmp_path / "got"), "part": str(tmp_path / ".p"), "size": SIZE}
        said = await transfer({"url": server.url, "download": download, "most": 1_000_000})
        assert of(said, "error") == "transfer.disk" and (tmp_path / ".p").stat().st_size == 1_000_000
        download |= {"tag": of(said, "tag"), "announced": of(said, "announced")}
        said = await transfer({"url": server.url, "download": download})
        assert Path(of(said, "path")).read_bytes() == DATA


@pytest.mark.slow
@BOTH_STORES
async def test_a_gigabyte_in_flat_memory(every_place: None, tmp_path: Path) -> None:
    """Upload and download of a sparse file; neither end holds more of it than a few blocks. A quarter of it in a bucket."""
    small, big = tmp_path / "small", tmp_path / "big"
    small.write_bytes(b"x" * 100_000)
    with open(big, "wb") as file:
        file.truncate(1 << (30 if bucket_in(tmp_path) is None else 28))
    async with ServerProcess.running(tmp_path / "server") as server:
        peaks = []
        for number, path in enumerate((small, big)):
            block = 1 << 18
            state = dataclasses.asdict(uploading(path, f"t{number}"))
            sent = await transfer({"url": server.url, "block": block, "upload": state})
            size = path.stat().st_size
            assert of(sent, "size") == size
            download = {
                "url": of(sent, "file"), "target": str(tmp_path / f"got{number}"), "part": str(tmp_path / ".p"), "size": size
            }  # fmt: skip
            got = await transfer({"url": server.url, "block": block, "download": download})
            assert Path(of(got, "path")).stat().st_size == size
            peaks.append((of(sent, "memory_kib"), of(got, "memory_kib"), server.most_memory_kib()))
    for before, after in zip(*peaks, strict=True):
        assert after - before < 24 * 1024, f"{before} KiB for 100 kB, {after} KiB for all of it"
