"""The part of a client that is of files: moving them, reading them, and how much of them is kept here."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import AsyncGenerator, Sequence

from ..codec.ft_http import FileDocument, RemoteFile
from ..engine.content import File
from ..engine.events import TransferChanged
from ..errors import InputError
from ..files.pointer import FilePointer
from .asks import Asks
from .files.cached import CacheInfo
from .files.reader import FileReader
from .files.transfer import TotalProgress, Transfer, absolute, total_of

__all__ = ["FileCalls"]


class FileCalls:
    """Mixed into `Client`."""

    async def upload(
        self: Asks,
        path: str | os.PathLike[str],
        *,
        name: str = "file",
        content_type: str = "application/octet-stream",
        thumbnail: str | os.PathLike[str] | None = None,
        thumbnail_type: str = "image/jpeg",
    ) -> Transfer:
        """Begin to upload a file to the content server; it survives a crash and lost connections.

        The server, and whoever gets the address, can read what is uploaded: these are opaque bytes, sent as they are,
        with `name` and `content_type` beside them. For an encrypted chat use `Conversation.upload`, which encrypts.
        Raises InputError when the file cannot be read.
        """
        transfer, source = str(uuid.uuid4()), absolute(path)
        picture = None if thumbnail is None else absolute(thumbnail)
        return Transfer(
            await self.ask(
                lambda profile: profile.upload(transfer, source, name, content_type, picture, thumbnail_type)
            ),
            self,
        )

    async def download(
        self: Asks,
        pointer: File | FileDocument | RemoteFile | str,
        to: str | os.PathLike[str] | None = None,
        *,
        sha256: bytes | None = None,
        thumbnail: bool = False,
    ) -> Transfer:
        """Begin to fetch a file: to a path where nothing is yet, or into a folder, under a safe form of its name.

        It appears there when it is whole and has the announced size and digest, `sha256` included, if given; an
        encrypted one, the `File` of a message, when all of it was verified and decrypted (SR-15). A sealed file is
        kept in the cache, too, and without `to` only there: `open_file` reads it. `thumbnail` fetches that of a `File`
        instead. An address in a private network is refused unless it is the configured
        content server's (SR-14). A text as `pointer` is an address of which nothing else is known. Raises InputError.
        """
        if isinstance(pointer, File) and pointer.pointer is not None:
            return await _download_sealed(self, pointer.pointer, "" if to is None else absolute(to), thumbnail)
        if to is None:
            raise InputError(
                "only sealed files are kept in the cache", code="input.transfer", hint="name a place for it"
            )
        known, sealed = not isinstance(pointer, str), None
        if isinstance(pointer, File):
            sealed = pointer.sealed_thumbnail if thumbnail else pointer.sealed
            found = pointer.thumbnail if thumbnail else pointer.file
            if found is None:
                raise InputError("this file has no thumbnail", code="input.thumbnail")
            pointer = found
        if isinstance(pointer, FileDocument):
            pointer = pointer.file
        file = RemoteFile(0, "application/octet-stream", pointer) if isinstance(pointer, str) else pointer
        transfer, target = str(uuid.uuid4()), absolute(to)
        size = file.size if known else None
        return Transfer(
            await self.ask(lambda profile: profile.download(transfer, file, size, target, sha256, sealed)), self
        )

    async def open_file(self: Asks, file: File, *, thumbnail: bool = False) -> FileReader:
        """Read a sealed file, or its thumbnail, in any order without a plain copy of it.

        What is not here yet is fetched as it is asked for, into the cache. Nothing is returned but what was verified
        (SR-15). Raises InputError for a file of another kind; `download` fetches these.
        """
        if file.pointer is None:
            raise InputError(
                "only sealed files are read piece by piece", code="input.file", hint="download it, and read that"
            )
        return FileReader(file.pointer, thumbnail, self)

    async def cache(self: Asks) -> CacheInfo:
        """How much lies sealed in the cache, and of what."""
        return await self.ask(lambda profile: profile.cache())

    async def prune_cache(self: Asks, to: int = 0) -> int:
        """Delete what was used longest ago until at most `to` bytes are left; how many went. What is in use stays."""
        return await self.ask(lambda profile: profile.prune_cache(to))

    async def set_cache_budget(self: Asks, budget: int) -> None:
        """How many bytes the cache may take from now on; what is above goes. Raises InputError."""
        await self.ask(lambda profile: profile.set_cache_budget(budget))

    async def transfers(self: Asks) -> Sequence[Transfer]:
        """All transfers, oldest first; those that a crash interrupted can be resumed."""
        return [Transfer(info, self) for info in await self.ask(lambda profile: profile.transfers())]

    async def total_progress(self: Asks) -> AsyncGenerator[TotalProgress, None]:
        """How far all transfers are that run, now and at each change of one, until none runs any more."""
        cursor = await self.cursor()
        yield (total := total_of(await self.ask(lambda profile: profile.transfers())))
        if not total.running:
            return
        async with contextlib.aclosing(self.events(cursor)) as events:
            async for recorded in events:
                if isinstance(recorded.event, TransferChanged):
                    yield (total := total_of(await self.ask(lambda profile: profile.transfers())))
                    if not total.running:
                        return


async def _download_sealed(asks: Asks, pointer: FilePointer, to: str, thumbnail: bool) -> Transfer:
    transfer = str(uuid.uuid4())
    return Transfer(await asks.ask(lambda profile: profile.download_sealed(transfer, pointer, to, thumbnail)), asks)
