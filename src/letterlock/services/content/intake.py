"""One file on its way in: pieces from the network, blocks to the disk in a thread, checkpoints in the tables.

While one block is being written the next one is read, so that memory stays at two blocks whatever the file's size.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from ...errors import ContentError, StoreError
from ...ids import Instant
from ..writer import Writer
from .blobs import Blobs, BlobWriter
from .limits import ContentLimits
from .logic import Library, full, too_large
from .tables import Tables, Upload

__all__ = ["Desk", "Intake"]

T = TypeVar("T")

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Desk:
    """What every intake works with."""

    def __init__(
        self,
        library: Library,
        writer: Writer[Tables],
        blobs: Blobs,
        limits: ContentLimits,
        now: Callable[[], Instant],
        threads: Executor,
    ) -> None:
        self.library, self.writer, self.blobs, self.limits, self.now = library, writer, blobs, limits, now
        self._threads = threads

    def begin(self, call: Callable[[], T]) -> asyncio.Future[T]:
        """Start work that blocks, in a thread."""
        return asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def disk(self, call: Callable[[], T]) -> T:
        """Do work on the disk. Raises ContentError 507 when it is full, StoreError when it fails otherwise."""
        try:
            return await self.begin(call)
        except OSError as error:
            raise disk_error(error) from error


def disk_error(error: OSError) -> ContentError | StoreError:
    if error.errno in _FULL:
        return full()
    return StoreError(f"the folder for files failed: {error.strerror}", code="store.io")


class Intake:
    """Writes one upload's file from where it stands. After `finish`, `suspend` or `abandon` it is of no use."""

    def __init__(self, desk: Desk, upload: Upload, blob: BlobWriter) -> None:
        self.upload = upload
        self._desk = desk
        self._blob = blob
        self._waiting: list[bytes] = []
        self._size = blob.size  # with what waits
        self._flushed = blob.size  # up to the last checkpoint
        self._writing: asyncio.Future[None] | None = None

    async def take(self, piece: bytes) -> None:
        """The next piece. Raises ContentError when it is too much."""
        self._size += len(piece)
        if self._size > self._desk.limits.max_file:
            raise too_large(self._desk.limits.max_file)
        self._waiting.append(piece)
        if self._size - self._blob.size >= self._desk.limits.block_bytes:
            await self._block()

    async def finish(self) -> Upload:
        """All of it has come: when this returns it is a file, on the disk, and may be promised."""
        await self._block()
        await self._written()
        size, desk = self._blob.size, self._desk

        def work() -> bytes:
            self._blob.sync()
            return self._blob.digest()

        sha256 = await desk.disk(work)
        return await desk.writer.run(lambda tables: desk.library.finish(tables, self.upload, size, sha256, desk.now()))

    async def suspend(self) -> None:
        """The rest may come later: keep what came."""
        await self._block()
        await self._written()
        await self._desk.disk(self._blob.sync)
        size, desk = self._blob.size, self._desk
        await desk.writer.run(lambda tables: desk.library.suspend(tables, self.upload, size, desk.now()))

    async def abandon(self) -> None:
        """It will not be continued: forget it, and free the room first of all."""
        desk = self._desk
        blobs = await desk.writer.run(lambda tables: desk.library.drop(tables, self.upload))
        await desk.begin(lambda: desk.blobs.delete(blobs))

    async def close(self) -> None:
        """Let go of the file, whatever has happened."""
        if self._writing is not None:
            await asyncio.wait((self._writing,))
        await self._desk.begin(self._blob.close)

    async def _block(self) -> None:
        await self._written()
        if self._blob.size - self._flushed >= self._desk.limits.checkpoint_bytes:
            await self._checkpoint()
        pieces, self._waiting = self._waiting, []
        if pieces:
            self._writing = self._desk.begin(lambda: self._blob.write(pieces))

    async def _checkpoint(self) -> None:
        desk, size = self._desk, self._blob.size
        await desk.disk(self._blob.sync)
        free = await desk.begin(desk.blobs.free)
        self.upload = await desk.writer.run(
            lambda tables: desk.library.checkpoint(tables, self.upload, size, free, desk.now())
        )
        self._flushed = size

    async def _written(self) -> None:
        writing = self._writing
        if writing is None:
            return
        # Waited for without cancelling it: the thread goes on in any case.
        await asyncio.wait((writing,))
        self._writing = None
        error = writing.exception()
        if isinstance(error, OSError):
            raise disk_error(error) from error
        writing.result()
