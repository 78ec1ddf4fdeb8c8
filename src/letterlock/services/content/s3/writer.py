"""One blob on its way into a bucket: parts of a multipart upload, and a tail that is too short to be one.

S3 keeps a part for good once it was answered, but takes none below 5 MiB except the last. So what a connection leaves
behind its last whole part becomes an object of its own, which whoever goes on reads back first (tusd does the same).
Until then it lies in a file without a name, so that memory stays flat; nothing of it was promised.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

import msgspec

from ....errors import StoreError
from ....ids import Rng
from ..blobs import Standing
from ..logic import full
from .requests import Body, BucketRequests, LostUpload

__all__ = ["BucketWriter", "Note", "Reading"]

T = TypeVar("T")

_BLOCK = 256 * 1024
_IN_MEMORY = 1 << 20


class Note(msgspec.Struct, frozen=True):
    """How to go on with an unfinished blob, as the tables keep it."""

    part_bytes: int
    upload: str = ""
    tags: tuple[str, ...] = ()
    tail: str = ""
    """The object with what is behind the last part; its size is the rest of what was received."""

    def encode(self) -> str:
        return msgspec.json.encode(self).decode()


class Reading(Protocol):
    """What the writer needs of the bucket's other side."""

    async def digest(self, key: str) -> bytes: ...

    async def size(self, key: str) -> int | None: ...

    async def remove(self, keys: Sequence[str]) -> None: ...


class BucketWriter:
    """A `BlobWriter`. Its calls come one after another."""

    def __init__(
        self, name: str, note: Note, requests: BucketRequests, reading: Reading, spool_folder: str, rng: Rng
    ) -> None:
        self._name, self._note = name, note
        self._requests, self._reading, self._rng = requests, reading, rng
        self._spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=spool_folder)  # noqa: SIM115 - see close
        self._spooled = 0
        self._kept = 0  # of the spool, in the tail that the note names
        self._part_hash = hashlib.sha256()
        self._hash: hashlib._Hash | None = hashlib.sha256()
        self._stale: list[str] = []
        self.size = 0

    async def take_up(self, received: int, tail: Callable[[str], Awaitable[bytes | None]]) -> None:
        """Begin where the note ends. Raises LostUpload."""
        self._hash = None
        self.size = len(self._note.tags) * self._note.part_bytes
        if received > self.size:
            data = await tail(self._note.tail) if self._note.tail else None
            if data is None or len(data) != received - self.size:
                raise LostUpload
            await self._store(data)
            self._kept = self._spooled

    @property
    def state(self) -> str:
        return self._note.encode()

    async def write(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            if self._hash is not None:
                self._hash.update(piece)
            view = memoryview(piece)
            while view:
                if self._spooled == self._note.part_bytes:
                    await self._send_part()
                count = min(len(view), self._note.part_bytes - self._spooled)
                await self._store(bytes(view[:count]))
                view = view[count:]

    async def checkpoint(self) -> Standing:
        return Standing(len(self._note.tags) * self._note.part_bytes + self._kept, self.state)

    async def suspend(self) -> Standing:
        if self._spooled > self._kept:
            tail = f"{self._name}.{self._rng(8).hex()}"
            await self._requests.put(tail, self._body())
            self._replace_tail(tail)
            self._kept = self._spooled
        return await self.checkpoint()

    async def finish(self) -> bytes:
        if not self._note.tags:
            await self._requests.put(self._name, self._body())
        else:
            if self._spooled:
                await self._send_part()
            try:
                await self._requests.complete(self._name, self._note.upload, self._note.tags)
            except LostUpload:
                # Asked a second time, because the first answer was lost, some servers do not know it any more.
                if await self._reading.size(self._name) != self.size:
                    raise
        self._replace_tail("")
        return await self._reading.digest(self._name) if self._hash is None else self._hash.digest()

    async def noted(self) -> None:
        stale, self._stale = self._stale, []
        if stale:
            with contextlib.suppress(StoreError):  # the sweep finds them
                await self._reading.remove(stale)

    async def close(self) -> None:
        self._spool.close()

    # --- parts -------------------------------------------------------------------------------------------------
    async def _send_part(self) -> None:
        note = self._note
        if not note.upload:
            note = msgspec.structs.replace(note, upload=await self._requests.begin(self._name))
            self._note = note
        tag = await self._requests.part(self._name, note.upload, len(note.tags) + 1, self._body())
        self._replace_tail("")
        self._note = msgspec.structs.replace(self._note, tags=(*note.tags, tag))
        self._spooled = self._kept = 0
        self._part_hash = hashlib.sha256()
        await self._disk(lambda: (self._spool.seek(0), self._spool.truncate()))

    def _replace_tail(self, tail: str) -> None:
        if self._note.tail:
            self._stale.append(self._note.tail)
        self._note = msgspec.structs.replace(self._note, tail=tail)

    # --- the spool ---------------------------------------------------------------------------------------------
    async def _store(self, data: bytes) -> None:
        def work() -> None:
            self._spool.seek(0, os.SEEK_END)
            self._spool.write(data)
            self._part_hash.update(data)

        await self._disk(work)
        self._spooled += len(data)
        self.size += len(data)

    def _body(self) -> Body:
        size = self._spooled

        async def read() -> AsyncIterator[bytes]:
            left = size
            await self._disk(lambda: self._spool.seek(0))
            while left:
                block = await self._disk(lambda: self._spool.read(_BLOCK))
                left -= len(block)
                yield block

        return Body(size, self._part_hash.hexdigest(), read)

    async def _disk(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(call)
        except OSError as error:
            raise full() from error
