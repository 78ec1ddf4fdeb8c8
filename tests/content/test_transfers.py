"""Transfers of a profile: durable, paused and resumed, found again after a kill, the same from every process (SR-06)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from client.phones import ANA, Town
from content.lab import PASSWORD, Server, content
from letterlock.client import Client, ContentAccount, Settings, TransferInfo, TransferState
from letterlock.client.files.records import TRANSFER, info_from_json, info_to_json
from letterlock.client.files.sealed_transfers import SealedTransfer
from letterlock.client.settings import SETTINGS
from letterlock.codec.ft_http import FileDocument, RemoteFile
from letterlock.crypto.secret import Secret
from letterlock.engine.events import TransferChanged
from letterlock.errors import ContentError, DecodeError, InputError
from letterlock.files.pointer import FilePointer, RemoteSeal
from letterlock.files.seal import Seal
from letterlock.transport.content.config import Downloaded, DownloadState, UploadState

pytestmark = pytest.mark.anyio
SIZE = 300_000
DATA = content(SIZE)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.bin"
    path.write_bytes(DATA)
    return path


async def profile(town: Town, url: str | None, **changes: Any) -> Path:
    path = town.folder / ANA
    await Client.create(
        path,
        ANA,
        directory="http://127.0.0.1:1",
        code="12345678",
        content=None if url is None else ContentAccount(url, ANA, PASSWORD),
        passphrase="tulip",
        environment=town.environment(**changes),
    )
    return path


# --- with a real server ----------------------------------------------------------------------------------------
async def test_up_and_down_from_the_owner_and_from_another_process(tmp_path: Path, source: Path) -> None:
    """The second client works through the first one's socket."""
    town = Town(tmp_path)
    async with Server.running(tmp_path) as lab:
        path = await profile(town, lab.url)
        async with town.open(path) as owner, town.open(path) as other:
            assert owner.owner and not other.owner
            for number, me in enumerate((owner, other)):
                sent = await me.upload(source, name="../../a\u202e.jpg", content_type="image/jpeg")
                document = await sent.document()
                assert document.file.size == SIZE and sent.info.state is TransferState.DONE
                folder = tmp_path / f"in{number}"
                folder.mkdir()
                got = await me.download(document, folder)
                info = await got.wait()
                assert info.checked and info.done == SIZE and info.sha256 is not None
                assert [item.name for item in folder.iterdir()] == ["a.jpg"]
                assert Path(info.path).read_bytes() == DATA
            assert [item.info.upload for item in await other.transfers()] == [True, False, True, False]
        async with town.open(path) as me:
            assert [item.info.state for item in await me.transfers()] == [TransferState.DONE] * 4


async def test_events_say_how_far_it_is(tmp_path: Path, source: Path) -> None:
    town = Town(tmp_path)
    async with Server.running(tmp_path) as lab:
        path = await profile(town, lab.url)
        async with town.open(path) as me:
            after = await me.cursor()
            transfer = await me.upload(source)
            seen = [info.done async for info in transfer.progress()]
            assert seen == sorted(seen) and seen[-1] == SIZE
            events = []
            async with contextlib.aclosing(me.events(after)) as recorded:
                async for item in recorded:
                    if isinstance(item.event, TransferChanged):
                        events.append(item.event)
                        if item.event.state == "done":
                            break
            assert events[0].state == "running" and events[0].done == 0 and len(events) <= 12
            assert {event.transfer for event in events} == {transfer.id}


async def test_an_address_of_which_nothing_is_known(tmp_path: Path, source: Path) -> None:
    town = Town(tmp_path)
    async with Server.running(tmp_path) as lab:
        path = await profile(town, lab.url)
        async with town.open(path) as me:
            document = await (await me.upload(source)).document()
            target = tmp_path / "there.bin"
            assert (await (await me.download(document.file.url, target)).wait()).size == SIZE
            assert target.read_bytes() == DATA
            with pytest.raises(InputError):
                await me.download(document.file.url, target)
            with pytest.raises(InputError):
                await me.download(document.file.url, tmp_path / "no" / "such")
            wrong = await me.download(document.file, tmp_path, sha256=bytes(32))
            with pytest.raises(ContentError) as caught:
                await wrong.wait()
            assert caught.value.code == "content.digest"


async def test_without_a_content_server_or_a_file(tmp_path: Path, source: Path) -> None:
    town = Town(tmp_path)
    path = await profile(town, None)
    async with town.open(path) as me:
        with pytest.raises(InputError) as caught:
            await (await me.upload(source)).wait()
        assert caught.value.code == "input.content"
        for wrong in (tmp_path / "missing", tmp_path):
            with pytest.raises(InputError):
                await me.upload(wrong)
        with pytest.raises(InputError) as caught:
            await (await me.download("https://10.0.0.1/x", tmp_path / "x")).wait()
        assert caught.value.code == "transfer.address"


