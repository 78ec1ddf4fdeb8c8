"""The local end of a transfer: a file that is read while nobody may change it, and one that appears when it is whole.

A download is written beside its place under a hidden name that only this transfer uses, and takes its place when it
has been verified and is on the disk. Nothing that was there before is overwritten, no link is followed, and nobody
else may read it until its owner says so. Everything here blocks: callers use a thread.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from ...errors import InputError, LetterlockError, TransportError

__all__ = ["Source", "Target", "file_error", "finished_before"]

_READ = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def file_error(path: str, error: OSError) -> LetterlockError:
    """What a failed file operation means for the user."""
    if error.errno in _FULL:
        return InputError("the disk is full", code="transfer.disk", hint="make room, then resume the transfer")
    reason = (error.strerror or type(error).__name__).lower()
    return InputError(f"{path}: {reason}", code="transfer.file", hint="check the path and its permissions")


@contextlib.contextmanager
def _file_errors(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise file_error(path, error) from error


class Source:
    """The file of an upload, opened."""

    def __init__(self, path: str, size: int, modified_ns: int) -> None:
        """Raises InputError when it cannot be read, or is not the file that the upload was begun with."""
        self._path = path
        with _file_errors(path):
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        found = os.fstat(self._descriptor)
        if (found.st_size, found.st_mtime_ns) != (size, modified_ns):
            self.close()
            raise _changed(path)
        self._size, self._modified_ns = size, modified_ns
        self._hash = hashlib.sha256()
        self._at = 0

    def skip(self, count: int) -> None:
        """Begin behind what the server has; it counts for the digest all the same."""
        while self._at < count:
            self.read(min(_READ, count - self._at))

    def read(self, count: int) -> bytes:
        """The next bytes. Raises InputError when the file has become shorter."""
        with _file_errors(self._path):
            block = os.pread(self._descriptor, count, self._at)
        if not block:
            raise _changed(self._path)
        self._hash.update(block)
        self._at += len(block)
        return block

    @property
    def ended(self) -> bool:
        """Whether all of it was read."""
        return self._at >= self._size

    def digest(self) -> bytes:
        """Of what was read. Raises InputError when the file was changed meanwhile."""
        found = os.fstat(self._descriptor)
        if (found.st_size, found.st_mtime_ns, self._at) != (self._size, self._modified_ns, self._size):
            raise _changed(self._path)
        return self._hash.digest()

    def close(self) -> None:
        os.close(self._descriptor)


class Target:
    """The unfinished file of a download."""

    def __init__(self, part: str, most: int, *, fresh: bool = False) -> None:
        """Open or make it. What is beyond `most` bytes cannot be of this file and is dropped.

        A `fresh` one must not be there yet, and is digested only when somebody asks: that takes longer than to write.
        """
        self._part = part
        folder, self._name = os.path.split(part)
        with _file_errors(part), contextlib.ExitStack() as opened:
            # What somebody puts in the place of the folder meanwhile is not where this goes (SR-14).
            self._folder = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.callback(os.close, self._folder)
            # A link that somebody put there would lead the bytes elsewhere (SR-14).
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_EXCL if fresh else 0)
            self._descriptor = os.open(self._name, flags, 0o600, dir_fd=self._folder)
            size = os.fstat(self._descriptor).st_size
            opened.pop_all()
        self.size = 0
        self._hash: hashlib._Hash | None = None if fresh else hashlib.sha256()
        if size > most:
            self.restart()
        elif size:
            self.size, self._hash = size, None

    def restart(self) -> None:
        """Begin at nothing."""
        with _file_errors(self._part):
            os.ftruncate(self._descriptor, 0)
        self.size, self._hash = 0, hashlib.sha256()

    def write(self, data: bytes | memoryview) -> None:
        with _file_errors(self._part):
            view = memoryview(data)
            while view:
                done = os.pwrite(self._descriptor, view, self.size)
                self.size += done
                view = view[done:]
        if self._hash is not None:
            self._hash.update(data)

    def digest(self) -> bytes:
        """SHA-256 of all of it; what an earlier process wrote is read for it."""
        if self._hash is not None:
            return self._hash.digest()
        found, at = hashlib.sha256(), 0
        with _file_errors(self._part):
            while block := os.pread(self._descriptor, _READ, at):
                found.update(block)
                at += len(block)
        return found.digest()

    def finish(self, target: str) -> str:
        """Give the file its name, in the folder of the part, or the next one that is free; which it got.

        The part has gone then. Raises InputError when the folder is not where it was.
        """
        with _file_errors(target):
            os.fsync(self._descriptor)
            wanted = Path(target)
            if not os.path.samestat(os.stat(wanted.parent), os.fstat(self._folder)):
                raise InputError(f"{wanted.parent} was replaced meanwhile", code="transfer.file", hint="try again")
            final = _reserve(wanted, self._folder)
            os.replace(self._name, final.name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            os.fsync(self._folder)
        return str(final)

    def discard(self) -> None:
        """Delete the part, if it has not got its name."""
        with contextlib.suppress(OSError):
            os.unlink(self._name, dir_fd=self._folder)

    def close(self) -> None:
        os.close(self._descriptor)
        os.close(self._folder)


def finished_before(part: str, target: str, digests: Collection[bytes]) -> tuple[int, bytes] | None:
    """Size and SHA-256 of a file that got its name just before its program ended, and nobody knows of it yet.

    Only a file with one of these digests is taken for it, and only when there is no part to go on with.
    """
    if not digests or os.path.lexists(part):
        return None
    try:
        descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with _file_errors(target):
            found = hashlib.file_digest(file, "sha256").digest()
        return (os.fstat(descriptor).st_size, found) if found in digests else None


def _reserve(wanted: Path, folder: int) -> Path:
    """Make an empty file of that name where there is none, so that nothing of the user's is overwritten."""
    for number in range(1, 10_000):
        name = wanted if number == 1 else wanted.with_name(f"{wanted.stem} ({number}){wanted.suffix}")
        with contextlib.suppress(FileExistsError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(name.name, flags, 0o600, dir_fd=folder))
            return name
    raise TransportError("there are too many files of this name", code="transfer.file")


def _changed(path: str) -> InputError:
    return InputError(
        f"{path} has changed since its upload began", code="transfer.changed", hint="cancel it and upload it anew"
    )
