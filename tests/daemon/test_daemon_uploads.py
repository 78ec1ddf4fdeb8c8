"""Files from the page: sealed and sent, with no plain copy on the disk (SR-01, SR-15, SR-16)."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from client.files_town import content, file_in, photo, received
from daemon.sse import Frame, Stream, listening
from daemon.town import Person, Town, plain_option, town
from daemon.visitor import Answer, Visitor, visiting
from letterlock.apps.daemon import DaemonSettings
from letterlock.apps.daemon.spool import Spool
from letterlock.apps.verbs.errors import option_token
from letterlock.engine.content import FileFormat
from letterlock.services.content import ContentLimits, ContentServer

pytestmark = pytest.mark.anyio

CANARY = b"the only copy in the clear"


async def told(stream: Stream, transfer: str) -> Frame:
    """What became of the message of an upload."""
    while True:
        frame = (await stream.until("upload"))[-1]
        if frame.data["transfer"] == transfer and frame.data["state"] != "begun":
            return frame


def holding(person: Person, data: bytes) -> list[Path]:
    """The files of a profile with these bytes in them."""
    found = [path for path in person.folder.rglob("*") if path.is_file() and not path.is_socket()]
    return [path for path in found if data in path.read_bytes()]


async def uploaded(visitor: Visitor, both: Town, data: bytes, **query: str) -> Answer:
    return await visitor.upload(data, chat=both.ben.number, **query)


async def test_a_picture_from_the_page_to_the_other_phone(both: Town) -> None:
    picture = photo()
    async with visiting(both.ana) as ana, listening(ana) as stream:
        answer = await uploaded(ana, both, picture, name="C:\\fake\\lake.jpg", type="image/jpeg")
        assert answer.status == 202
        done = await told(stream, answer.json()["transfer"])
        assert done.id is None and done.data["state"] == "sent" and done.data["chat"] == both.ben.number
        file = await received(both.ben.client, both.ana.number)
        assert (file.name, file.content_type, file.size) == ("lake.jpg", "image/jpeg", len(picture))
        # Its thumbnail and its size were made from the file that has no name.
        assert file.format is FileFormat.SEALED and file.pointer is not None and file.pointer.thumbnail is not None
        assert file == await file_in(await both.ana.client.chat(both.ben.number), done.data["message_id"])
        async with await both.ben.client.open_file(file) as reader:
            assert await reader.read() == picture


@pytest.mark.parametrize("in_memory", [0, 1 << 20])
async def test_nothing_plain_is_on_the_disk_while_it_waits(tmp_path: Path, in_memory: int) -> None:
    """SR-15: in memory, or in a file without a name; neither in the profile nor anywhere after."""
    data = CANARY * 5000
    async with town(tmp_path, DaemonSettings(in_memory_bytes=in_memory)) as both, visiting(both.ana) as ana:
        gate, half = asyncio.Event(), asyncio.Event()

        async def body() -> AsyncGenerator[bytes, None]:
            yield data[:100_000]
            half.set()
            await gate.wait()
            yield data[100_000:]

        async with listening(ana) as stream:
            headers = {"Content-Length": str(len(data))}
            coming = asyncio.ensure_future(ana.upload(body(), headers, chat=both.ben.number, name="plan.txt"))
            await half.wait()
            while not any((both.ana.folder / "uploads").glob("*")):
                await asyncio.sleep(0)
            (link,) = (both.ana.folder / "uploads").iterdir()
            assert link.is_symlink() and stat.S_IMODE(link.parent.stat().st_mode) == 0o700
            assert os.stat(link).st_nlink == 0 and not holding_by_name(both.ana, CANARY)
            gate.set()
            answer = await coming
            assert answer.status == 202, answer
            assert (await told(stream, answer.json()["transfer"])).data["state"] == "sent"
        assert not list((both.ana.folder / "uploads").iterdir())
        assert not holding(both.ana, CANARY)
        file = await received(both.ben.client, both.ana.number)
        async with await both.ben.client.open_file(file) as reader:
            assert await reader.read() == data


def holding_by_name(person: Person, data: bytes) -> list[Path]:
    """As `holding`, without following the links that lead into this process."""
    found = [path for path in person.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in found if data in path.read_bytes()]


async def test_progress_and_an_end_are_events(both: Town) -> None:
    async with visiting(both.ana) as ana, listening(ana) as stream:
        transfer = (await uploaded(ana, both, content(5_000_000), name="film.mp4")).json()["transfer"]
        frames = [*await stream.until("upload"), *await stream.until("upload")]  # that it has begun, and its end
        mine = [frame.data for frame in frames if frame.data.get("transfer") == transfer and "stage" in frame.data]
        assert next(each["state"] for each in mine) == "running" and mine[-1]["state"] == "done"
        assert all(each["upload"] and each["done"] <= each["size"] for each in mine)
        assert len(mine) > 3 and sorted(each["done"] for each in mine if each["stage"] == "moving") == [
            each["done"] for each in mine if each["stage"] == "moving"
        ]


async def test_an_upload_that_is_cancelled_sends_nothing(both: Town) -> None:
    async with visiting(both.ana) as ana, listening(ana) as stream:
        await both.content.close()  # so that it does not end by itself first
        transfer = (await uploaded(ana, both, CANARY * 1000, name="plan.txt")).json()["transfer"]
        await ana.call("transfer.cancel", transfer=transfer)
        while (frame := await stream.next()) is None or frame.data.get("state") != "cancelled":
            assert frame is not None
        while len(both.ana.daemon._uploads.outgoing):
            await asyncio.sleep(0)
        assert await (await both.ana.client.chat(both.ben.number)).messages() == []
        assert not list((both.ana.folder / "uploads").iterdir()) and not holding(both.ana, CANARY)


async def test_a_server_that_takes_no_such_file(tmp_path: Path) -> None:
    """The reason stays in the list, and nothing is kept of the file."""
    async with town(tmp_path) as both, visiting(both.ana) as ana, listening(ana) as stream:
        await both.content.close()
        small = ContentServer(
            tmp_path / "small", password_of=None, port=both.content.port, limits=ContentLimits(max_file=10_000)
        )
        await small.start()
        transfer = (await uploaded(ana, both, CANARY * 1000, name="plan.txt")).json()["transfer"]
        while (frame := await stream.next()) is None or frame.data.get("state") != "failed":
            assert frame is not None
        (left,) = await ana.call("uploads")
        assert (left["transfer"], left["state"], left["resumable"]) == (transfer, "failed", False)
        assert left["error"]["data"]["code"] == "content.too_large"
        while any((both.ana.folder / "uploads").iterdir()):
            await asyncio.sleep(0)
        assert not list((both.ana.folder / "uploads").iterdir()) and not holding(both.ana, CANARY)
        await small.close()


async def test_a_page_that_goes_away_in_the_middle_sends_nothing(both: Town) -> None:
    async with visiting(both.ana) as ana:
        reader, writer = await asyncio.open_connection("127.0.0.1", both.ana.daemon.port)
        own = f"127.0.0.1:{both.ana.daemon.port}"
        writer.write(
            f"POST /api/v1/files?chat=%2B{both.ben.number[1:]}&name=x HTTP/1.1\r\nHost: {own}\r\nOrigin: http://{own}\r\n"
            f"Cookie: {ana.headers['Cookie']}\r\nLetterlock-Proof: {ana.headers['Letterlock-Proof']}\r\n"
            "Content-Type: application/octet-stream\r\nContent-Length: 90000\r\n\r\n".encode()
            + CANARY
        )
        while not any((both.ana.folder / "uploads").glob("*")):
            await asyncio.sleep(0)
        writer.close()
        async with asyncio.timeout(10):
            while any((both.ana.folder / "uploads").iterdir()) or both.ana.daemon._uploads._coming:
                await asyncio.sleep(0)
    assert not await both.ana.client.transfers()
    assert await (await both.ana.client.chat(both.ben.number)).messages() == []
    assert reader is not None


async def test_nothing_goes_unencrypted_without_a_decision(tmp_path: Path) -> None:
    """SR-01: the refusal says what may be chosen, and one choice is for one chat and one transition."""
    async with town(tmp_path, apart=True) as both, visiting(both.ana) as ana, listening(ana) as stream:
        option = await plain_option(both)
        refused = await uploaded(ana, both, CANARY, name="x.txt")
        assert refused.status == 409
        said = refused.json()["error"]["data"]
        assert said["exit"] == 7 and [each["token"] for each in said["options"]] == [option_token(option)]
        assert not await both.ana.client.transfers() and not list((both.ana.folder / "uploads").iterdir())
        wrong = await uploaded(ana, both, CANARY, name="x.txt", allow="plain-rcs.1.00")
        assert (wrong.status, wrong.code) == (400, "input.allow")
        allowed = await uploaded(ana, both, CANARY, name="x.txt", allow=option_token(option))
        assert allowed.status == 202, allowed
        assert (await told(stream, allowed.json()["transfer"])).data["state"] == "sent"
        file = await received(both.ben.client, both.ana.number)
        assert file.format is FileFormat.PLAIN and file.size == len(CANARY)
        assert not list((both.ana.folder / "uploads").iterdir())


async def test_what_cannot_be_sent_is_refused_in_words(both: Town) -> None:
    async with visiting(both.ana) as ana:
        nobody = await ana.upload(b"x", chat="+1", name="x")
        assert (nobody.status, nobody.code) == (400, "input.number")
        assert (await ana.upload(b"x", name="x")).status == 400
        answer = await uploaded(ana, both, b"x", name="x", reply_to="00")
        assert (answer.status, answer.code) == (400, "input.target")
        long = await uploaded(ana, both, b"x" * 9000, name="x", text_bytes="8193")
        assert (long.status, long.code) == (400, "input.text_size")
        short = await uploaded(ana, both, b"x", name="x", text_bytes="2")
        assert (short.status, short.code) == (400, "daemon.body")
        odd = await uploaded(ana, both, b"\xff x", name="x", text_bytes="2")
        assert (odd.status, odd.code) == (400, "input.text_unicode")
        bad = await uploaded(ana, both, b"x", name="x", type="no type")
        assert bad.status == 400 and not list((both.ana.folder / "uploads").iterdir())


async def test_the_daemon_ends_in_the_middle_of_an_upload(both: Town) -> None:
    """Its transfer is cancelled rather than left to send a message that nobody waits for."""
    async with visiting(both.ana) as ana:
        await both.content.close()
        assert (await uploaded(ana, both, CANARY * 1000, name="plan.txt")).status == 202
        await both.ana.daemon.close()
    assert not await both.ana.client.transfers()
    assert not list((both.ana.folder / "uploads").iterdir()) and not holding(both.ana, CANARY)


# --- the spool ---------------------------------------------------------------------------------------------------
def test_a_file_waits_without_a_name(tmp_path: Path) -> None:
    spool = Spool(tmp_path, in_memory_bytes=10)
    for size in (5, 11, None):
        waiting = spool.new(size)
        waiting.write(b"x" * 100_000)
        assert waiting.path.read_bytes() == b"x" * 100_000
        assert waiting.path.is_symlink() and os.stat(waiting.path).st_nlink == 0
        assert os.stat(waiting.path).st_mode & 0o077 in (0, 0o077)  # of memory the mode is nobody's business
        waiting.release()
        waiting.release()
        assert not os.path.lexists(waiting.path)


def test_where_files_need_names_they_are_deleted(tmp_path: Path) -> None:
    class Named(Spool):
        """As on a system without unnamed files."""

        def _unnamed(self, size: int | None) -> int | None:
            return None

    spool = Named(tmp_path, in_memory_bytes=10)
    waiting, left = spool.new(5), spool.new(5)
    waiting.write(CANARY)
    left.write(CANARY)
    assert stat.S_IMODE(waiting.path.stat().st_mode) == 0o600
    waiting.release()
    assert not waiting.path.exists() and left.path.exists()
    spool.clear()  # the next daemon's
    assert not left.path.exists()
    left.release()
