"""Blobs as files of one folder, forced to the disk before anybody is told; for one process alone."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ...errors import ContentError, StoreError
from ...ids import Instant
from .blobs import Blob, Found, Standing
from .logic import full

__all__ = ["FolderBlobs"]

T = TypeVar("T")

_NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)
_READ = 1 << 20
_BLOCK = 256 * 1024
_PAGE = 500
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class FolderBlobs:
    """A `BlobStore`."""

    shared = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._threads = ThreadPoolExecutor(8, "letterlock-content")

    async def open(self) -> None:
        try:
            await self._begin(lambda: self._folder.mkdir(mode=0o700, parents=True, exist_ok=True))
        except OSError as error:
            raise StoreError(f"the folder for files cannot be made: {error.strerror}", code="store.io") from error

    async def belongs_to(self, database: str) -> None:
        await self.disk(lambda: self._belongs_to(database))

    async def close(self) -> None:
        self._threads.shutdown()

    async def create(self, name: str) -> FolderWriter:
        path = self._path(name)

        def work() -> int:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)  # its name is on the disk before its bytes are
            finally:
                os.close(folder)
            return descriptor

        return FolderWriter(self, await self.disk(work), 0)

    async def resume(self, name: str, standing: Standing) -> FolderWriter:
        path, size = self._path(name), standing.received

        def work() -> int:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                os.ftruncate(descriptor, size)
                os.lseek(descriptor, size, os.SEEK_SET)
            except BaseException:  # nobody else knows of this descriptor yet
                os.close(descriptor)
                raise
            return descriptor

        return FolderWriter(self, await self.disk(work), size)

    async def read(self, name: str, start: int, stop: int) -> FolderReader | None:
        path = self._path(name)

        def work() -> FolderReader | None:
            # One trip to a thread is all that a short range costs.
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
            try:
                first = os.pread(descriptor, min(_BLOCK, stop - start), start)
            except BaseException:  # as above
                os.close(descriptor)
                raise
            at = start + len(first)
            if at >= stop:
                os.close(descriptor)
                return FolderReader(self, None, first, at, stop)
            return FolderReader(self, descriptor, first, at, stop)

        return await self.disk(work)

    async def delete(self, blobs: Iterable[Blob]) -> None:
        paths = [self._path(blob.name) for blob in blobs]

        def work() -> None:
            for path in paths:
                path.unlink(missing_ok=True)

        await self.disk(work)

    async def found(self) -> AsyncIterator[Sequence[Found]]:
        names = [name for name in await self.disk(lambda: os.listdir(self._folder)) if _NAME.fullmatch(name)]
        for at in range(0, len(names), _PAGE):
            yield [Found(name, False, name) for name in names[at : at + _PAGE]]

    async def discard(self, found: Sequence[Found]) -> None:
        await self.delete(Blob(each.blob) for each in found)

    async def free(self) -> int | None:
        def work() -> int:
            stat = os.statvfs(self._folder)
            return stat.f_bavail * stat.f_frsize

        return await self.disk(work)

    def presigned(self, name: str, seconds: int, now: Instant) -> str | None:
        return None

    # --- threads ---------------------------------------------------------------------------------
    async def disk(self, call: Callable[[], T]) -> T:
        """Do work on the disk, in a thread. Raises ContentError 507 when it is full, StoreError when it fails otherwise."""
        try:
            return await self._begin(call)
        except OSError as error:
            raise _disk_error(error) from error

    def _begin(self, call: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _belongs_to(self, database: str) -> None:
        path = self._folder.with_name(f"{self._folder.name}.id")
        try:
            found = path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            with path.open("x", encoding="ascii") as file:
                file.write(database + "\n")
                file.flush()
                os.fsync(file.fileno())
            return
        if found != database:
            raise StoreError(
                f"the files in {self._folder} belong to another database",
                code="content.folder",
                hint="give the --database that they were kept with, or another --folder",
            )

    def _path(self, name: str) -> Path:
        # Names come from our own tables; a path that leaves the folder would be a bug, and stays one (SR-14).
        if not _NAME.fullmatch(name):
            raise ValueError("not the name of a blob")
        return self._folder / name


class FolderWriter:
    """A `BlobWriter`. Its calls come one after another."""

    state = ""

    def __init__(self, store: FolderBlobs, descriptor: int, size: int) -> None:
        self._store = store
        self._descriptor = descriptor
        self.size = size
        self._hash = hashlib.sha256() if size == 0 else None

    async def write(self, pieces: Sequence[bytes]) -> None:
        await self._store.disk(lambda: self._write(pieces))

    async def checkpoint(self) -> Standing:
        await self._store.disk(lambda: os.fdatasync(self._descriptor))
        return Standing(self.size, "")

    async def suspend(self) -> Standing:
        return await self.checkpoint()

    async def finish(self) -> bytes:
        return await self._store.disk(self._finish)

    async def noted(self) -> None:
        pass

    async def close(self) -> None:
        await self._store.disk(lambda: os.close(self._descriptor))

    def _write(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            view = memoryview(piece)
            while view:
                done = os.write(self._descriptor, view)
                view = view[done:]
                self.size += done
            if self._hash is not None:
                self._hash.update(piece)

    def _finish(self) -> bytes:
        os.fdatasync(self._descriptor)
        if self._hash is not None:
            return self._hash.digest()
        found, at = hashlib.sha256(), 0
        while piece := os.pread(self._descriptor, _READ, at):
            found.update(piece)
            at += len(piece)
        return found.digest()


class FolderReader:
    """A `BlobReader`. An open file stays readable when it is deleted."""

    def __init__(self, store: FolderBlobs, descriptor: int | None, first: bytes, at: int, stop: int) -> None:
        self._store, self._descriptor = store, descriptor
        self.first = first
        self._at, self._stop = at, stop

    async def rest(self) -> AsyncIterator[bytes]:
        while self._descriptor is not None and self._at < self._stop:
            descriptor, at, count = self._descriptor, self._at, min(_BLOCK, self._stop - self._at)
            block = await self._store.disk(lambda: os.pread(descriptor, count, at))  # noqa: B023 - awaited at once
            if not block:
                raise StoreError("a file is shorter than it was", code="store.io")
            self._at += len(block)
            yield block

    async def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            await self._store.disk(lambda: os.close(descriptor))


def _disk_error(error: OSError) -> ContentError | StoreError:
    if error.errno in _FULL:
        return full()
    return StoreError(f"the folder for files failed: {error.strerror}", code="store.io")
