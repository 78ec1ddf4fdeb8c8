"""Files of chats by sessions, from client to client over a real content server (SR-01, SR-14, SR-15)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import os
from pathlib import Path
from typing import Any

import pytest

from client.files_town import ANA, BEN, CLEO, FilesTown, content, file_in, inside, photo, received, until_cached
from client.phones import event, texts
from letterlock.client import Client, Environment, Settings, TotalProgress, TransferStage, TransferState
from letterlock.engine.content import FileFormat, pointed
from letterlock.engine.events import GroupJoined, MessageReceived, MessageSent, TransferChanged
from letterlock.engine.record_values import Status
from letterlock.errors import ContentError, InputError, NotEncrypted
from letterlock.transport.content.client import ContentClient
from letterlock.transport.content.config import Downloaded, DownloadState, ServerAccount

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
        assert inside(tmp_path / ANA / "transfers") == {}
        assert inside(tmp_path / BEN / "transfers") == {}


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


async def test_every_device_of_both(tmp_path: Path) -> None:
    """A copy for our own other devices; each has the key, and fetches for itself."""
    data = content(70_000)
    (tmp_path / "plan.bin").write_bytes(data)
    async with FilesTown.running(tmp_path) as town:
        ana, ben = await town.people(ANA, BEN)
        laptop, tablet = await town.second(ana, "laptop"), await town.second(ben, "tablet")
        await (await laptop.chat(BEN)).send("hello")
        await texts(tablet, 1)
        after = {person: await person.cursor() for person in (ana, ben, tablet)}
        sent = await (await laptop.chat(BEN)).send_file(tmp_path / "plan.bin")
        mine = await event(ana, MessageSent, after[ana], lambda each: each.message_id == sent)
        assert mine.event.content["name"] == "plan.bin"
        files = [
            await file_in(await ana.chat(BEN), sent),
            await received(ben, ANA, after[ben]),
            await received(tablet, ANA, after[tablet]),
        ]
        for number, (person, file) in enumerate(zip((ana, ben, tablet), files, strict=True)):
            info = await (await person.download(file, tmp_path / f"out{number}")).wait()
            assert Path(info.path).read_bytes() == data


async def test_a_group_by_its_signed_log(tmp_path: Path) -> None:
    data = content(5_000)
    (tmp_path / "plan.bin").write_bytes(data)
    async with FilesTown.running(tmp_path) as town:
        ana, ben, cleo = await town.people(ANA, BEN, CLEO)
        group = await ana.create_group([BEN, CLEO], "Regatta", protocol="signal")
        joined = (await event(ben, GroupJoined)).event.chat
        await event(cleo, GroupJoined)
        sent = await group.send_file(tmp_path / "plan.bin")
        for person in (ben, cleo):
            info = await (await person.download(await received(person, joined), tmp_path / person.number)).wait()
            assert Path(info.path).read_bytes() == data
        await (await ben.group(joined)).reply(sent, "thanks")
        answer = (await event(ana, MessageReceived)).event
        assert (answer.reply_to, answer.text) == (sent, "thanks")


async def test_through_the_owners_socket(tmp_path: Path) -> None:
    """A second process of the same user: sends, fetches, reads, looks at the cache."""
    data = content(1_500_000)
    (tmp_path / "plan.bin").write_bytes(data)
    async with FilesTown.running(tmp_path) as town:
        _, ben = await town.people(ANA, BEN)
        async with town.open(tmp_path / ANA) as writer, town.open(tmp_path / BEN) as reader:
            assert not writer.owner and not reader.owner
            await (await writer.chat(BEN)).send_file(tmp_path / "plan.bin")
            file = await received(reader, ANA)
            async with await reader.open_file(file) as opened:
                assert await opened.read(1_000_000, 500_000) == data[1_000_000:]
                assert await opened.read() == data
            with pytest.raises(InputError):
                await opened.read()
            assert await reader.cache() == await ben.cache()
            await reader.set_cache_budget(1_000)
            assert (await ben.cache()).files == ()
            with pytest.raises(InputError) as caught:
                await reader.download(file)
            assert caught.value.code == "input.cache"
            info = await (await reader.download(file, tmp_path / "got")).wait()
            assert Path(info.path).read_bytes() == data
            assert (await ben.cache()).files == ()


async def test_sr01_decided_before_the_first_byte_leaves(tmp_path: Path) -> None:
    """No keys are known, or none is found: nothing is uploaded until the user has decided."""
    (tmp_path / "plan.bin").write_bytes(b"the plan")
    async with FilesTown.running(tmp_path) as town:
        ana, _ = await town.people(ANA, BEN)
        chat = await ana.chat(CLEO)
        with pytest.raises(NotEncrypted) as refused:
            await chat.send_file(tmp_path / "plan.bin")
        assert await ana.transfers() == [] and town.server.blobs() == []
        # A file that was sealed for somebody does not go where its key would be read.
        sealed = await (await (await ana.chat(BEN)).upload(tmp_path / "plan.bin")).file()
        with pytest.raises(InputError) as wrong:
            await chat.send_file(sealed, allow=refused.value.options[0])
        assert wrong.value.code == "input.file_sealed"
        with pytest.raises(NotEncrypted):
            await chat.send_file(sealed)
        # Nor one that its server can read where everything is encrypted.
        document = await (await ana.upload(tmp_path / "plan.bin")).document()
        with pytest.raises(InputError) as wrong:
            await (await ana.chat(BEN)).send_file(document)
        assert wrong.value.code == "input.file_encrypted"
        assert not [sent for _, sent in town.town.net.sent if b"the plan" in sent.body]


async def test_a_chat_whose_keys_are_being_looked_up(tmp_path: Path) -> None:
    """The first thing ever said to somebody is a file, and it is sealed."""
    (tmp_path / "plan.bin").write_bytes(b"the plan")
    async with FilesTown.running(tmp_path) as town:
        ben_path = await town.create(BEN)
        (ana,) = await town.people(ANA)
        sent = await (await ana.chat(BEN)).send_file(tmp_path / "plan.bin")
        assert (await file_in(await ana.chat(BEN), sent)).format is FileFormat.SEALED
        ben = await town.opened(ben_path)
        file = await received(ben, ANA)
        async with await ben.open_file(file) as reader:
            assert await reader.read() == b"the plan"


async def test_sr01_a_file_waits_for_keys_as_a_text_does(tmp_path: Path) -> None:
    """The directory does not answer: the file is sealed and uploaded, and its message goes when there are keys."""
    (tmp_path / "plan.bin").write_bytes(b"the plan")
    async with FilesTown.running(tmp_path) as town:
        ben = await town.opened(await town.create(BEN))
        ana_path = await town.create(ANA)
        async with town.open(ana_path) as ana:
            town.town.book.down = True
            chat = await ana.chat(BEN)
            with pytest.raises(NotEncrypted):
                await chat.send_file(tmp_path / "plan.bin", wait=False)
            assert await ana.transfers() == []
            sent = await chat.send_file(tmp_path / "plan.bin")
            (message,) = await chat.messages()
            assert (message.message_id, message.status) == (sent, Status.WAITING)
            assert (await file_in(chat, sent)).format is FileFormat.SEALED
        town.town.book.down = False
        await town.opened(ana_path)
        file = await received(ben, ANA)
        async with await ben.open_file(file) as reader:
            assert await reader.read() == b"the plan"


async def test_pause_and_cancel_while_it_is_sealed(tmp_path: Path) -> None:
    """SR-06: a seal that was stopped leaves nothing, and the next one has its own key."""
    data = content(30_000_000)
    (tmp_path / "film.bin").write_bytes(data)
    async with FilesTown.running(tmp_path) as town:
        ana, _ = await town.people(ANA, BEN)
        chat = await ana.chat(BEN)
        await chat.send("hello")
        transfer = await chat.upload(tmp_path / "film.bin", thumbnail=False)
        await transfer.pause()
        assert transfer.info.state is TransferState.PAUSED and transfer.info.sealed is not None
        assert transfer.info.sealed.pointer is None and inside(tmp_path / ANA / "transfers") == {}
        await transfer.resume()
        file = await transfer.file()
        async with await ana.open_file(file) as reader:
            assert await reader.read(29_999_990, 100) == data[-10:]
        other = await chat.upload(tmp_path / "film.bin", thumbnail=False)
        await other.cancel()
        await until_cached(ana, 1)
        assert inside(tmp_path / ANA / "transfers") == {}
        assert [each.id for each in await ana.transfers()] == [transfer.id]


async def test_progress_while_it_is_sealed_and_opened(tmp_path: Path) -> None:
    """A large file is read from end to end before its first byte moves, and after its last one came."""
    (tmp_path / "film.bin").write_bytes(content(12_000_000))
    async with FilesTown.running(tmp_path) as town:
        ana, ben = await town.people(ANA, BEN)
        chat = await ana.chat(BEN)
        await chat.send("hello")
        after = await ana.cursor()
        await chat.send_file(tmp_path / "film.bin", thumbnail=False)
        file = await received(ben, ANA)
        transfer = await ben.download(file, tmp_path / "got.bin")
        await transfer.wait()
        for person, begin, stages in ((ana, after, ["sealing", "moving"]), (ben, 0, ["moving", "opening", "moving"])):
            told = await changes(person, begin)
            assert [stage for stage, _ in itertools.groupby(each.stage for each in told)] == stages
            assert told[-1].state == "done" and told[-1].done == told[-1].size
            for stage in stages[:2]:
                part = [each.done for each in told if each.stage == stage and each.state == "running"]
                assert len(part) >= 5 and part == sorted(part)
        assert (transfer.info.stage, transfer.info.done) == (TransferStage.MOVING, file.file.size)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("holiday.jpg", b"MZ" + bytes(900), "it says image/jpeg and is application/x-executable"),
        ("holiday.jpg", photo(), ""),
        ("notes.txt", b"hello", ""),
    ],
)
async def test_sr14_a_name_that_does_not_fit_the_bytes(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    """Said on both sides, and whether a plain copy is written or not."""
    (tmp_path / name).write_bytes(data)
    async with FilesTown.running(tmp_path) as town:
        ana, ben = await town.people(ANA, BEN)
        upload = await (await ana.chat(BEN)).upload(tmp_path / name)
        await (await ana.chat(BEN)).send_file(await upload.file())
        assert upload.info.disagreement == says
        file = await received(ben, ANA)
        for to in (None, tmp_path / "got"):
            assert (await (await ben.download(file, to)).wait()).disagreement == says


async def test_a_name_that_is_no_text_or_too_long(tmp_path: Path) -> None:
    """Refused before it is sealed; of a file whose name on the disk is no text, what is text is told."""
    odd = tmp_path / os.fsdecode(b"a\xff.bin")
    odd.write_bytes(b"the plan")
    async with FilesTown.running(tmp_path) as town:
        ana, ben = await town.people(ANA, BEN)
        chat = await ana.chat(BEN)
        for name in ("x" * 256, "\udcff"):
            with pytest.raises(InputError) as refused:
                await chat.send_file(odd, name=name)
            assert refused.value.code == "input.file_name"
        assert await ana.transfers() == []
        await chat.send_file(odd)
        assert (await received(ben, ANA)).name == "a\ufffd.bin"


async def changes(person: Client, after: int) -> list[TransferChanged]:
    """What was told of transfers up to now."""
    told, last = [], await person.cursor()
    async for recorded in person.events(after):
        if isinstance(recorded.event, TransferChanged):
            told.append(recorded.event)
        if recorded.cursor >= last:
            break
    return told


async def test_what_is_said_of_a_file_and_what_is_not(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(photo())
    (tmp_path / "cover.jpg").write_bytes(photo(2, 300))
    (tmp_path / "song.txt").write_bytes(b"la la la")
    async with FilesTown.running(tmp_path) as town:
        ana, _ = await town.people(ANA, BEN)
        chat = await ana.chat(BEN)
        bare = await (await chat.upload(tmp_path / "a.jpg", thumbnail=False, content_type="image/jpeg")).file()
        assert bare.pointer is not None and bare.thumbnail is None and bare.pointer.dimensions is None
        covered = await (await chat.upload(tmp_path / "song.txt", thumbnail=tmp_path / "cover.jpg")).file()
        assert covered.pointer is not None and covered.pointer.thumbnail is not None
        assert covered.pointer.thumbnail.at.seal.key.reveal() != covered.pointer.at.seal.key.reveal()
        wrong = await chat.upload(tmp_path / "a.jpg", thumbnail=tmp_path / "song.txt")
        with pytest.raises(InputError):
            await wrong.wait()
        assert not [name for name in inside(tmp_path / ANA / "transfers") if ".sealed" in name]


async def test_how_far_all_of_them_are(tmp_path: Path) -> None:
    data = content(3_000_000)
    (tmp_path / "plan.bin").write_bytes(data)
    async with FilesTown.running(tmp_path) as town:
        ana, _ = await town.people(ANA, BEN)
        chat = await ana.chat(BEN)
        await chat.send("hello")
        assert [each async for each in ana.total_progress()] == [TotalProgress(0, 0, 0)]
        for _ in range(3):
            await chat.upload(tmp_path / "plan.bin", thumbnail=False)
        seen = [each async for each in ana.total_progress()]
        assert seen[0].running == 3 and seen[0].size == 3 * (await ana.transfers())[0].info.task.size  # type: ignore[operator]
        assert seen[-1].running == 0 and all(each.done <= each.size for each in seen)
        assert [each.info.state for each in await ana.transfers()] == [TransferState.DONE] * 3


async def test_a_server_that_does_not_answer_stops_nobody_else(tmp_path: Path) -> None:
    """Six at once, four of one server: two are left for the others."""
    (tmp_path / "plan.bin").write_bytes(b"the plan")
    waiting: set[str] = set()
    most: list[int] = []
    release = asyncio.Event()

    class Slow(ContentClient):
        async def download(self, state: DownloadState, on_progress: Any, on_state: Any) -> Downloaded:
            if "slow" not in state.url:
                return await super().download(state, on_progress, on_state)
            waiting.add(state.part)
            most.append(len(waiting))
            await release.wait()
            waiting.discard(state.part)
            raise ContentError("slow", code="content.refused")

    def slow(environment: Environment, settings: Settings) -> ContentClient:
        assert settings.content is not None
        account = ServerAccount(settings.content.url, settings.content.username, settings.content.password)
        return Slow(account, rng=os.urandom, now=environment.clock)

    async with FilesTown.running(tmp_path) as town:
        ana = await town.opened(await town.create(ANA))
        ben = await town.opened(await town.create(BEN), content=slow)
        await (await ana.chat(BEN)).send_file(tmp_path / "plan.bin")
        file = await received(ben, ANA)
        assert file.pointer is not None
        at = dataclasses.replace(file.pointer.at, url="https://slow.example/x")
        slowly = [await ben.download(pointed(dataclasses.replace(file.pointer, at=at))) for _ in range(8)]
        while len(waiting) < 4:
            await asyncio.sleep(0)
        assert (await (await ben.download(file)).wait()).state is TransferState.DONE
        release.set()
        for transfer in slowly:
            with contextlib.suppress(ContentError):
                await transfer.wait()
        assert max(most) == 4
