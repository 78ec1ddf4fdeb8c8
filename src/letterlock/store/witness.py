"""The generation number outside the database: how a restored old copy of the store is recognised (SR-06).

Every commit raises the store's generation by one, inside its transaction. After the transaction, and
before anybody is told, the number is written to one or two small files outside the database: one beside
it, and one in the user's state directory under the store's id. A store that opens with a lower number
than a witness has seen is an old copy: its ratchets have moved on in messages that may have left, so
that encrypting with it would use keys a second time. It is refused before anything reads it.

What this catches: the database (or the whole profile folder, thanks to the second place) put back from a
backup, a snapshot of the file system that holds only one of the places, a synchronised folder that lost
a race. A copy taken at any moment is caught, also one taken while the owner was running, because the
witness moves with every commit; being killed by a signal cannot lose it (the write is in the page cache).

What it cannot catch: everything put back together from one moment (a snapshot of the whole machine, a
backup of the whole home folder). No local file can; only somebody else's memory could. A power cut may
lose the last few witness writes, which matters only if an old copy younger than those is restored as well.

The tag keeps somebody who can write the disk but lacks the key from composing a witness. Putting back an
old one in every place is the undetectable case above; deleting all of them is refused at open.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import StoreError

__all__ = ["Witness"]

_MAGIC = b"LLGEN\x00\x01\n"
_LABEL = b"\xff\x80letterlock/store-witness/v1\x00"
_SIZE = 8 + 16 + 8 + 32
_SYNC_EVERY = 64  # commits between two fdatasync calls: a power cut may lose this many numbers, a signal none


class Witness:
    """The highest generation that was seen of one store, kept in one or more files."""

    __slots__ = ("_files", "_key", "_since_sync", "_store_id")

    def __init__(self, store_id: bytes, key: bytes, places: Iterable[Path]) -> None:
        """`key` is the store key; a separate one is derived from it (SR-23). The first place must be writable, others may fail."""
        self._store_id = store_id
        self._key = hmac.digest(key, _LABEL + b"key", "sha256")
        self._since_sync = 0
        self._files: list[int] = []
        for index, place in enumerate(places):
            try:
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._files.append(os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
            except OSError as error:
                if index == 0:
                    raise StoreError(
                        f"the generation file cannot be opened: {error.strerror}",
                        code="store.io",
                        hint=f"check {place}",
                    ) from error

    def seen(self) -> int | None:
        """The highest generation that any place vouches for, None when no place does."""
        numbers = [number for number in map(self._read, self._files) if number is not None]
        return max(numbers, default=None)

    def record(self, generation: int) -> None:
        """Remember `generation`. Returns when it would survive the death of this process."""
        data = _MAGIC + self._store_id + generation.to_bytes(8, "big")
        data += self._tag(data)
        try:
            for file in self._files:
                os.pwrite(file, data, 0)
            self._since_sync += 1
            if self._since_sync >= _SYNC_EVERY:
                self.sync()
        except OSError as error:
            raise StoreError(f"the generation file cannot be written: {error.strerror}", code="store.io") from error

    def sync(self) -> None:
        """Make it survive a power cut too."""
        self._since_sync = 0
        for file in self._files:
            os.fdatasync(file)

    def close(self) -> None:
        for file in self._files:
            with contextlib.suppress(OSError):
                os.fdatasync(file)
            os.close(file)
        self._files = []

    def _read(self, file: int) -> int | None:
        try:
            data = os.pread(file, _SIZE + 1, 0)
        except OSError:
            return None
        if len(data) != _SIZE or not data.startswith(_MAGIC):
            return None
        body, tag = data[:-32], data[-32:]
        if not hmac.compare_digest(self._tag(body), tag) or not hmac.compare_digest(body[8:24], self._store_id):
            return None
        return int.from_bytes(body[24:], "big")

    def _tag(self, body: bytes) -> bytes:
        return hmac.digest(self._key, _LABEL + body, hashlib.sha256)

    def __repr__(self) -> str:
        return f"Witness({len(self._files)} places)"
