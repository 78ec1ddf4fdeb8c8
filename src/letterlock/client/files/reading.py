"""Reading sealed files piece by piece, for whoever plays a video or turns the pages of a document (SR-15).

What a reader asks for is fetched as ranges into the cache where the blob is not all there, a little ahead of one that
reads on; when all ranges have come, the whole is verified and is a blob like any other. Nothing is given out but what was
verified, and what does not verify is deleted, so that nobody finds it in the cache.

A reader is a name that its process chose. One that is forgotten, because there are too many or the owner of the profile
has changed, is opened again by its next read.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Final

from ...crypto.provider import CryptoProvider
from ...errors import ContentError, InputError, InvalidFile, LetterlockError, StoreError
from ...files.layout import HEADER
from ...files.pointer import RemoteSeal
from ...transport.content.files import file_error
from .cache import FileCache
from .sealed import SealedReader

__all__ = ["MOST_AT_ONCE", "FileReadings", "ReadRange"]

MOST_AT_ONCE: Final = 1 << 20
"""Bytes that one call reads at most."""

ReadRange = Callable[[str, int, int, int], Awaitable[bytes]]
"""(url, first byte, count, size of all) to bytes of a file at a content server."""

_BLOCK: Final = 1 << 18
_AHEAD: Final = 4
"""Blocks beyond what was asked for, for a reader that reads on."""
_AT_ONCE: Final = 8
"""Blocks of one request."""
_OPEN: Final = 32


class FileReadings:
    """What is being read of one profile."""

    def __init__(self, cache: FileCache, crypto: CryptoProvider) -> None:
        self._cache, self._crypto = cache, crypto
        self._open: dict[bytes, _Reading] = {}
        self._readers: dict[str, bytes] = {}
        self._ended = False

    async def read(self, reader: str, at: RemoteSeal, offset: int, length: int, fetch: ReadRange) -> bytes:
        """Verified bytes of the file, fewer at its end. Raises InvalidFile, ContentError, TransportError, InputError."""
        if not (offset >= 0 and 0 <= length <= MOST_AT_ONCE):
            raise InputError(f"a range has at most {MOST_AT_ONCE} bytes", code="input.range")
        while True:
            reading = await self._reading(reader, at)
            try:
                return await reading.read(offset, length, fetch)
            except _Closed:
                continue
            except InvalidFile:
                await self._forget(at.seal.sha256)
                await asyncio.to_thread(self._cache.drop, at.seal.sha256)
                # What lay here whole was damaged since; the server's may be good. What came just now is not.
                if not reading.found:
                    raise
            except ContentError as error:
                if error.code == "content.digest":
                    await self._forget(at.seal.sha256)
                raise

    async def close(self, reader: str) -> None:
        """This reader reads no more."""
        digest = self._readers.pop(reader, None)
        if digest is not None and digest not in self._readers.values():
            await self._forget(digest)

    async def close_all(self) -> None:
        """Read no more, whatever a server keeps us waiting for."""
        self._ended = True
        for digest in list(self._open):
            await self._forget(digest)

    async def _reading(self, reader: str, at: RemoteSeal) -> _Reading:
        if self._ended:
            raise StoreError("the profile is not open", code="client.closed")
        digest = at.seal.sha256
        # The newest is last, and the first one goes when there are too many.
        self._readers.pop(reader, None)
        self._readers[reader] = digest
        reading = self._open.pop(digest, None)
        if reading is None or reading.at.seal != at.seal:
            reading = _Reading(at, self._cache, self._crypto)
        self._open[digest] = reading
        # One that waits for its server is not waited for: calls that wait are what bounds those beyond.
        idle = [each for each, open_ in self._open.items() if each != digest and not open_.busy]
        for other in idle[: max(0, len(self._open) - _OPEN)]:
            await self._forget(other)
        return reading

    async def _forget(self, digest: bytes) -> None:
        for reader in [name for name, of in self._readers.items() if of == digest]:
            del self._readers[reader]
        reading = self._open.pop(digest, None)
        if reading is not None:
            await reading.close()


class _Closed(Exception):
    """Somebody closed it while this one waited."""


class _Reading:
    """One file. `found`: all of its ciphertext was here when it was opened."""

    def __init__(self, at: RemoteSeal, cache: FileCache, crypto: CryptoProvider) -> None:
        self.at, self._cache, self._crypto = at, cache, crypto
        self._digest, self._layout = at.seal.sha256, at.seal.layout
        self._lock = asyncio.Lock()
        self._descriptor = -1
        self._reader: SealedReader | None = None
        self._present: set[int] = set()
        self._header = b""
        self._next = 0
        self._whole = self._closed = self._closing = self.found = False
        self._fetching: asyncio.Future[bytes] | None = None
        cache.hold(self._digest)

    @property
    def busy(self) -> bool:
        return self._lock.locked()

    async def read(self, offset: int, length: int, fetch: ReadRange) -> bytes:
        async with self._lock:
            if self._closing:
                raise _Closed
            reader = self._reader if self._reader is not None else await asyncio.to_thread(self._opened)
            stop = min(offset + length, self._layout.size)
            if offset >= stop:
                return b""
            if not self._whole:
                if not self._header:
                    await self._have(0, HEADER, fetch)
                    self._header = await asyncio.to_thread(os.pread, self._descriptor, HEADER, 0)
                start, end = self._layout.sealed_range(offset, stop)
                ahead = _AHEAD * _BLOCK if offset == self._next else 0
                await self._have(start, min(end + ahead, self._layout.sealed_size), fetch)
            self._next = stop
            return await asyncio.to_thread(reader.read, offset, stop - offset)

    async def close(self) -> None:
        self._closing = True
        if self._fetching is not None:
            self._fetching.cancel()
        async with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._descriptor >= 0:
                os.close(self._descriptor)
            await asyncio.to_thread(self._cache.release, self._digest)

    def _opened(self) -> SealedReader:
        path = self._cache.find(self._digest)
        self._whole = self.found = path is not None
        place = path or self._cache.part(self._digest)
        flags = os.O_RDONLY if self.found else os.O_RDWR | os.O_CREAT | os.O_TRUNC
        try:
            self._descriptor = os.open(place, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise file_error(str(place), error) from error
        self._reader = SealedReader(self._read_at, self.at.seal, crypto=self._crypto)
        return self._reader

    def _read_at(self, at: int, count: int) -> bytes:
        if at == 0 and count <= len(self._header):  # its block may have given way
            return self._header[:count]
        return os.pread(self._descriptor, count, at)

    async def _have(self, start: int, stop: int, fetch: ReadRange) -> None:
        """Fetch what is missing of these bytes of the ciphertext, in requests of bounded size."""
        blocks, cleared = range(start // _BLOCK, -(-stop // _BLOCK)), False
        while not self._whole and (missing := [block for block in blocks if block not in self._present]):
            first, last = missing[0], missing[0]
            while last + 1 in missing and last + 1 - first < _AT_ONCE:
                last += 1
            begin, size = first * _BLOCK, self._layout.sealed_size
            count = min((last + 1) * _BLOCK, size) - begin
            data = await self._fetched(fetch(self.at.url, begin, count, size))
            if not await asyncio.to_thread(self._room, len(data), cleared):
                cleared = True
            await asyncio.to_thread(self._keep, range(first, last + 1), begin, data)

    async def _fetched(self, coming: Awaitable[bytes]) -> bytes:
        self._fetching = asyncio.ensure_future(coming)
        try:
            return await self._fetching
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closing and not (task is not None and task.cancelling()):
                raise _Closed from None
            raise
        finally:
            self._fetching = None

    def _room(self, size: int, cleared: bool) -> bool:
        """Make room; False when all that was read before had to give way, because the file is larger than the cache."""
        grown = len(self._present) * _BLOCK + size
        if self._cache.grow(self._digest, min(grown, self._layout.sealed_size)):
            return True
        self._present.clear()
        os.ftruncate(self._descriptor, 0)
        # Twice in one read: what it wants does not fit at all.
        if cleared or not self._cache.grow(self._digest, size):
            raise InputError(
                "the cache has no room", code="input.cache", hint="give it more: letterlock cache budget BYTES"
            )
        return False

    def _keep(self, blocks: range, begin: int, data: bytes) -> None:
        try:
            view, at = memoryview(data), begin
            while view:
                done = os.pwrite(self._descriptor, view, at)
                view, at = view[done:], at + done
        except OSError as error:
            raise file_error(str(self._cache.part(self._digest)), error) from error
        self._present.update(blocks)
        if len(self._present) * _BLOCK >= self._layout.sealed_size:
            try:
                self._cache.complete(self._digest)
            except LetterlockError:
                self._present.clear()
                raise
            self._whole = True
