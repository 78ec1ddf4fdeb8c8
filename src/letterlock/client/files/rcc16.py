"""Files that are encrypted before they are uploaded, and decrypted after they were fetched (RCC.16; rcc16.md 7.1, 7.3).

What moves is ciphertext, in a folder of the profile, and is deleted when the transfer is over. What is fetched takes its
name only when its tag and everything else of C.3 holds (SR-14, SR-15): before, no byte of it is written in the clear.
Whole files in memory, which bounds their size. Everything here blocks: callers use a thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ...codec.ft_http import FileDocument
from ...crypto.provider import CryptoProvider
from ...engine.content import File
from ...errors import InputError, LetterlockError
from ...ids import Rng
from ...rcc16.files import DESCRIPTOR_NAME, ciphertext_length, describe, open_file, seal_file
from ...rcc16.wire.content_types import FILE
from ...rcc16.wire.file_info import FileMetadata
from ...transport.content.config import UploadState
from ...transport.content.files import Target, file_error, finished_before

__all__ = ["MAX_FILE", "Ciphertexts", "Encrypted", "Opened", "file_of"]

MAX_FILE = 100 << 20
"""What deployed clients take (rcc16.md 3.2)."""

_MAX_THUMBNAIL = 128 << 10


@dataclass(frozen=True, slots=True)
class Encrypted:
    """What makes a transfer one of ciphertext: the keys, and `path`, the file in the clear: the user's, or the one to be."""

    path: str
    file: FileMetadata
    thumbnail: FileMetadata | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that was verified, and where it is."""

    path: str
    size: int
    sha256: bytes


def file_of(document: FileDocument, encrypted: Encrypted) -> File:
    """What is sent when the ciphertext is at the server: its document says nothing of the file (rcc16.md 7.3)."""
    picture = document.thumbnail if encrypted.thumbnail is not None else None
    return File(
        describe(document.file.size, document.file.url, document.file.until),
        None if picture is None else describe(picture.size, picture.url, picture.until),
        sealed=encrypted.file,
        sealed_thumbnail=None if picture is None else encrypted.thumbnail,
    )


class Ciphertexts:
    """The folder of one profile where ciphertext lies while it is on its way."""

    def __init__(self, folder: Path, crypto: CryptoProvider, rng: Rng) -> None:
        self._folder, self._crypto, self._rng = folder, crypto, rng

    def path(self, transfer: str, kind: str = "sealed") -> Path:
        """Where the ciphertext of a transfer is; `kind` tells thumbnail and unfinished part from it."""
        return self._folder / f"{transfer}.{kind}"

    def seal(
        self,
        transfer: str,
        path: str,
        name: str,
        content_type: str,
        thumbnail: str | None,
        thumbnail_type: str,
    ) -> tuple[Encrypted, UploadState]:
        """Encrypt a file under a fresh key; what is to be uploaded. A thumbnail that cannot be encrypted is left out.

        Raises InputError when the file cannot be read, or is too large.
        """
        self._make()
        sealed = seal_file(_read(path, MAX_FILE), name, content_type, crypto=self._crypto, rng=self._rng)
        ciphertext = self.path(transfer)
        _write(ciphertext, sealed.ciphertext)
        picture, small = None, None
        if thumbnail is not None:
            with contextlib.suppress(LetterlockError):
                content = _read(thumbnail, _MAX_THUMBNAIL)
                picture = seal_file(content, "thumbnail", thumbnail_type, crypto=self._crypto, rng=self._rng)
                small = self.path(transfer, "thumbnail")
                _write(small, picture.ciphertext)
        found = os.stat(ciphertext)
        state = UploadState(
            transfer,
            str(ciphertext),
            found.st_size,
            found.st_mtime_ns,
            DESCRIPTOR_NAME,
            FILE,
            None if small is None else str(small),
            FILE,
        )
        return Encrypted(path, sealed.metadata, None if picture is None else picture.metadata), state

    def is_whole(self, transfer: str) -> bool:
        """Whether all of a ciphertext was fetched: nothing has this name before."""
        return self.path(transfer).exists()

    def open(self, transfer: str, encrypted: Encrypted) -> Opened:
        """Verify and decrypt; the file appears only now, and whole. Raises InvalidRcc16, InputError; the ciphertext that
        does not hold is gone then, so that another try fetches it anew."""
        data = _read(str(self.path(transfer)), ciphertext_length(MAX_FILE))
        try:
            content = open_file(encrypted.file, data, crypto=self._crypto, max_bytes=MAX_FILE)
        except LetterlockError:
            self.forget(transfer)
            raise
        digest = hashlib.sha256(content).digest()
        part = self.part(transfer, encrypted)
        # A program that ended right here before has given it its name already.
        if finished_before(str(part), encrypted.path, {digest}) is not None:
            return Opened(encrypted.path, len(content), digest)
        target = Target(str(part), 0)
        try:
            target.write(content)
            return Opened(target.finish(encrypted.path), len(content), digest)
        finally:
            target.close()

    def part(self, transfer: str, encrypted: Encrypted) -> Path:
        """The hidden file beside its place, while what was verified is being written."""
        place = Path(encrypted.path)
        return place.with_name(f".{place.name[:80]}.{transfer[:12]}.part")

    def write(self, path: Path, content: bytes) -> None:
        """Write ciphertext there; it is on the disk then. Raises InputError."""
        self._make()
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise file_error(str(path), error) from error

    def prepare(self) -> None:
        """Make the folder, for this user only. Raises InputError."""
        self._make()

    def forget(self, transfer: str) -> None:
        """Delete what lies here of a transfer."""
        for kind in ("sealed", "sealed.part", "thumbnail", "part"):
            with contextlib.suppress(OSError):
                self.path(transfer, kind).unlink(missing_ok=True)

    def keep_only(self, transfers: Collection[str]) -> None:
        """Delete what is of no transfer that goes on: a program ended before it could."""
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                if path.name.partition(".")[0] not in transfers:
                    path.unlink(missing_ok=True)

    def _make(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise file_error(str(self._folder), error) from error


def _read(path: str, most: int) -> bytes:
    """All of it. Raises InputError."""
    try:
        with open(path, "rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise file_error(path, error) from error
    if len(content) > most:
        raise InputError(f"{path}: more than {most} bytes cannot be encrypted", code="transfer.too_large")
    return content


def _write(path: Path, content: bytes) -> None:
    target = Target(str(path), 0)
    try:
        target.write(content)
    finally:
        target.close()
