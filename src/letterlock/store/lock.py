"""One process owns a profile: an exclusive `flock` on a file that is never deleted (SR-06).

`flock` belongs to the open file, so the kernel gives it back when the owner dies in any way, SIGKILL
included, and two opens in one process exclude each other too (a POSIX record lock would not do that,
and would be lost when any other descriptor of the file is closed).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from ..errors import StoreError, StoreLocked

__all__ = ["ProfileLock"]


class ProfileLock:
    """The held lock. `release()` gives it back; so does the end of the process."""

    __slots__ = ("_fd", "path")

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd: int | None = fd

    @classmethod
    def acquire(cls, path: Path) -> ProfileLock:
        """Take the lock without waiting. Raises StoreLocked when another process has it, StoreError if it cannot be made."""
        try:
            # Never unlinked: a lock on a file that somebody replaced would be held by two owners.
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StoreError(
                f"the lock file cannot be opened: {error.strerror}", code="store.io", hint=f"check {path}"
            ) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if isinstance(error, BlockingIOError):
                raise StoreLocked(
                    "another process has this profile open",
                    hint="requests go to it over the profile's socket; or end it",
                ) from None
            raise StoreError(f"the lock file cannot be locked: {error.strerror}", code="store.io") from error
        # Only for a human who looks; nothing reads it, because the number may have been reused.
        with contextlib.suppress(OSError):
            os.truncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        return cls(path, fd)

    @property
    def held(self) -> bool:
        """Whether this object still holds the lock."""
        return self._fd is not None

    def release(self) -> None:
        """Give the lock back; harmless when done twice."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __repr__(self) -> str:
        return f"ProfileLock({self.path}, {'held' if self.held else 'released'})"
