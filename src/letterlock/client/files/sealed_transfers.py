"""Sealed files on their way (docs/spec/files.md): what a chat by sessions, or a group of these, sends and receives.

A file is sealed once, to the folder of the profile, under a key that the record of its transfer gets when the ciphertext
is whole and on the disk: an upload that goes on sends these bytes again. A program that ends before has a record without
a key, and whoever resumes it seals anew under a fresh one; no key ever meets other content (SR-06, SR-15).

What was fetched is ciphertext, too, and goes to the cache; a plain copy is written only to where the user asked for one,
when everything was verified. All but `Sealing.begun` blocks: callers use a thread.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ...codec.ft_http import FileDocument, RemoteFile, media_type
from ...crypto.provider import CryptoProvider
from ...engine.content import File, pointed
from ...errors import ContentError, InputError, InvalidFile, LetterlockError
from ...files.layout import Layout
from ...files.pointer import MAX_NAME, Dimensions, FilePointer, RemoteSeal, ThumbnailPointer, encode_pointer
from ...files.whole import seal_bytes
from ...ids import Rng
from ...transport.content.config import DownloadState, UploadState
from ..media import SNIFFED, MediaInfo, announced_type, describe, disagreement, sniff
from .cache import FileCache
from .rcc16 import Ciphertexts
from .sealed import open_file, reading, seal_file

__all__ = ["SealedTransfer", "Sealing", "Work", "blob_of", "file_of_pointer"]

UPLOAD_NAME = "file"
UPLOAD_TYPE = "application/octet-stream"
"""What the server is told of every sealed file."""

_NOWHERE = "https://upload.invalid/"
"""The address of what is not uploaded yet; the name cannot exist (RFC 2606)."""


class Work(NamedTuple):
    """What a thread that seals or opens says and asks: how far it is, and whether to stop."""

    on_progress: Callable[[int, int], None]
    cancelled: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class SealedTransfer:
    """What makes a transfer one of a sealed file.

    `path` is the plain file: the user's, or the one to be; empty: it stays sealed, in the cache. `pointer` is None while
    an upload is not sealed yet. `picture` is what its thumbnail is made from, empty for the file itself; `described`
    False: nothing is said of what is in it. `thumbnail`: a download is that of the pointer's thumbnail. `disagreement`
    says what the bytes are, where its name or type says something else.
    """

    path: str
    name: str
    content_type: str
    pointer: FilePointer | None = None
    picture: str = ""
    described: bool = True
    thumbnail: bool = False
    disagreement: str = ""


def blob_of(pointer: FilePointer, thumbnail: bool) -> RemoteSeal:
    """The file, or its thumbnail. Raises InputError where there is none."""
    if not thumbnail:
        return pointer.at
    if pointer.thumbnail is None:
        raise InputError("this file has no thumbnail", code="input.thumbnail")
    return pointer.thumbnail.at


def file_of_pointer(sealed: SealedTransfer) -> File:
    """What is sent when the ciphertext is at the server."""
    if sealed.pointer is None or sealed.pointer.at.url == _NOWHERE:
        raise ContentError("the upload is not complete", code="transfer.unfinished", hint="resume it")
    return pointed(sealed.pointer)


class Sealing:
    """Seals and opens for the transfers of one profile."""

    def __init__(self, ciphertexts: Ciphertexts, cache: FileCache, crypto: CryptoProvider, rng: Rng) -> None:
        self._ciphertexts, self.cache, self._crypto, self._rng = ciphertexts, cache, crypto, rng

    # --- out ---------------------------------------------------------------------------------------------------
    def begun(self, transfer: str, size: int, name: str) -> UploadState:
        """The task of an upload whose file is still to be sealed. Raises InputError for a name that no pointer can say."""
        try:
            fits = len(name.encode()) <= MAX_NAME
        except UnicodeEncodeError:
            fits = False
        if not fits:
            raise InputError(
                f"the name of a file is text of at most {MAX_NAME} bytes",
                code="input.file_name",
                hint="send it under another name: name=, or --name",
            )
        place = str(self._ciphertexts.path(transfer))
        return UploadState(transfer, place, Layout(size).sealed_size, 0, UPLOAD_NAME, UPLOAD_TYPE)

    def seal(
        self, transfer: str, sealed: SealedTransfer, task: UploadState, work: Work
    ) -> tuple[SealedTransfer, UploadState]:
        """Seal the file and its thumbnail under fresh keys; what is to be uploaded, on the disk from now on.

        Raises InputError when the file cannot be read, or changes meanwhile.
        """
        self._ciphertexts.prepare()
        info = self._described(sealed, work)
        if work.cancelled():
            raise InputError("stopped", code="transfer.cancelled")
        small = self._small(transfer, info)
        seal = seal_file(
            sealed.path,
            task.path,
            crypto=self._crypto,
            rng=self._rng,
            on_progress=work.on_progress,
            cancelled=work.cancelled,
        )
        pointer = FilePointer(
            RemoteSeal(seal, _NOWHERE),
            sealed.name,
            # What its user says it is; without a word, what it looks like.
            media_type(sealed.content_type or (info.content_type if info is not None else "")),
            small,
            Dimensions(info.width, info.height) if info is not None and info.width and info.height else None,
            info.duration_ms if info is not None else None,
            info.waveform if info is not None and info.duration_ms is not None else b"",
        )
        encode_pointer(pointer)  # what cannot be said is better refused before the upload than after it
        found = os.stat(task.path)
        ready = dataclasses.replace(
            task,
            size=found.st_size,
            modified_ns=found.st_mtime_ns,
            thumbnail=None if small is None else str(self._ciphertexts.path(transfer, "thumbnail")),
            thumbnail_type=UPLOAD_TYPE,
        )
        odd = (info.disagreement if info is not None else None) or ""
        return dataclasses.replace(sealed, pointer=pointer, disagreement=odd), ready

    def uploaded(self, sealed: SealedTransfer, document: FileDocument) -> SealedTransfer:
        """With the addresses that the server gave. A thumbnail that it did not take is left out."""
        if sealed.pointer is None:
            raise ContentError("an upload that was never sealed", code="transfer.unfinished")
        pointer, small, there = sealed.pointer, sealed.pointer.thumbnail, document.thumbnail
        if small is not None and there is not None and there.size == small.at.seal.layout.sealed_size:
            small = dataclasses.replace(small, at=_at(small.at, there))
        else:
            small = None
        pointer = dataclasses.replace(pointer, at=_at(pointer.at, document.file), thumbnail=small)
        try:
            encode_pointer(pointer)
        except InputError as error:
            raise ContentError("the content server's answer makes no sense", code="content.answer") from error
        return dataclasses.replace(sealed, pointer=pointer)

    def keep(self, transfer: str, sealed: SealedTransfer) -> None:
        """What was uploaded need not be fetched again, as long as the cache has room for it."""
        pointer = sealed.pointer
        if pointer is None:
            return
        with contextlib.suppress(LetterlockError):  # the file is sent; a full disk does not change that
            self.cache.adopt(pointer.at.seal.sha256, self._ciphertexts.path(transfer))
            if pointer.thumbnail is not None:
                self.cache.adopt(pointer.thumbnail.at.seal.sha256, self._ciphertexts.path(transfer, "thumbnail"))

    # --- in ----------------------------------------------------------------------------------------------------
    def fetching(self, transfer: str, at: RemoteSeal) -> DownloadState:
        """The task of a download. What comes has the digest of the pointer, or is not kept."""
        place, part = (str(self._ciphertexts.path(transfer, kind)) for kind in ("sealed", "part"))
        return DownloadState(at.url, place, part, at.seal.layout.sealed_size, at.seal.sha256)

    def here(self, transfer: str, at: RemoteSeal) -> Path | None:
        """The whole ciphertext, if it need not be fetched."""
        found = self.cache.find(at.seal.sha256)
        if found is None and self._ciphertexts.is_whole(transfer):
            found = self._ciphertexts.path(transfer)
        return found

    def fetched(self, transfer: str, at: RemoteSeal) -> Path:
        """Put what was fetched and verified into the cache, if it fits; where it is."""
        place = self._ciphertexts.path(transfer)
        if not self.cache.adopt(at.seal.sha256, place):
            return place
        return self.cache.find(at.seal.sha256) or place

    def open(self, transfer: str, sealed: SealedTransfer, at: RemoteSeal, path: Path, work: Work) -> tuple[str, str]:
        """Write the plain copy; its path, and what its bytes are where they are not what its sender says (SR-14). Without
        a place for one, all is verified all the same, and nothing written.

        Raises InvalidFile, and the ciphertext that did not hold is gone then.
        """
        try:
            if not sealed.path:
                self._verify(at, path, work)
                written = ""
            else:
                written = open_file(
                    path,
                    sealed.path,
                    at.seal,
                    part=self.part(transfer, sealed),
                    crypto=self._crypto,
                    on_progress=work.on_progress,
                    cancelled=work.cancelled,
                )
            with reading(path, at.seal, crypto=self._crypto) as reader:
                found = sniff(reader.read(0, SNIFFED))
        except InvalidFile:
            self.cache.drop(at.seal.sha256)
            self._ciphertexts.forget(transfer)
            raise
        # Its name counts as well: that is what a desktop goes by.
        said = ("image/jpeg",) if sealed.thumbnail else (announced_type(sealed.name), sealed.content_type)
        return written, next((odd for each in said if (odd := disagreement(each, found))), "")

    def part(self, transfer: str, sealed: SealedTransfer) -> Path:
        """The hidden file beside its place, while what was verified is being written."""
        place = Path(sealed.path)
        return place.with_name(f".{place.name[:80]}.{transfer[:12]}.part")

    def _verify(self, at: RemoteSeal, path: Path, work: Work) -> None:
        with reading(path, at.seal, crypto=self._crypto) as reader:
            for _, done in reader.batches(lambda piece: None):
                if work.cancelled():
                    raise InputError("stopped", code="transfer.cancelled")
                work.on_progress(done, at.seal.size)

    # --- inside ------------------------------------------------------------------------------------------------
    def _described(self, sealed: SealedTransfer, work: Work) -> MediaInfo | None:
        if not sealed.described:
            return None
        info = describe(sealed.path, sealed.content_type, name=sealed.name, cancelled=work.cancelled)
        if not sealed.picture:
            return info
        picture = describe(sealed.picture, cancelled=work.cancelled)
        if picture.thumbnail is None:
            raise picture.problem or InputError(
                "this is no picture that a thumbnail could be made from",
                code="input.thumbnail",
                hint="name a JPEG, PNG, WebP, GIF or AVIF picture, or send the file without one",
            )
        return dataclasses.replace(info, thumbnail=picture.thumbnail)

    def _small(self, transfer: str, info: MediaInfo | None) -> ThumbnailPointer | None:
        if info is None or info.thumbnail is None:
            return None
        seal, sealed = seal_bytes(info.thumbnail.jpeg, crypto=self._crypto, rng=self._rng)
        place = self._ciphertexts.path(transfer, "thumbnail")
        self._ciphertexts.write(place, sealed)
        return ThumbnailPointer(RemoteSeal(seal, _NOWHERE), Dimensions(info.thumbnail.width, info.thumbnail.height))


def _at(remote: RemoteSeal, there: RemoteFile) -> RemoteSeal:
    return RemoteSeal(remote.seal, there.url, there.until)
