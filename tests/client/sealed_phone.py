"""A profile in a process of its own that seals and uploads, or fetches and opens, and kills itself on the way: arguments
as one JSON object. `die` is a number of bytes that have moved, or -1: as soon as the transfer has begun."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from client.files_town import impatient
from client.phones import CHEAP
from letterlock.client import Client, Environment, Settings
from letterlock.client.files.transfers import Content
from letterlock.codec.ft_http import FileDocument
from letterlock.files.pointer import decode_pointer
from letterlock.transport.content.config import Downloaded, DownloadState, UploadState

Progress = Callable[[int, int | None], None]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly:
    """The real content client up to a number of bytes."""

    def __init__(self, real: Content, at: int) -> None:
        self._real, self._at = real, at

    async def upload(self, state: UploadState, on_progress: Progress) -> FileDocument:
        return await self._real.upload(state, self._watched(on_progress))

    async def download(
        self, state: DownloadState, on_progress: Progress, on_state: Callable[[DownloadState], Awaitable[None]]
    ) -> Downloaded:
        return await self._real.download(state, self._watched(on_progress), on_state)

    def _watched(self, on_progress: Progress) -> Progress:
        def progress(done: int, total: int | None) -> None:
            on_progress(done, total)
            if 0 <= self._at <= done:
                die()

        if self._at == 0:
            die()
        return progress

    async def read(self, url: str, start: int, count: int, size: int) -> bytes:
        return await self._real.read(url, start, count, size)

    async def drop(self, tid: str) -> None:
        await self._real.drop(tid)

    async def close(self) -> None:
        await self._real.close()


async def main(task: dict[str, Any]) -> None:
    def content(environment: Environment, settings: Settings) -> Content:
        return Deadly(impatient(environment, settings), task["die"])

    environment = dataclasses.replace(
        Environment(),
        argon2=CHEAP,
        state=Path(task["state"]),
        transport=lambda environment, settings, identity, on_message: None,
        directory=lambda environment, settings, identity: None,
        content=content,
    )
    async with Client.open(task["profile"], passphrase="tulip", environment=environment) as me:
        if "upload" in task:
            transfer = await (await me.conversation(task["chat"])).upload(task["upload"], thumbnail=False)
        else:
            pointer = decode_pointer(bytes.fromhex(task["pointer"]))
            info = await me.profile.download_sealed("11112222-fetching", pointer, task["to"], False)
            (transfer,) = [each for each in await me.transfers() if each.id == info.id]
        if task["die"] < 0:
            die()
        await transfer.wait()


asyncio.run(main(json.loads(sys.argv[1])))
