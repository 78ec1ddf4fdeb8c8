"""Files of messages, to be read in any order: sealed ones straight from their ciphertext, others from a private copy.

A sealed file is never in the clear on the disk; each piece is verified before it is given out (SR-15). A file of RCC.16
has one tag at its end, and one that was sent unencrypted has none: neither can be read before all of it is here. Such a
file is fetched into the profile's folder, opened, and its name taken away at once; what a killed daemon leaves there is deleted by
the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import uuid
from pathlib import Path
from typing import Protocol

from ...client import Client
from ...engine.content import File
from ...errors import InputError, StoreError

__all__ = ["Source", "Sources"]

_FOLDER = "opened"


class Source(Protocol):
    """An open file."""

    size: int

    async def read(self, offset: int, length: int) -> bytes:
        """Verified bytes, fewer at the end. Raises LetterlockError."""
        ...

    async def close(self) -> None: ...


class Sources:
    """Opens the files of one profile. `folder` is the profile's."""

    def __init__(self, client: Client, folder: Path) -> None:
        self._client, self._folder = client, folder / _FOLDER

    async def start(self) -> None:
        """Delete what a daemon left that was killed while it fetched."""
        for transfer in await self._client.transfers():
            if not transfer.info.upload and Path(transfer.info.path).is_relative_to(self._folder):
                await transfer.cancel()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def open(self, file: File, thumbnail: bool) -> Source:
        """Raises InputError where there is none, and what fetching it raises."""
        if file.pointer is not None:
            return await self._client.open_file(file, thumbnail=thumbnail)
        return await self._fetched(file, thumbnail)

    async def here(self, file: File) -> bool:
        """Whether all of it lies sealed in the cache, so that reading it fetches nothing."""
        if file.pointer is None:
            return False
        digest = file.pointer.at.seal.sha256.hex()
        return any(each.whole and each.digest == digest for each in (await self._client.cache()).files)

    async def _fetched(self, file: File, thumbnail: bool) -> Source:
        place = self._folder / uuid.uuid4().hex
        await asyncio.to_thread(place.mkdir, 0o700, True, True)
        try:
            transfer = await self._client.download(file, place / "file", thumbnail=thumbnail)
            try:
                info = await transfer.wait()
                if info.document is None and not (place / "file").exists():
                    raise InputError("fetching this file was ended", code="transfer.cancelled")
                return await asyncio.to_thread(_Unnamed, place / "file")
            finally:
                # Nobody resumes it: its place goes now.
                with contextlib.suppress(InputError):
                    await transfer.cancel()
        finally:
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)


class _Unnamed:
    """A file that stays open while its name is taken away: it ends with whoever has it open, however that ends."""

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0))
        except OSError as error:
            raise StoreError(f"the file cannot be read: {error.strerror}", code="daemon.file") from error
        self.size = os.fstat(self._descriptor).st_size
        self._reading = 0
        self._closed = False

    async def read(self, offset: int, length: int) -> bytes:
        if self._closed:
            raise InputError("this file is closed", code="input.closed")
        self._reading += 1
        try:
            # Shielded: who is cancelled must not leave a thread that reads behind the end of its file.
            reading = asyncio.ensure_future(asyncio.to_thread(os.pread, self._descriptor, length, offset))
            try:
                return await asyncio.shield(reading)
            except asyncio.CancelledError:
                await asyncio.wait({reading})
                raise
        finally:
            self._reading -= 1
            await self._close_if_unused()

    async def close(self) -> None:
        self._closed = True
        await self._close_if_unused()

    async def _close_if_unused(self) -> None:
        # A thread may still read: its number must not become another file's meanwhile.
        if self._closed and not self._reading and self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            # In a thread: this is where the blocks of the file are given back.
            await asyncio.shield(asyncio.to_thread(os.close, descriptor))
