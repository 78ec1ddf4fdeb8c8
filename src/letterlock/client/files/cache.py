"""The cache of a profile: sealed files as their servers have them, found by the SHA-256 of their ciphertext.

What lies here is ciphertext alone; the keys are in the messages. A blob is whole, or it is not here: it takes its name
when its digest was verified and it is on the disk, by one rename. What is only begun (a reader fetched some ranges of
it) lies beside it as a part, of which a program that was killed leaves nothing that the next one would trust.

The budget is of bytes on the disk. What was used longest ago gives way; what is being read, or is on its way, does not.
Everything here blocks, and may be called from any thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import ContentError
from ...ids import Instant
from ...transport.content.files import file_error

__all__ = ["DEFAULT_BUDGET", "Cached", "FileCache"]

DEFAULT_BUDGET = 1 << 30

_NAME = re.compile(r"([0-9a-f]{64})\.(sealed|part)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cached:
    """One blob. `whole` False: some ranges of it, for a reader; `in_use`: it does not give way now."""

    digest: bytes
    size: int
    used: Instant
    whole: bool
    in_use: bool


class FileCache:
    """The folder of one profile. `budget` may be changed at any time; it holds from the next blob on."""

    def __init__(self, folder: Path, budget: int, clock: Callable[[], Instant]) -> None:
        self.folder, self.budget, self._clock = folder, budget, clock
        self._lock = threading.RLock()
        self._blobs: dict[bytes, tuple[int, Instant]] = {}
        self._parts: dict[bytes, int] = {}
        self._held: dict[bytes, int] = {}

    def prepare(self) -> None:
        """Look at what there is, and delete what a killed program left unfinished. Raises InputError."""
        with self._lock, _file_errors(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._blobs.clear()
            for path in self.folder.iterdir():
                name = _NAME.fullmatch(path.name)
                if name is None or name[2] == "part":
                    path.unlink(missing_ok=True)
                    continue
                found = path.stat()
                self._blobs[bytes.fromhex(name[1])] = (found.st_size, found.st_mtime_ns // 1_000_000)

    # --- whole blobs -------------------------------------------------------------------------------------------
    def find(self, digest: bytes) -> Path | None:
        """Where a whole blob lies; it was used now. None when it is not here."""
        with self._lock:
            if digest not in self._blobs:
                return None
            path, now = self._path(digest), self._clock()
            try:
                # The time stands with the blob, so that a program that is killed forgets no order.
                os.utime(path, ns=(now * 1_000_000, now * 1_000_000))
            except OSError:  # somebody has cleaned up
                del self._blobs[digest]
                return None
            self._blobs[digest] = (self._blobs[digest][0], now)
            return path

    def has(self, digest: bytes) -> bool:
        """Whether a whole blob is here, without using it."""
        with self._lock:
            return digest in self._blobs

    def adopt(self, digest: bytes, path: Path) -> bool:
        """Take a file that was verified to have this digest; False when it does not fit, and it stays where it is."""
        with self._lock, _file_errors(path):
            size, now = path.stat().st_size, self._clock()
            if digest not in self._blobs and not self._make_room(size, digest):
                return False
            os.utime(path, ns=(now * 1_000_000, now * 1_000_000))
            os.replace(path, self._path(digest))
            _sync(self.folder)
            self._blobs[digest] = (size, now)
            return True

    def drop(self, digest: bytes) -> None:
        """Delete what is here of it: it does not hold."""
        with self._lock:
            self._blobs.pop(digest, None)
            self._parts.pop(digest, None)
            for part in (False, True):
                with contextlib.suppress(OSError):
                    self._path(digest, part=part).unlink(missing_ok=True)

    # --- what is begun -----------------------------------------------------------------------------------------
    def part(self, digest: bytes) -> Path:
        """Where the ranges of a blob that is not whole are kept; its `grow` counts them."""
        return self._path(digest, part=True)

    def grow(self, digest: bytes, size: int) -> bool:
        """Make room for a part of so many bytes; False when others in use take it all."""
        with self._lock:
            held = self._parts.pop(digest, 0)
            if not self._make_room(size, digest):
                self._parts[digest] = held
                return False
            self._parts[digest] = size
            return True

    def complete(self, digest: bytes) -> None:
        """A part has all its bytes: verify it, and it is a blob. Raises ContentError, and nothing of it is left."""
        path = self.part(digest)
        with _file_errors(path), path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").digest()
            os.fsync(file.fileno())
        if not hmac.compare_digest(found, digest):
            self.drop(digest)
            raise ContentError(
                "the content server has another file than was sent",
                code="content.digest",
                hint="ask the sender for the file again",
            )
        with self._lock:
            self._parts.pop(digest, None)
            if not self.adopt(digest, path):  # the budget was made smaller meanwhile
                path.unlink(missing_ok=True)

    # --- in use ------------------------------------------------------------------------------------------------
    def hold(self, digest: bytes) -> None:
        """It is being read, or is on its way: it does not give way until `release`."""
        with self._lock:
            self._held[digest] = self._held.get(digest, 0) + 1

    def release(self, digest: bytes) -> None:
        with self._lock:
            left = self._held.get(digest, 0) - 1
            if left > 0:
                self._held[digest] = left
                return
            self._held.pop(digest, None)
            self._parts.pop(digest, None)
            with contextlib.suppress(OSError):
                self.part(digest).unlink(missing_ok=True)

    # --- the user's ------------------------------------------------------------------------------------------
    def contents(self) -> list[Cached]:
        """All that is here, what was used longest ago first."""
        with self._lock:
            whole = [Cached(each, *found, True, each in self._held) for each, found in self._blobs.items()]
            begun = [Cached(each, size, self._clock(), False, True) for each, size in self._parts.items()]
            return sorted(whole, key=lambda each: (each.used, each.digest)) + begun

    @property
    def used(self) -> int:
        with self._lock:
            return sum(size for size, _ in self._blobs.values()) + sum(self._parts.values())

    def prune(self, to: int) -> int:
        """Delete until at most so many bytes are here, but nothing in use; how many bytes went."""
        with self._lock:
            before = left = self.used
            for digest in self._oldest_first():
                if left <= to:
                    break
                left -= self._blobs[digest][0]
                self._evict(digest)
            return before - left

    # --- inside --------------------------------------------------------------------------------------------------
    def _make_room(self, size: int, digest: bytes) -> bool:
        if size > self.budget:
            return False
        going, free = [], self.budget - self.used
        for each in self._oldest_first():
            if free >= size:
                break
            if each != digest:
                going.append(each)
                free += self._blobs[each][0]
        if free < size:
            return False  # and nothing was deleted in vain
        for each in going:
            self._evict(each)
        return True

    def _oldest_first(self) -> list[bytes]:
        loose = [(used, digest) for digest, (_, used) in self._blobs.items() if digest not in self._held]
        return [digest for _, digest in sorted(loose)]

    def _evict(self, digest: bytes) -> None:
        del self._blobs[digest]
        with contextlib.suppress(OSError):
            self._path(digest).unlink(missing_ok=True)

    def _path(self, digest: bytes, *, part: bool = False) -> Path:
        return self.folder / f"{digest.hex()}.{'part' if part else 'sealed'}"


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _file_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise file_error(str(path), error) from error
