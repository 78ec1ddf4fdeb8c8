"""Phones with a content server: people whose chats go by sessions, and who send each other files."""

from __future__ import annotations

import asyncio
import contextlib
import io
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from PIL import Image

from client.phones import Town, event
from content.lab import PASSWORD, Server
from letterlock.client import Client, ContentAccount, Conversation
from letterlock.engine.content import File
from letterlock.engine.events import MessageReceived

ANA, BEN, CLEO = "+15550100", "+15550199", "+15550142"


def content(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def photo(seed: int = 1, side: int = 500) -> bytes:
    """A picture that does not compress to nothing."""
    out = io.BytesIO()
    Image.frombytes("RGB", (side, side), content(side * side * 3, seed)).save(out, "JPEG", quality=60)
    return out.getvalue()


class FilesTown:
    """`server` is the content server that everybody uploads to."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder, self.server, self.town = folder, server, Town(folder)

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, folder: Path) -> AsyncIterator[FilesTown]:
        async with Server.running(folder / "network") as server, asyncio.timeout(50):
            yield cls(folder, server)

    async def create(self, number: str, **changes: Any) -> Path:
        path = self.folder / number
        await Client.create(
            path,
            number,
            directory="http://127.0.0.1:1",
            code="12345678",
            content=ContentAccount(self.server.url, number, PASSWORD),
            passphrase="tulip",
            environment=self.town.environment(**changes),
        )
        return path

    def open(self, path: Path, **changes: Any) -> Client:
        return self.town.open(path, **changes)

    @contextlib.asynccontextmanager
    async def people(self, *numbers: str) -> AsyncIterator[list[Client]]:
        async with contextlib.AsyncExitStack() as stack:
            yield [await stack.enter_async_context(self.open(await self.create(number))) for number in numbers]


async def received(person: Client, chat: str, after: int = 0) -> File:
    """The next file that comes in a chat."""
    told = await event(
        person,
        MessageReceived,
        after,
        lambda each: each.chat == chat and (each.content or {}).get("kind") == "file",
    )
    return await file_in(await person.conversation(chat), told.event.message_id)


async def file_in(chat: Conversation, message_id: str) -> File:
    (found,) = [each.content for each in await chat.messages() if each.message_id == message_id]
    assert isinstance(found, File)
    return found


def inside(folder: Path) -> dict[str, bytes]:
    """Every file in a folder, for a search of it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
