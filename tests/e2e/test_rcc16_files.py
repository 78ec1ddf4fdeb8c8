"""Files in RCC.16 chats over everything real: nothing that a server stores or carries holds name, content or thumbnail."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import pytest

from e2e.rcc16_town import BOTH, RCC16, Person, Town, town
from letterlock.apps.cli import main
from letterlock.carrier import Searcher
from letterlock.client import Client, Group
from letterlock.engine import events as ev
from letterlock.engine.content import File
from letterlock.errors import ContentError, InputError

ANA, BEN, CLEO = "+15550100", "+15550199", "+15550142"
NAME = "Crane über the pier.jpg"


def _content(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


async def _file(person: Person, chat: str) -> File:
    """The last file that came in a chat."""
    await person.until(
        lambda events: any(
            isinstance(event, ev.MessageReceived) and event.chat == chat and (event.content or {}).get("kind") == "file"
            for event in events
        )
    )
    found = [message.content for message in await (await person.client.conversation(chat)).messages()]
    return [content for content in found if isinstance(content, File)][-1]


def _nowhere(place: Town, *secrets: bytes) -> None:
    """Every file that the network side has, and every byte that went over the carrier (SR-14)."""
    searcher = Searcher(place.log)
    kept = [path for path in (place.folder / "network").rglob("*") if path.is_file()]
    assert any(path.parent.name == "blobs" for path in kept)
    for secret in secrets:
        assert not searcher.search(secret)
        assert [path for path in kept if secret in path.read_bytes()] == []
    assert searcher.search(BEN)


def test_a_file_with_its_thumbnail(tmp_path: Path) -> None:
    asyncio.run(_a_file_with_its_thumbnail(tmp_path))


async def _a_file_with_its_thumbnail(tmp_path: Path) -> None:
    content, picture = _content(1, 70_001), _content(2, 900)
    (tmp_path / NAME).write_bytes(content)
    (tmp_path / "small.jpg").write_bytes(picture)
    (tmp_path / "got").mkdir()
    async with town(tmp_path) as place:
        ana, ben = await place.person(ANA, BOTH), await place.person(BEN, RCC16)
        chat = await ana.client.chat(BEN)
        sent = await chat.send_file(tmp_path / NAME, content_type="image/jpeg", thumbnail=tmp_path / "small.jpg")
        file = await _file(ben, ANA)
        assert (file.name, file.content_type, file.size) == (NAME, "image/jpeg", len(content))
        assert (file.file.name, file.file.content_type) == ("encrypted_file", "message/mls-ft")
        assert file.file.size > len(content)
        info = await (await ben.client.download(file, tmp_path / "got")).wait()
        assert info.checked and Path(info.path).name == NAME and Path(info.path).read_bytes() == content
        small = await (await ben.client.download(file, tmp_path / "small.out", thumbnail=True)).wait()
        assert Path(small.path).read_bytes() == picture
        (told,) = [event for event in await ben.events() if isinstance(event, ev.MessageReceived)]
        assert told.message_id == sent and told.encrypted and told.content is not None
        assert (told.content["name"], told.content["size"]) == (NAME, len(content))
        # Nothing of what was on its way is left; one delivery, that of the file and not of its key.
        for person in (ana, ben):
            async with asyncio.timeout(5):
                while list((person.folder / "profile" / "transfers").iterdir()):
                    await asyncio.sleep(0)
        delivered = await ana.until(lambda events: any(isinstance(event, ev.MessageDelivered) for event in events))
        assert [event.message_id for event in delivered if isinstance(event, ev.MessageDelivered)] == [sent]
    _nowhere(place, NAME.encode(), b"Crane", content[:64], content[-64:], picture[:64])


def test_a_file_in_a_group_and_through_the_owner(tmp_path: Path) -> None:
    asyncio.run(_a_file_in_a_group_and_through_the_owner(tmp_path))


async def _a_file_in_a_group_and_through_the_owner(tmp_path: Path) -> None:
    content = _content(3, 5_000)
    (tmp_path / NAME).write_bytes(content)
    async with town(tmp_path) as place:
        ana, ben, cleo = [await place.person(number, RCC16) for number in (ANA, BEN, CLEO)]
        group = await ana.client.create_group([BEN, CLEO], "Regatta")
        name = group.group
        await ben.until(lambda events: any(isinstance(event, ev.GroupJoined) for event in events))
        second = Client.open(ana.folder / "profile", key_file=ana.folder / "key", environment=ana.environment)
        async with second as other:
            assert other.profile.shared
            transfer = await Group(name, other).upload(tmp_path / NAME)
            await Group(name, other).send_file(await transfer.file())
        for person in (ben, cleo):
            to = tmp_path / person.number
            to.mkdir()
            info = await (await person.client.download(await _file(person, name), to)).wait()
            assert Path(info.path).read_bytes() == content and Path(info.path).parent == to
    _nowhere(place, NAME.encode(), content[:64])


def test_the_picture_of_a_group(tmp_path: Path) -> None:
    asyncio.run(_the_picture_of_a_group(tmp_path))


async def _the_picture_of_a_group(tmp_path: Path) -> None:
    """rcc16.md 7.5: its key is never in what a server sees; who is added later has it too."""
    picture = _content(5, 3_000)
    (tmp_path / "crane.jpg").write_bytes(picture)
    (tmp_path / "large.jpg").write_bytes(bytes(300 << 10))
    async with town(tmp_path) as place:
        ana, ben, cleo = [await place.person(number, RCC16) for number in (ANA, BEN, CLEO)]
        group = await ana.client.create_group([BEN], "Regatta")
        name = group.group
        await ben.until(lambda events: any(isinstance(event, ev.GroupJoined) for event in events))
        with pytest.raises(InputError):
            await group.set_picture(tmp_path / "large.jpg")
        await group.set_picture(tmp_path / "crane.jpg")
        for person in (ana, ben):
            await person.until(lambda events: any(isinstance(event, ev.IconChanged) for event in events))
        await Group(name, ben.client).add(CLEO)
        await cleo.until(lambda events: any(isinstance(event, ev.IconChanged) for event in events))
        for person in (ana, ben, cleo):
            to = tmp_path / f"{person.number}.jpg"
            info = await (await Group(name, person.client).fetch_picture(to)).wait()
            assert Path(info.path).read_bytes() == picture
        key = await ana.client.profile.icon(name)
        assert key is not None and key.sealed is not None
        await Group(name, cleo.client).set_icon(b"", "")
        await ana.until(lambda events: any(isinstance(event, ev.IconChanged) and not event.icon for event in events))
        with pytest.raises(InputError):
            await group.fetch_picture(tmp_path)
        assert (await group.info()).icon == ""
    _nowhere(place, picture[:64], b"crane.jpg", key.sealed.encryption.key_material)


def test_what_does_not_verify_is_not_kept(tmp_path: Path) -> None:
    asyncio.run(_what_does_not_verify_is_not_kept(tmp_path))


async def _what_does_not_verify_is_not_kept(tmp_path: Path) -> None:
    """SR-14, SR-15: a content server that gives other bytes of the same length."""
    content = _content(4, 20_000)
    (tmp_path / "plan.pdf").write_bytes(content)
    (tmp_path / "got").mkdir()
    async with town(tmp_path) as place:
        ana, ben = await place.person(ANA, RCC16), await place.person(BEN, RCC16)
        chat = await ana.client.chat(BEN)
        await chat.send_file(tmp_path / "plan.pdf")
        file = await _file(ben, ANA)
        other = await (await ana.client.upload(_other(tmp_path, file.file.size))).document()
        swapped = File(other.file, sealed=file.sealed)
        transfer = await ben.client.download(swapped, tmp_path / "got")
        with pytest.raises(ContentError) as refused:
            await transfer.wait()
        assert refused.value.code == "rcc16.c.3-01"
        assert list((tmp_path / "got").iterdir()) == []
        assert list((ben.folder / "profile" / "transfers").iterdir()) == []
        await transfer.cancel()
        info = await (await ben.client.download(file, tmp_path / "got")).wait()
        assert Path(info.path).read_bytes() == content


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(_from_the_command_line(tmp_path))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["path"] == str(tmp_path / "got" / "bashrc") and lines[-1]["checked"]


async def _from_the_command_line(tmp_path: Path) -> None:
    """And a name that would leave its folder (SR-14)."""
    content = _content(6, 4_000)
    (tmp_path / "plan.pdf").write_bytes(content)
    (tmp_path / "got").mkdir()
    async with town(tmp_path) as place:
        ana, ben = await place.person(ANA, RCC16), await place.person(BEN, RCC16)

        async def letterlock(person: Person, *words: str) -> int:
            profile = ("--profile", str(person.folder / "profile"), "--key-file", str(person.folder / "key"))
            return await asyncio.to_thread(main, ["-o", "json", *words, *profile])

        sent = ("--file", str(tmp_path / "plan.pdf"), "--name", "../../.bashrc", "--type", "application/pdf")
        assert await letterlock(ana, "send", BEN, *sent) == 0
        file = await _file(ben, ANA)
        assert (file.name, file.content_type) == ("../../.bashrc", "application/pdf")
        message = (await (await ben.client.chat(ANA)).messages())[-1].message_id
        fetch = ("download", "--chat", ANA, "--message", message[:8], "--to", str(tmp_path / "got"))
        assert await letterlock(ben, *fetch) == 0
    assert (tmp_path / "got" / "bashrc").read_bytes() == content


def test_what_cannot_be_sent(tmp_path: Path) -> None:
    asyncio.run(_what_cannot_be_sent(tmp_path))


async def _what_cannot_be_sent(tmp_path: Path) -> None:
    """SR-01: neither what the server can read in an encrypted chat, nor what was encrypted for another protocol."""
    (tmp_path / "plan.pdf").write_bytes(b"the plan")
    async with town(tmp_path) as place:
        ana, ben, cleo = await place.person(ANA, BOTH), await place.person(BEN, RCC16), await place.person(CLEO, BOTH)
        chat = await ana.client.chat(BEN)
        document = await (await ana.client.upload(tmp_path / "plan.pdf")).document()
        with pytest.raises(InputError) as refused:
            await chat.send_file(document)
        assert refused.value.code == "input.file_encrypted"
        sessions = await ana.client.chat(CLEO)
        await sessions.send("by sessions")
        await cleo.until(lambda events: any(isinstance(event, ev.MessageReceived) for event in events))
        with pytest.raises(InputError) as refused:
            await sessions.send_file(document)
        assert refused.value.code == "input.file_encrypted"
        # Nor does what was encrypted for one protocol go by the other.
        for one, other in ((chat, sessions), (sessions, chat)):
            sealed = await (await one.upload(tmp_path / "plan.pdf")).file()
            with pytest.raises(InputError) as refused:
                await other.send_file(sealed)
            assert refused.value.code == "input.file_sealed"
        assert not [event for event in await ben.events() if isinstance(event, ev.MessageReceived)]


def _other(folder: Path, size: int) -> Path:
    path = folder / "other"
    path.write_bytes(_content(9, size))
    return path
