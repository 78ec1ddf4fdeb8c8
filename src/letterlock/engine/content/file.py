"""Files: where one lies at a content server, as the document that RCS clients exchange (rcs.md 2.6).

The bytes at the server are what the document's reader can fetch, so it is for unencrypted chats. Nothing here is
fetched or opened: name, type and address are a stranger's words (SR-14).
"""

from __future__ import annotations

from dataclasses import dataclass

from ...codec.ft_http import MEDIA_TYPE, FileDocument, FileLimits, RemoteFile, decode_file, encode_file
from ...errors import DecodeError
from .parts import LETTERLOCK, XML, Parts, Read, letterlock_headers

__all__ = ["FILE_LIMITS", "FILE_TYPE", "File", "express_file", "read_file"]

FILE_TYPE = MEDIA_TYPE
FILE_LIMITS = FileLimits(XML, max_file_size=1 << 40, max_name=255, max_url=2_048)
_MAX_DIGEST = 128


@dataclass(frozen=True, slots=True)
class File:
    """A file at a content server, perhaps with a thumbnail; `digest` as in RFC 9530 (`sha-256=:...:`), empty if not known."""

    file: RemoteFile
    thumbnail: RemoteFile | None = None
    digest: str = ""
    render: bool = False
    playing_seconds: int | None = None


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
