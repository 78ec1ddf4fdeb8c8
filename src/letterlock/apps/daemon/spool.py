"""Where a file waits between the page and its seal, without a plain copy on the disk that outlives the daemon.

A file that came from the page is in the clear until it is sealed, and what seals it wants a path. On Linux the file has no name: a
small one is memory alone, a large one an unnamed file of the disk (`O_TMPFILE`), and the path is a link to this process's
descriptor of it. Whatever ends the process ends the file, kill -9 too; the link then leads nowhere, and is deleted by the next
daemon, before another process can have that number. Elsewhere it is a file with a name, which the next daemon deletes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import uuid
from pathlib import Path

__all__ = ["Spool", "Waiting"]

_FOLDER = "uploads"
_NO_UNNAMED = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL})
"""What a file system or a kernel says that does not know O_TMPFILE."""


class Waiting:
    """One file. `write` until all of it came; `path` until `release`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.released = False

    def write(self, data: bytes) -> None:
        """All of it, at the end. Raises OSError: the disk may be full."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def release(self) -> None:
        """Nobody needs it any more."""
        if not self.released:
            self.released = True
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
            os.close(self._descriptor)


class Spool:
    """The files of one profile that wait. Everything here may block."""

    def __init__(self, profile: Path, in_memory_bytes: int) -> None:
        self.folder, self._in_memory_bytes = profile / _FOLDER, in_memory_bytes

    def clear(self) -> None:
        """Delete what a daemon left that was killed."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def new(self, size: int | None) -> Waiting:
        """A place for a file of this size; None: nobody knows. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / uuid.uuid4().hex
        descriptor = self._unnamed(size)
        if descriptor is None:
            return Waiting(path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            os.symlink(f"/proc/{os.getpid()}/fd/{descriptor}", path)
        except BaseException:  # whatever it is, nobody else knows the number of this file
            os.close(descriptor)
            raise
        return Waiting(path, descriptor)

    def _unnamed(self, size: int | None) -> int | None:
        if sys.platform != "linux" or not os.path.isdir("/proc/self/fd"):
            return None
        if size is not None and size <= self._in_memory_bytes:
            return os.memfd_create("letterlock-upload", os.MFD_CLOEXEC)
        try:
            return os.open(self.folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno in _NO_UNNAMED:
                return None
            raise
