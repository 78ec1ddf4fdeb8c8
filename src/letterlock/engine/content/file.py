"""Files: where one lies at a content server, as the document that RCS clients exchange (rcs.md 2.6).

In a chat that the user left unencrypted, the bytes at the server are the file. In one whose protocol encrypts files
(RCC.16), they are ciphertext, the document describes that, and key and real name stand in a FileInfo (rcc16.md 7.2): it
travels in a letter of its own, and is kept in the entity of the message, in the field `Letterlock-File-Info`.

Nothing here is fetched or opened: name, type and address are a stranger's words (SR-14).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace

from ...codec.ft_http import MEDIA_TYPE, FileDocument, FileLimits, RemoteFile, decode_file, encode_file, media_type
from ...errors import DecodeError
from ...rcc16.wire.file_info import FileInfo, FileMetadata, decode_file_info, encode_file_info
from .parts import LETTERLOCK, XML, Parts, Read, letterlock_headers

__all__ = [
    "FILE_INFO_FIELD",
    "FILE_LIMITS",
    "FILE_TYPE",
    "File",
    "express_file",
    "field_of_keys",
    "keyed",
    "keys_in_field",
    "keys_of",
    "read_file",
]

FILE_TYPE = MEDIA_TYPE
FILE_LIMITS = FileLimits(XML, max_file_size=1 << 40, max_name=255, max_url=2_048)
FILE_INFO_FIELD = "Letterlock-File-Info"
_MAX_DIGEST = 128


@dataclass(frozen=True, slots=True)
class File:
    """A file at a content server, perhaps with a thumbnail; `digest` as in RFC 9530 (`sha-256=:...:`), empty if not known.

    `sealed` is the key of an encrypted file, whose bytes at `file` are ciphertext, and what it is really called;
    `sealed_thumbnail` the thumbnail's. `name`, `content_type` and `size` are of the file itself.
    """

    file: RemoteFile
    thumbnail: RemoteFile | None = None
    digest: str = ""
    render: bool = False
    playing_seconds: int | None = None
    sealed: FileMetadata | None = None
    sealed_thumbnail: FileMetadata | None = None

    @property
    def name(self) -> str:
        return self.file.name if self.sealed is None else self.sealed.name

    @property
    def content_type(self) -> str:
        return self.file.content_type if self.sealed is None else media_type(self.sealed.content_type)

    @property
    def size(self) -> int:
        """What its sender says; of an encrypted file of which it says nothing, the size of the ciphertext."""
        hint = 0 if self.sealed is None else self.sealed.encryption.length_hint
        return hint or self.file.size


# --- the document ----------------------------------------------------------------------------------------------
def express_file(file: File) -> Parts:
    document = FileDocument(file.file, file.thumbnail, file.render, file.playing_seconds)
    headers = letterlock_headers(("Digest", file.digest)) if file.digest else ()
    return Parts(FILE_TYPE, encode_file(document), headers)


def read_file(read: Read) -> File:
    """Raises DecodeError."""
    document = decode_file(read.body, FILE_LIMITS)
    digest = read.header("Digest", LETTERLOCK) or ""
    if len(digest) > _MAX_DIGEST or not digest.isascii():
        raise DecodeError("not a digest", code="content.digest")
    return File(document.file, document.thumbnail, digest, document.render, document.playing_seconds)


# --- the keys --------------------------------------------------------------------------------------------------
def keys_of(file: File) -> FileInfo | None:
    """What only the members of the chat may have; None for a file that is not encrypted."""
    return None if file.sealed is None else FileInfo(file=file.sealed, thumbnail=file.sealed_thumbnail)


def keyed(file: File, info: FileInfo) -> File:
    """The file with its keys. A thumbnail whose key is not there cannot be read, and is left out."""
    thumbnail = info.thumbnail if file.thumbnail is not None else None
    return replace(
        file, sealed=info.file, sealed_thumbnail=thumbnail, thumbnail=None if thumbnail is None else file.thumbnail
    )


def field_of_keys(info: FileInfo) -> bytes:
    """The line of an entity that is kept."""
    return f"{FILE_INFO_FIELD}: {base64.b64encode(encode_file_info(info)).decode()}\r\n".encode()


def keys_in_field(value: str) -> FileInfo:
    """The other way. Raises DecodeError."""
    try:
        info = decode_file_info(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        raise DecodeError("the keys of a file are not base64", code="content.file_info") from None
    if info.file is None:
        raise DecodeError("keys of no file", code="content.file_info")
    return info
