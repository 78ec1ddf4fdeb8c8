"""Files: what is asked of `upload` and `download`, and what they give.

Keys of encrypted files are no fields: what `upload` gives is sent on as it is, and what has come is given to `download`.
"""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from ..engine.content import File
from ..errors import InputError
from .dates import date_of
from .handles import CellularServiceID, RCSHandle

__all__ = [
    "FileDisposition",
    "FileDownloadMetadata",
    "FileDownloadRequest",
    "FileTransferMetadata",
    "FileUploadMetadata",
    "FileUploadRequest",
    "file_of",
    "metadata_of",
]


class FileDisposition(enum.StrEnum):
    """What the sender would have done with it: kept, or played in place (a voice message)."""

    ATTACHMENT = "attachment"
    RENDER = "render"


@dataclass(frozen=True, slots=True)
class FileTransferMetadata:
    """A file at a content server. All of it is its sender's word: a `file_name` is text to show, and no path (SR-14)."""

    url: str = field(repr=False)
    file_name: str | None
    file_size: int
    content_type: str | None
    expiration_date: datetime | None
    """Apple's is never missing; a content server's document may not say."""
    playback_length: timedelta | None = None
    disposition: FileDisposition | None = None
    _file: File | None = field(default=None, repr=False, compare=False)
    _thumbnail: bool = field(default=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class FileUploadRequest:
    """Put a file where others find it. Types that are None follow from the names of the files.

    Apple's request knows no `destination`. Ours needs it with `is_end_to_end_encrypted`: a file is encrypted in the form
    of the chat that it is for.
    """

    cellular_service_id: CellularServiceID
    file_path: Path
    content_type: str | None = None
    thumbnail_path: Path | None = None
    thumbnail_content_type: str | None = None
    is_end_to_end_encrypted: bool = False
    destination: RCSHandle | None = None


@dataclass(frozen=True, slots=True)
class FileUploadMetadata:
    """What was uploaded: for a `FileTransfer`. `transaction_id` is the transfer's, among `Client.transfers`."""

    transaction_id: uuid.UUID
    file_metadata: FileTransferMetadata
    thumbnail_metadata: FileTransferMetadata | None = None


@dataclass(frozen=True, slots=True)
class FileDownloadRequest:
    """Fetch a file to a path where nothing is yet: one that has come (`file_metadata`), or a bare address that is known
    otherwise (`file_url`), of which nothing can be checked."""

    cellular_service_id: CellularServiceID
    destination_path: Path
    file_metadata: FileTransferMetadata | None = None
    file_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class FileDownloadMetadata:
    """What it is, and a name under which it could be saved: one that is safe in a folder (SR-14)."""

    content_type: str | None
    suggested_file_name: str | None


# --- to ours and back ------------------------------------------------------------------------------------------
def metadata_of(file: File) -> tuple[FileTransferMetadata, FileTransferMetadata | None]:
    """The file, and its thumbnail where it has one."""
    milliseconds = file.duration_ms
    whole = FileTransferMetadata(
        file.file.url,
        file.name or None,
        file.size,
        file.content_type or None,
        date_of(file.file.until),
        None if milliseconds is None else timedelta(milliseconds=milliseconds),
        FileDisposition.RENDER if file.render else FileDisposition.ATTACHMENT,
        file,
    )
    small = file.thumbnail
    if small is None:
        return whole, None
    thumbnail = FileTransferMetadata(
        small.url, None, small.size, small.content_type or None, date_of(small.until), None, None, file, True
    )
    return whole, thumbnail


def file_of(metadata: FileTransferMetadata) -> tuple[File, bool]:
    """The file, and whether its thumbnail is meant. Raises InputError for what was put together by hand."""
    if metadata._file is None:
        raise InputError(
            "not the metadata of a file that was uploaded or has come",
            code="input.file",
            hint="pass on what upload or a message gave",
        )
    return metadata._file, metadata._thumbnail
