"""Moving one file, up or down, in the form that its chat has for it; what a transfer does while it runs (transfers.py).

A sealed file is sealed first and opened last, one of RCC.16 was encrypted before and is opened last, any other moves as it
is. Whoever calls keeps the records: what the rest of a move stands on is given to be kept before it goes on (SR-06).
"""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from ..codec.ft_http import FileDocument
from ..errors import InputError, InvalidFile
from ..files.pointer import RemoteSeal
from ..transport.content.config import Downloaded, DownloadState, UploadState
from .cached_files import CachedFiles
from .encrypted_files import Ciphertexts
from .sealed_transfers import Cancelled, SealedTransfer, Sealing, blob_of
from .transfer_records import TransferInfo, TransferState

__all__ = ["Content", "Moving", "Progress"]

T = TypeVar("T")

_HANDS = 2
"""Files that are sealed or opened at once: more are no faster, and would take all threads from everybody else."""

Progress = Callable[[int, int | None], None]


class Content(Protocol):
    """What moves the bytes; `transport.content.ContentClient` is one."""

    async def upload(self, state: UploadState, on_progress: Progress) -> FileDocument: ...

    async def download(
        self, state: DownloadState, on_progress: Progress, on_state: Callable[[DownloadState], Awaitable[None]]
    ) -> Downloaded: ...

    async def read(self, url: str, start: int, count: int, size: int) -> bytes: ...

    async def drop(self, tid: str) -> None: ...

    async def close(self) -> None: ...


class Moving:
    """Moves the files of one profile. `content` is the server to work with, None without one."""

    def __init__(
        self,
        ciphertexts: Ciphertexts,
        sealing: Sealing,
        cache: CachedFiles,
        one: Callable[[str], Awaitable[TransferInfo]],
        keep: Callable[[TransferInfo], Awaitable[None]],
    ) -> None:
        """`one` gives the record of a transfer as it is now, `keep` puts a newer one on the disk."""
        self._ciphertexts, self._sealing, self._cache = ciphertexts, sealing, cache
        self._one, self._keep = one, keep
        self.content: Content | None = None
        self._hands = asyncio.Semaphore(_HANDS)

    async def move(self, info: TransferInfo, progress: Progress) -> TransferInfo:
        """Move it to its end; the record of that. Raises what made it fail, as LetterlockError."""
        if info.sealed is not None:
            return await self._move_sealed(info, info.sealed, progress)
        content = self.server()
        if isinstance(info.task, UploadState):
            document = await content.upload(info.task, progress)
            current = await self._one(info.id)
            return dataclasses.replace(current, state=TransferState.DONE, document=document, done=document.file.size)

        async def keep(state: DownloadState) -> None:
            await self._keep(dataclasses.replace(await self._one(info.id), task=state))

        if info.encrypted is not None:
            if not await asyncio.to_thread(self._ciphertexts.is_whole, info.id):
                await content.download(info.task, progress, keep)
            opened = await asyncio.to_thread(self._ciphertexts.open, info.id, info.encrypted)
            return dataclasses.replace(
                await self._one(info.id),
                state=TransferState.DONE,
                encrypted=dataclasses.replace(info.encrypted, path=opened.path),
                done=info.task.size or 0,
                sha256=opened.sha256,
                checked=True,
            )
        got = await content.download(info.task, progress, keep)
        return dataclasses.replace(
            await self._one(info.id),
            state=TransferState.DONE,
            task=dataclasses.replace(info.task, target=got.path, size=got.size),
            done=got.size,
            sha256=got.sha256,
            checked=got.checked,
        )

    async def _move_sealed(self, info: TransferInfo, sealed: SealedTransfer, progress: Progress) -> TransferInfo:
        task = info.task
        if isinstance(task, UploadState):
            content = self.server()
            if sealed.pointer is None:
                sealed, ready = await self._worked(partial(self._sealing.seal, info.id, sealed, task))
                # SR-06: from here on this ciphertext is what is sent, and its key is in the store before it is.
                kept = dataclasses.replace(ready, begun=True)
                await self._keep(dataclasses.replace(await self._one(info.id), sealed=sealed, task=kept))
                task = dataclasses.replace(ready, begun=task.begun)
            document = await content.upload(task, progress)
            return dataclasses.replace(
                await self._one(info.id),
                state=TransferState.DONE,
                sealed=self._sealing.uploaded(sealed, document),
                document=document,
                done=document.file.size,
            )
        if sealed.pointer is None:
            raise InputError("a download of nothing", code="input.transfer")
        at = blob_of(sealed.pointer, sealed.thumbnail)
        cache = self._sealing.cache
        cache.hold(at.seal.sha256)  # what is on its way does not give way
        try:
            path = await self._open_sealed(info, task, sealed, at, progress)
            await self._cache.note(sealed.pointer)
        finally:
            await asyncio.to_thread(cache.release, at.seal.sha256)
        return dataclasses.replace(
            await self._one(info.id),
            state=TransferState.DONE,
            sealed=dataclasses.replace(sealed, path=path),
            done=task.size or 0,
            sha256=None,
            checked=True,
        )

    async def _open_sealed(
        self, info: TransferInfo, task: DownloadState, sealed: SealedTransfer, at: RemoteSeal, progress: Progress
    ) -> str:
        """Have the ciphertext here, and the plain copy where it was wanted; its path, or nothing."""
        found = await asyncio.to_thread(self._sealing.here, info.id, at)
        fresh = found is None
        where = found or await self._fetch_blob(info, task, at, progress)
        if not sealed.path and where.parent != self._sealing.cache.folder:
            raise InputError("the cache has no room for this file", code="input.cache", hint="letterlock cache prune")

        def opened(stop: Cancelled) -> str:
            return self._sealing.open(info.id, sealed, at, where, stop)

        try:
            return await self._worked(opened)
        except InvalidFile:
            if fresh:
                raise
            # What lay here was damaged since; the server's may be whole.
            where = await self._fetch_blob(info, task, at, progress)
            return await self._worked(opened)

    async def _fetch_blob(self, info: TransferInfo, task: DownloadState, at: RemoteSeal, progress: Progress) -> Path:
        async def keep(state: DownloadState) -> None:
            await self._keep(dataclasses.replace(await self._one(info.id), task=state))

        await self.server().download(task, progress, keep)
        return await asyncio.to_thread(self._sealing.fetched, info.id, at)

    async def _worked(self, work: Callable[[Cancelled], T]) -> T:
        async with self._hands:
            return await _in_thread(work)

    def server(self) -> Content:
        """What there is to work with. Raises InputError."""
        if self.content is None:
            raise InputError(
                "this profile has no content server", code="input.content", hint="name one in the settings"
            )
        return self.content


async def _in_thread(work: Callable[[Cancelled], T]) -> T:
    """Run what blocks. Cancelled, it is told to stop and waited for: nobody may begin again in the same place before."""
    stop = threading.Event()
    running = asyncio.get_running_loop().run_in_executor(None, work, stop.is_set)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait((running,))
        if not running.cancelled():
            running.exception()  # it was stopped, and that is no news
        raise