# --- with a server whose every step the test chooses -----------------------------------------------------------
class Hands:
    """A `Content` that moves bytes when it is told to."""

    def __init__(self) -> None:
        self.uploads: list[UploadState] = []
        self.downloads: list[DownloadState] = []
        self.dropped: list[str] = []
        self.go = asyncio.Event()
        self.begun = asyncio.Event()
        self.failure: Exception | None = None
        self.at_once = self.most_at_once = 0

    async def upload(self, state: UploadState, on_progress: Callable[[int, int | None], None]) -> FileDocument:
        self.uploads.append(state)
        await self._work(on_progress)
        return FileDocument(RemoteFile(SIZE, "x/y", "https://h.test/f"))

    async def download(
        self,
        state: DownloadState,
        on_progress: Callable[[int, int | None], None],
        on_state: Callable[[DownloadState], Awaitable[None]],
    ) -> Downloaded:
        self.downloads.append(state)
        Path(state.part).write_bytes(b"half")
        await on_state(dataclasses.replace(state, tag='"t"'))
        await self._work(on_progress)
        return Downloaded(state.target, SIZE, bytes(32), True)

    async def _work(self, on_progress: Callable[[int, int | None], None]) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            on_progress(SIZE // 2, SIZE)
            self.begun.set()
            await self.go.wait()
            if self.failure is not None:
                raise self.failure
        finally:
            self.at_once -= 1

    async def drop(self, tid: str) -> None:
        self.dropped.append(tid)

    async def close(self) -> None:
        pass


async def test_pause_resume_cancel(tmp_path: Path, source: Path) -> None:
    town, hands = Town(tmp_path), Hands()
    given = {"content": lambda environment, settings: hands}
    path = await profile(town, None, **given)
    async with town.open(path, **given) as me:
        transfer = await me.upload(source)
        await hands.begun.wait()
        assert (await transfer.refresh()).done == SIZE // 2
        await transfer.pause()
        assert transfer.info.state is TransferState.PAUSED and hands.at_once == 0
        await transfer.pause()
        await transfer.resume()
        await transfer.resume()
        hands.go.set()
        assert (await transfer.wait()).state is TransferState.DONE
        # The server heard of it in the first run, so the second one asks it how far it got.
        assert [state.begun for state in hands.uploads] == [False, True]
        hands.go.clear()
        hands.begun.clear()
        again = await me.upload(source)
        await hands.begun.wait()
        await again.cancel()
        await again.cancel()
        assert hands.dropped == [again.id]
        assert [item.id for item in await me.transfers()] == [transfer.id]
        with pytest.raises(InputError):
            await again.refresh()
        hands.begun.clear()
        fetched = await me.download("https://h.test/f", tmp_path / "got")
        await hands.begun.wait()
        assert Path(hands.downloads[0].part).exists()
        await fetched.cancel()
        assert not Path(hands.downloads[0].part).exists()


async def test_sr06_what_runs_when_the_profile_is_closed_is_found_and_resumed(tmp_path: Path, source: Path) -> None:
    town, hands = Town(tmp_path), Hands()
    given = {"content": lambda environment, settings: hands}
    path = await profile(town, None, **given)
    async with town.open(path, **given) as me:
        await me.upload(source)
        await me.download(RemoteFile(SIZE, "x/y", "https://h.test/f", None, "x"), tmp_path, sha256=b"s" * 32)
        while len(hands.uploads) + len(hands.downloads) < 2 or hands.at_once < 2:
            await asyncio.sleep(0)
    hands.go.set()
    async with town.open(path, **given) as me:
        found = await me.transfers()
        assert [item.info.state for item in found] == [TransferState.INTERRUPTED] * 2
        for item in found:
            await item.resume()
            await item.wait()
    assert hands.uploads[1] == dataclasses.replace(hands.uploads[0], begun=True)
    assert hands.downloads[1] == dataclasses.replace(hands.downloads[0], tag='"t"')


async def test_a_failure_is_kept_with_its_reason_and_can_be_tried_again(tmp_path: Path, source: Path) -> None:
    town, hands = Town(tmp_path), Hands()
    given = {"content": lambda environment, settings: hands}
    path = await profile(town, None, **given)
    hands.failure = ContentError("no room", code="content.full", hint="later", status=507)
    hands.go.set()
    async with town.open(path, **given) as me, town.open(path, **given) as other:
        transfer = await other.upload(source)
        with pytest.raises(ContentError) as caught:
            await transfer.wait()
        assert (caught.value.code, caught.value.hint) == ("content.full", "later")
        hands.failure = None
        (same,) = await me.transfers()
        assert same.info.resumable
        await same.resume()
        assert (await same.wait()).reason == ""


async def test_no_more_than_a_few_at_once(tmp_path: Path, source: Path) -> None:
    town, hands = Town(tmp_path), Hands()
    given = {"content": lambda environment, settings: hands}
    path = await profile(town, None, **given)
    async with town.open(path, **given) as me:
        transfers = [await me.upload(source) for _ in range(9)]
        hands.go.set()
        for transfer in transfers:
            await transfer.wait()
    assert hands.most_at_once == 4


async def test_the_same_call_made_twice_is_one_transfer(tmp_path: Path, source: Path) -> None:
    """As `Client.ask` does when the owner dies before it has answered."""
    town, hands = Town(tmp_path), Hands()
    given = {"content": lambda environment, settings: hands}
    path = await profile(town, None, **given)
    hands.go.set()
    async with town.open(path, **given) as me:
        for _ in range(2):
            await me.profile.upload("t-1", str(source), "n", "x/y", None, "")
            await me.profile.download("t-2", RemoteFile(1, "x/y", "https://h.test/f"), 1, str(tmp_path / "to"), None)
        assert len(await me.transfers()) == 2


# --- kills -----------------------------------------------------------------------------------------------------
async def phone(task: dict[str, Any], kill_at: int) -> None:
    """Run a phone until it has moved so many bytes, and kill it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("transfer_phone.py")),
        json.dumps(task),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)},
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while line := await process.stdout.readline():
            if json.loads(line)["done"] >= kill_at:
                process.kill()
        assert await process.wait() == -9


@pytest.mark.parametrize("kill_at", [0, 12_000_000])
async def test_sr06_a_killed_program_leaves_transfers_that_go_on(tmp_path: Path, kill_at: int) -> None:
    data = content(60_000_000)
    source = tmp_path / "big.bin"
    source.write_bytes(data)
    town = Town(tmp_path)
    async with Server.running(tmp_path) as lab:
        path = await profile(town, lab.url)
        task = {"profile": str(path), "state": str(tmp_path / "state")}
        await phone({**task, "upload": str(source)}, kill_at)
        async with town.open(path) as me:
            (found,) = await me.transfers()
            assert found.info.state is TransferState.INTERRUPTED
            await found.resume()
            document = await found.document()
        fetching = {"download": document.file.url, "size": len(data), "to": str(tmp_path / "out")}
        (tmp_path / "out").mkdir()
        await phone({**task, **fetching}, kill_at)
        async with town.open(path) as me:
            found = (await me.transfers())[-1]
            assert found.info.state is TransferState.INTERRUPTED
            await found.resume()
            assert Path((await found.wait()).path).read_bytes() == data
        assert [item.name for item in (tmp_path / "out").iterdir()] == ["got"]


# --- records ---------------------------------------------------------------------------------------------------
def test_settings_from_before_there_were_content_servers() -> None:
    old = b'{"version": 1, "directory": "https://d", "directory_ca": null, "instance": "i", "sip": null}'
    assert SETTINGS.kind.decode(old) == Settings("https://d", None, None, "i")
    new = Settings("https://d", None, None, "i", ContentAccount("https://c/u", "+1555", "secret"))
    assert SETTINGS.kind.decode(SETTINGS.kind.encode(new)) == new and "secret" not in repr(new)
    with pytest.raises(DecodeError):
        SETTINGS.kind.decode(old.replace(b'"sip": null', b'"sip": null, "content": {"url": 1}'))


def infos() -> list[TransferInfo]:
    up = UploadState("t", "/p", 5, 7, "n", "x/y", "/t", "image/png", True)
    down = DownloadState("https://h/f", "/to", "/part", None, b"\x01" * 32, '"t"', b"\x02" * 32)
    document = FileDocument(RemoteFile(5, "x/y", "https://h/f", 9, "n"), RemoteFile(1, "x/z", "https://h/t"), True, 3)
    pointer = FilePointer(RemoteSeal(Seal(5, Secret(b"k" * 32), b"d" * 32), "https://h/f", 9), "ü.jpg", "image/jpeg")
    return [
        TransferInfo("c", TransferState.RUNNING, 3, up, sealed=SealedTransfer("/p", "n", "", None, "/t", False)),
        TransferInfo(
            "d", TransferState.PAUSED, 4, down, 3, sealed=SealedTransfer("", "n", "x/y", pointer, thumbnail=True)
        ),
        TransferInfo("a", TransferState.DONE, 1, up, 5, document=document),
        TransferInfo(
            "b", TransferState.FAILED, 2, down, 3, "content.size", "m", "h", sha256=b"\x03" * 32, checked=True
        ),
    ]


@pytest.mark.parametrize("info", infos())
def test_records_come_back_as_they_were(info: TransferInfo) -> None:
    assert TRANSFER.decode(TRANSFER.encode(info)) == info
    assert info_from_json(json.loads(json.dumps(info_to_json(info)))) == info


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'{"version": 2}', b'{"version": 1}', b'{"version": 1, "upload": true}']
)
def test_damaged_records(data: bytes) -> None:
    with pytest.raises(DecodeError):
        TRANSFER.decode(data)
