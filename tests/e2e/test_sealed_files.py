"""Files of chats by sessions over everything real: nothing that a server stores or carries holds name, content or thumbnail."""

from __future__ import annotations

import asyncio
from pathlib import Path

from client.files_town import photo
from e2e.rcc16_town import BOTH, Person, Town, town
from letterlock.carrier import Searcher
from letterlock.engine import events as ev
from letterlock.engine.content import File, FileFormat

ANA, BEN, CLEO = "+15550100", "+15550199", "+15550142"
NAME = "Crane above the pier.jpg"


async def _file(person: Person, chat: str) -> File:
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


def test_a_picture_in_a_chat_and_in_a_group(tmp_path: Path) -> None:
    asyncio.run(_a_picture_in_a_chat_and_in_a_group(tmp_path))


async def _a_picture_in_a_chat_and_in_a_group(tmp_path: Path) -> None:
    picture = photo(7, 400)
    (tmp_path / NAME).write_bytes(picture)
    (tmp_path / "got").mkdir()
    async with town(tmp_path) as place:
        ana, ben, cleo = [await place.person(number, BOTH) for number in (ANA, BEN, CLEO)]
        chat = await ana.client.chat(BEN)
        sent = await chat.send_file(tmp_path / NAME)
        file = await _file(ben, ANA)
        assert file.format is FileFormat.SEALED and file.pointer is not None and file.pointer.thumbnail is not None
        assert (file.name, file.content_type, file.size) == (NAME, "image/jpeg", len(picture))
        info = await (await ben.client.download(file, tmp_path / "got")).wait()
        assert info.checked and Path(info.path).name == NAME and Path(info.path).read_bytes() == picture
        async with await ben.client.open_file(file, thumbnail=True) as reader:
            small = await reader.read()
        assert small.startswith(b"\xff\xd8")
        delivered = await ana.until(lambda events: any(isinstance(event, ev.MessageDelivered) for event in events))
        assert [event.message_id for event in delivered if isinstance(event, ev.MessageDelivered)] == [sent]
        group = await ana.client.create_group([BEN, CLEO], "Regatta", protocol="signal")
        for person in (ben, cleo):
            await person.until(lambda events: any(isinstance(event, ev.GroupJoined) for event in events))
        await group.send_file(tmp_path / NAME)
        for person in (ben, cleo):
            shared = await _file(person, group.group)
            async with await person.client.open_file(shared) as reader:
                assert await reader.read() == picture
            # A fresh key for each upload, also of the same file.
            assert shared.pointer is not None
            assert not shared.pointer.at.seal.key.matches(file.pointer.at.seal.key)
    keys = [at.seal.key.reveal() for at in (file.pointer.at, file.pointer.thumbnail.at)]
    _nowhere(place, NAME.encode(), b"Crane", picture[:64], picture[-64:], small[-64:], *keys)
