"""The bytes of uploads: one file each in one folder, under random names, forced to the disk before anybody is told.

Which blob is whose, and whether it is whole, stands in the tables alone; a blob without a row is nobody's and is
deleted at the next start. Everything here blocks: the edge calls it in a thread.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from ...errors import StoreError

__all__ = ["BlobReader", "BlobWriter", "Blobs"]

_NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)
_READ = 1 << 20


class BlobWriter:
    """Appends to one blob. `size` counts what was written, on the disk or on its way there."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self.size = size
        self._hash = hashlib.sha256() if size == 0 else None

    def write(self, pieces: Iterable[bytes]) -> None:
        """Raises OSError, with as much written as `size` says."""
        for piece in pieces:
            view = memoryview(piece)
            while view:
                done = os.write(self._descriptor, view)
                view = view[done:]
                self.size += done
            if self._hash is not None:
                self._hash.update(piece)

    def sync(self) -> None:
        """When this returns, everything written survives a power cut."""
        os.fdatasync(self._descriptor)

    def digest(self) -> bytes:
        """SHA-256 of the whole blob; what was there before this writer is read once for it."""
        if self._hash is not None:
            return self._hash.digest()
        found = hashlib.sha256()
        at = 0
        while piece := os.pread(self._descriptor, _READ, at):
            found.update(piece)
            at += len(piece)
        return found.digest()

    def close(self) -> None:
        os.close(self._descriptor)


class BlobReader:
    """Reads one blob; it stays readable when it is deleted meanwhile."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, count: int, at: int) -> bytes:
        return os.pread(self._descriptor, count, at)

    def close(self) -> None:
        os.close(self._descriptor)


class Blobs:
    """A folder of blobs, for this process alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self) -> None:
        """Make the folder. Raises StoreError."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the folder for files cannot be made: {error.strerror}", code="store.io") from error

    def belongs_to(self, database: str) -> None:
        """Make sure that the rows are about this folder, by the name that both keep. Raises StoreError, and OSError.

        With another database every blob would be nobody's, and swept away.
        """
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

    def create(self, name: str) -> BlobWriter:
        """A new blob, whose name is on the disk when this returns."""
        writer = BlobWriter(os.open(self._path(name), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), 0)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return writer

    def append(self, name: str, size: int) -> BlobWriter:
        """Go on with a blob behind its first `size` bytes; what is behind them was never promised. Raises OSError."""
        descriptor = os.open(self._path(name), os.O_RDWR | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, size)
            os.lseek(descriptor, size, os.SEEK_SET)
        except BaseException:  # nobody else knows of this descriptor yet
            os.close(descriptor)
            raise
        return BlobWriter(descriptor, size)

    def read(self, name: str) -> BlobReader:
        return BlobReader(os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC))

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            self._path(name).unlink(missing_ok=True)

    def sweep(self, known: Collection[str]) -> None:
        """Delete what no row names: left by a server that was killed between two steps."""
        self.delete(name for name in os.listdir(self._folder) if _NAME.fullmatch(name) and name not in known)

    def free(self) -> int:
        """Bytes that this process could still write."""
        found = os.statvfs(self._folder)
        return found.f_bavail * found.f_frsize

    def _path(self, name: str) -> Path:
        # Names come from our own tables; a path that leaves the folder would be a bug, and stays one (SR-14).
        if not _NAME.fullmatch(name):
            raise ValueError("not the name of a blob")
        return self._folder / name
