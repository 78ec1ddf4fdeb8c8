"""Moving one file, up or down, in the form that its chat has for it; what a transfer does while it runs (transfers.py).

A sealed file is sealed first and opened last, one of RCC.16 was encrypted before and is opened last, any other moves as it
is. Whoever calls keeps the records: what the rest of a move stands on is given to be kept before it goes on (SR-06).
"""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

from ...codec.ft_http import FileDocument
from ...errors import InputError, InvalidFile
from ...files.pointer import RemoteSeal
from ...transport.content.config import Downloaded, DownloadState, UploadState
from .cached import CachedFiles
from .rcc16 import Ciphertexts
from .records import TransferInfo, TransferStage, TransferState
from .sealed_transfers import SealedTransfer, Sealing, Work, blob_of

__all__ = ["Content", "Moving", "StageProgress"]

T = TypeVar("T")

_HANDS = 2
"""Files that are sealed or opened at once: more are no faster, and would take all threads from everybody else."""

Progress = Callable[[int, int | None], None]
StageProgress = Callable[[TransferStage, int, int | None], None]


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

    async def move(self, info: TransferInfo, on_progress: StageProgress) -> TransferInfo:
        """Move it to its end; the record of that. Raises what made it fail, as LetterlockError."""
        if info.sealed is not None:
            return await self._move_sealed(info, info.sealed, on_progress)
        content, progress = self.server(), _moved(on_progress)
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

    async def _move_sealed(
        self, info: TransferInfo, sealed: SealedTransfer, on_progress: StageProgress
    ) -> TransferInfo:
        task = info.task
        if isinstance(task, UploadState):
            content = self.server()
            if sealed.pointer is None:
                plain, begun = sealed, task
                sealed, ready = await self._worked(
                    TransferStage.SEALING, on_progress, lambda work: self._sealing.seal(info.id, plain, begun, work)
                )
                # SR-06: from here on this ciphertext is what is sent, and its key is in the store before it is.
                kept = dataclasses.replace(ready, begun=True)
                here = dataclasses.replace(await self._one(info.id), stage=TransferStage.MOVING, done=0)
                await self._keep(dataclasses.replace(here, sealed=sealed, task=kept))
                task = dataclasses.replace(ready, begun=task.begun)
            document = await content.upload(task, _moved(on_progress))
            return dataclasses.replace(
                await self._one(info.id),
                state=TransferState.DONE,
                stage=TransferStage.MOVING,
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
            path, disagreement = await self._open_sealed(info, task, sealed, at, on_progress)
            await self._cache.note(sealed.pointer)
        finally:
            await asyncio.to_thread(cache.release, at.seal.sha256)
        return dataclasses.replace(
            await self._one(info.id),
            state=TransferState.DONE,
            stage=TransferStage.MOVING,
            sealed=dataclasses.replace(sealed, path=path, disagreement=disagreement),
            done=task.size or 0,
            sha256=None,
            checked=True,
        )

    async def _open_sealed(
        self,
        info: TransferInfo,
        task: DownloadState,
        sealed: SealedTransfer,
        at: RemoteSeal,
        on_progress: StageProgress,
    ) -> tuple[str, str]:
        """Have the ciphertext here, and the plain copy where it was wanted; its path, or nothing, and what is odd of it."""
        found = await asyncio.to_thread(self._sealing.here, info.id, at)
        fresh = found is None
        where = found or await self._fetch_blob(info, task, at, _moved(on_progress))
        if not sealed.path and where.parent != self._sealing.cache.folder:
            raise InputError("the cache has no room for this file", code="input.cache", hint="letterlock cache prune")

        def opened(work: Work) -> tuple[str, str]:
            return self._sealing.open(info.id, sealed, at, where, work)

        try:
            return await self._worked(TransferStage.OPENING, on_progress, opened)
        except InvalidFile:
            if fresh:
                raise
            # What lay here was damaged since; the server's may be whole.
            where = await self._fetch_blob(info, task, at, _moved(on_progress))
            return await self._worked(TransferStage.OPENING, on_progress, opened)

    async def _fetch_blob(self, info: TransferInfo, task: DownloadState, at: RemoteSeal, progress: Progress) -> Path:
        async def keep(state: DownloadState) -> None:
            await self._keep(dataclasses.replace(await self._one(info.id), task=state))

        await self.server().download(task, progress, keep)
        return await asyncio.to_thread(self._sealing.fetched, info.id, at)

    async def _worked(self, stage: TransferStage, on_progress: StageProgress, work: Callable[[Work], T]) -> T:
        async with self._hands:
            on_progress(stage, 0, None)
            return await _in_thread(lambda done, size: on_progress(stage, done, size), work)

    def server(self) -> Content:
        """What there is to work with. Raises InputError."""
        if self.content is None:
            raise InputError(
                "this profile has no content server", code="input.content", hint="name one in the settings"
            )
        return self.content


def _moved(on_progress: StageProgress) -> Progress:
    return lambda done, size: on_progress(TransferStage.MOVING, done, size)


async def _in_thread(on_progress: Callable[[int, int], None], work: Callable[[Work], T]) -> T:
    """Run what blocks. Cancelled, it is told to stop and waited for: nobody may begin again in the same place before."""
    stop, loop = threading.Event(), asyncio.get_running_loop()

    def tell(done: int, size: int) -> None:
        loop.call_soon_threadsafe(on_progress, done, size)

    running = loop.run_in_executor(None, work, Work(tell, stop.is_set))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait((running,))
        if not running.cancelled():
            running.exception()  # it was stopped, and that is no news
        raise
