"""Files: where one lies at a content server, in the three forms that chats have for it.

* In a chat that the user left unencrypted, the bytes at the server are the file, and what is sent is the document that
  RCS clients exchange (rcs.md 2.6).
* In a chat that goes by sessions with each device, or a group of these, they are a sealed file, and what is sent inside the
  encryption is a pointer with its key, name and everything else (docs/spec/files.md).
* In one that goes by RCC.16, they are ciphertext, the document describes that, and key and real name stand in a FileInfo
  (rcc16.md 7.2): it travels in a letter of its own, and is kept in the entity of the message, in the field
  `Letterlock-File-Info`.

Nothing here is fetched or opened: name, type and address are a stranger's words (SR-14).
"""

from __future__ import annotations

import base64
import binascii
import enum
from dataclasses import dataclass, replace

from ...codec.ft_http import MEDIA_TYPE, FileDocument, FileLimits, RemoteFile, decode_file, encode_file, media_type
from ...errors import DecodeError
from ...files.pointer import CONTENT_TYPE as POINTER_TYPE
from ...files.pointer import FilePointer, RemoteSeal, decode_pointer, encode_pointer
from ...rcc16.wire.file_info import FileInfo, FileMetadata, decode_file_info, encode_file_info
from .parts import LETTERLOCK, XML, Parts, Read, Reference
from .text import read_reply, reply_headers

__all__ = [
    "FILE_INFO_FIELD",
    "FILE_LIMITS",
    "FILE_TYPE",
    "POINTER_TYPE",
    "File",
    "FileFormat",
    "express_file",
    "field_of_keys",
    "keyed",
    "keys_in_field",
    "keys_of",
    "pointed",
    "read_file",
    "read_pointer",
]

FILE_TYPE = MEDIA_TYPE
FILE_LIMITS = FileLimits(XML, max_file_size=1 << 40, max_name=255, max_url=2_048)
FILE_INFO_FIELD = "Letterlock-File-Info"
_MAX_DIGEST = 128
_OPAQUE = "application/octet-stream"


class FileFormat(enum.Enum):
    """What lies at the content server; the value is its stable name."""

    PLAIN = "plain"
    """The file as it is: whoever runs the server can read it."""
    SEALED = "sealed"
    """A sealed file (docs/spec/files.md)."""
    RCC16 = "rcc16"
    """A file of RCC.16 Annex C."""


@dataclass(frozen=True, slots=True)
class File:
    """A file at a content server, perhaps with a thumbnail; `digest` as in RFC 9530 (`sha-256=:...:`), empty if not known.

    `pointer` says all of a sealed file. `sealed` is the key of one of RCC.16, and what it is really called;
    `sealed_thumbnail` the thumbnail's. Of both, the bytes at `file` and `thumbnail` are ciphertext; `name`,
    `content_type` and `size` are of the file itself. `reply_to` is the message that sending it answers.
    """

    file: RemoteFile
    thumbnail: RemoteFile | None = None
    digest: str = ""
    render: bool = False
    playing_seconds: int | None = None
    sealed: FileMetadata | None = None
    sealed_thumbnail: FileMetadata | None = None
    pointer: FilePointer | None = None
    reply_to: Reference | None = None

    @property
    def format(self) -> FileFormat:
        if self.pointer is not None:
            return FileFormat.SEALED
        return FileFormat.PLAIN if self.sealed is None else FileFormat.RCC16

    @property
    def name(self) -> str:
        """What its sender calls it: a stranger's word, to be made safe before a file gets it (SR-14)."""
        if self.pointer is not None:
            return self.pointer.name
        return self.file.name if self.sealed is None else self.sealed.name

    @property
    def content_type(self) -> str:
        if self.pointer is not None:
            return self.pointer.content_type
        return self.file.content_type if self.sealed is None else media_type(self.sealed.content_type)

    @property
    def media(self) -> str:
        """`image`, `video` or `audio`; `file` for anything else."""
        kind = self.content_type.partition("/")[0]
        return kind if kind in ("image", "video", "audio") else "file"

    @property
    def duration_ms(self) -> int | None:
        """How long it plays, by its sender's word."""
        if self.pointer is not None:
            return self.pointer.duration_ms
        return None if self.playing_seconds is None else self.playing_seconds * 1_000

    @property
    def size(self) -> int:
        """What its sender says; of a file of RCC.16 of which it says nothing, the size of the ciphertext."""
        if self.pointer is not None:
            return self.pointer.at.seal.size
        hint = 0 if self.sealed is None else self.sealed.encryption.length_hint
        return hint or self.file.size


# --- the document ----------------------------------------------------------------------------------------------
def express_file(file: File) -> Parts:
    if file.pointer is not None:
        return Parts(POINTER_TYPE, encode_pointer(file.pointer), reply_headers(file.reply_to))
    document = FileDocument(file.file, file.thumbnail, file.render, file.playing_seconds)
    digest = (("Digest", file.digest),) if file.digest else ()
    return Parts(FILE_TYPE, encode_file(document), reply_headers(file.reply_to, *digest))


def read_file(read: Read) -> File:
    """Raises DecodeError."""
    document = decode_file(read.body, FILE_LIMITS)
    digest = read.header("Digest", LETTERLOCK) or ""
    if len(digest) > _MAX_DIGEST or not digest.isascii():
        raise DecodeError("not a digest", code="content.digest")
    return File(
        document.file,
        document.thumbnail,
        digest,
        document.render,
        document.playing_seconds,
        reply_to=read_reply(read),
    )


# --- the pointer -----------------------------------------------------------------------------------------------
def pointed(pointer: FilePointer) -> File:
    """The file that a pointer points at."""
    small = pointer.thumbnail
    return File(_remote(pointer.at), None if small is None else _remote(small.at), pointer=pointer)


def read_pointer(read: Read) -> File:
    """Raises DecodeError."""
    return replace(pointed(decode_pointer(read.body)), reply_to=read_reply(read))


def _remote(at: RemoteSeal) -> RemoteFile:
    return RemoteFile(at.seal.layout.sealed_size, _OPAQUE, at.url, at.until)


# --- the keys --------------------------------------------------------------------------------------------------
def keys_of(file: File) -> FileInfo | None:
    """What only the members of the chat may have; None for a file of another form."""
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
