"""One file on its way in: pieces from the network, blocks to the store, checkpoints in the tables.

While one block is being written the next one is read, so that memory stays at two blocks whatever the file's size.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from ...errors import StoreError
from ...ids import Instant, Rng
from ..writer import Writer
from .blobs import Blob, BlobStore, BlobWriter
from .limits import ContentLimits
from .logic import Library, too_large
from .tables import Tables, Upload

__all__ = ["Desk", "Intake"]

_log = logging.getLogger("letterlock.content")


class Desk:
    """What every intake works with."""

    def __init__(
        self,
        library: Library,
        writer: Writer[Tables],
        blobs: BlobStore,
        limits: ContentLimits,
        now: Callable[[], Instant],
        rng: Rng,
    ) -> None:
        self.library, self.writer, self.blobs, self.limits, self.now, self.rng = (
            library,
            writer,
            blobs,
            limits,
            now,
            rng,
        )

    async def forget(self, blobs: Sequence[Blob]) -> None:
        """Delete what no row names any more. What cannot be deleted now, the next sweep finds."""
        try:
            await self.blobs.delete(blobs)
        except StoreError as error:
            _log.error("cannot delete what nobody needs: %s", error)


class Intake:
    """Writes one upload's file from where it stands. After `finish`, `suspend` or `abandon` it is of no use.

    `skip` bytes come again that the blob has already.
    """

    def __init__(self, desk: Desk, upload: Upload, blob: BlobWriter, skip: int) -> None:
        self.upload = upload
        self._desk = desk
        self._blob = blob
        self._skip = skip
        self._waiting: list[bytes] = []
        self._size = blob.size  # with what waits
        self._flushed = blob.size  # up to the last checkpoint
        self._writing: asyncio.Task[None] | None = None

    async def take(self, piece: bytes) -> None:
        """The next piece. Raises ContentError when it is too much."""
        if self._skip:
            again = min(self._skip, len(piece))
            self._skip -= again
            piece = piece[again:]
            if not piece:
                return
        self._size += len(piece)
        if self._size > self._desk.limits.max_file:
            raise too_large(self._desk.limits.max_file)
        self._waiting.append(piece)
        if self._size - self._blob.size >= self._desk.limits.block_bytes:
            await self._block()

    async def finish(self) -> Upload:
        """All of it has come: when this returns it is a file, durable, and may be promised."""
        await self._block()
        await self._written()
        size, desk = self._blob.size, self._desk
        sha256 = await self._blob.finish()
        file = await desk.writer.run(lambda tables: desk.library.finish(tables, self.upload, size, sha256, desk.now()))
        await self._blob.noted()
        return file

    async def suspend(self) -> None:
        """The rest may come later: keep what came."""
        await self._block()
        await self._written()
        standing, desk = await self._blob.suspend(), self._desk
        await desk.writer.run(lambda tables: desk.library.suspend(tables, self.upload, standing, desk.now()))
        await self._blob.noted()

    async def abandon(self) -> None:
        """It will not be continued: forget it, and free the room first of all."""
        desk, state = self._desk, self._blob.state
        await desk.forget(await desk.writer.run(lambda tables: desk.library.abandon(tables, self.upload, state)))

    async def close(self) -> None:
        """Let go of the file, whatever has happened."""
        if self._writing is not None:
            await asyncio.wait((self._writing,))
        await self._blob.close()

    async def _block(self) -> None:
        await self._written()
        if self._blob.size - self._flushed >= self._desk.limits.checkpoint_bytes:
            await self._checkpoint()
        pieces, self._waiting = self._waiting, []
        if pieces:
            self._writing = asyncio.ensure_future(self._blob.write(pieces))
            # What it fails with is asked for when the next block is ready, or never after a failure of another kind.
            self._writing.add_done_callback(lambda writing: writing.cancelled() or writing.exception())

    async def _checkpoint(self) -> None:
        desk, size = self._desk, self._blob.size
        standing = await self._blob.checkpoint()
        free = await desk.blobs.free()
        self.upload = await desk.writer.run(
            lambda tables: desk.library.checkpoint(tables, self.upload, standing, size, free, desk.now())
        )
        self._flushed = size
        await self._blob.noted()

    async def _written(self) -> None:
        writing = self._writing
        if writing is None:
            return
        # Waited for without cancelling it: half a block would be of no use.
        await asyncio.wait((writing,))
        self._writing = None
        writing.result()
