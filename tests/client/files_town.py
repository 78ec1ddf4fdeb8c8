"""Phones with a content server: people whose chats go by sessions, and who send each other files."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from PIL import Image

from client.phones import Town, event
from content.lab import PASSWORD, Server
from letterlock.client import CacheInfo, Client, ContentAccount, Conversation, Environment, Settings
from letterlock.client.files.transfers import Content
from letterlock.engine.content import File
from letterlock.engine.events import MessageReceived
from letterlock.transport.content.client import ContentClient
from letterlock.transport.content.config import ServerAccount

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

    def __init__(self, folder: Path, server: Server, stack: contextlib.AsyncExitStack) -> None:
        self.folder, self.server, self.town, self._stack = folder, server, Town(folder), stack

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, folder: Path, **server_options: Any) -> AsyncIterator[FilesTown]:
        async with (
            Server.running(folder / "network", **server_options) as server,
            asyncio.timeout(50),
            contextlib.AsyncExitStack() as stack,
        ):
            yield cls(folder, server, stack)

    async def create(self, number: str, *, url: str = "", **changes: Any) -> Path:
        path = self.folder / number
        await Client.create(
            path,
            number,
            directory="http://127.0.0.1:1",
            code="12345678",
            content=ContentAccount(url or self.server.url, number, PASSWORD),
            passphrase="tulip",
            environment=self.town.environment(**changes),
        )
        return path

    def open(self, path: Path, **changes: Any) -> Client:
        return self.town.open(path, **{"content": impatient, **changes})

    async def opened(self, path: Path, **changes: Any) -> Client:
        """Open until the town ends."""
        return await self._stack.enter_async_context(self.open(path, **changes))

    async def people(self, *numbers: str) -> list[Client]:
        return [await self.opened(await self.create(number)) for number in numbers]

    async def second(self, primary: Client, name: str) -> Client:
        """Another device of somebody, open."""
        path = self.folder / name
        request = await Client.join(
            path,
            await primary.device_offer(),
            directory="http://127.0.0.1:1",
            content=ContentAccount(self.server.url, primary.number, PASSWORD),
            passphrase="tulip",
            environment=self.town.environment(),
        )
        await primary.add_device(request)
        return await self.opened(path)


def impatient(environment: Environment, settings: Settings) -> Content:
    """The real content client, which does not wait between its attempts."""

    async def at_once(seconds: float) -> None:
        pass

    account = settings.content
    assert account is not None
    return ContentClient(
        ServerAccount(account.url, account.username, account.password),
        rng=os.urandom,
        now=environment.clock,
        sleep=at_once,
    )


class Giver:
    """A content server of somebody who gives what he likes, by ranges as they are asked for."""

    def __init__(self) -> None:
        self.body = b""
        self.asked: list[bytes] = []
        self._server: asyncio.Server | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def giving(cls) -> AsyncIterator[Giver]:
        giver = cls()
        giver._server = await asyncio.start_server(giver._serve, "127.0.0.1", 0)
        try:
            yield giver
        finally:
            giver._server.close()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.asked.append(head)
            wanted = re.search(rb"(?i)range: bytes=(\d+)-(\d*)", head)
            body, lines = self.body, [b"HTTP/1.1 200 OK"]
            if wanted:
                start, end = int(wanted[1]), min(int(wanted[2] or len(body)), len(body) - 1)
                if start >= len(body):
                    lines, body = [b"HTTP/1.1 416 No"], b""
                else:
                    lines = [b"HTTP/1.1 206 Part", b"Content-Range: bytes %d-%d/%d" % (start, end, len(body))]
                    body = body[start : end + 1]
            lines += [b"Connection: close", b"Content-Length: %d" % len(body), b"", b""]
            writer.write(b"\r\n".join(lines) + body)
            await writer.drain()
            writer.close()


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


async def until_cached(person: Client, count: int) -> CacheInfo:
    """Our own ciphertext goes to the cache after the end of its upload was told."""
    while len((info := await person.cache()).files) < count or not all(each.name for each in info.files):
        await asyncio.sleep(0.001)
    return info


def inside(folder: Path) -> dict[str, bytes]:
    """Every file in a folder, for a search of it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
