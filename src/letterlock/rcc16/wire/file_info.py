"""FileInfo: the keys of files, of a group's subject and of its icon (rcc16.md 7.2, protobuf).

A key opens nothing by itself: how a file is laid out and verified is `letterlock.rcc16.files`. Reprs show no keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ...codec.protobuf import bytes_field, decode, fixed32_field, varint_field
from ...errors import DecodeError

__all__ = [
    "AES256_CTR_HMAC_SHA256",
    "FileEncryptionInfo",
    "FileInfo",
    "FileMetadata",
    "decode_file_info",
    "decode_file_metadata",
    "encode_file_info",
    "encode_file_metadata",
]

AES256_CTR_HMAC_SHA256: Final = 1
"""AES-256-CTR with HMAC-SHA-256, tag of 256 bits; the only algorithm."""

_KEY: Final = 32
_IV: Final = 12
_TAG: Final = 32
_MAX_NAME: Final = 1024


@dataclass(frozen=True, slots=True)
class FileEncryptionInfo:
    """`length_hint` is the plain length, 0 where none is given."""

    key_material: bytes = field(repr=False)
    iv: bytes
    tag: bytes
    length_hint: int
    algorithm: int = AES256_CTR_HMAC_SHA256


@dataclass(frozen=True, slots=True)
class FileMetadata:
    """`name` goes into the derivation of the keys, so it is kept byte for byte."""

    name: str
    content_type: str
    encryption: FileEncryptionInfo


@dataclass(frozen=True, slots=True)
class FileInfo:
    """Which of the four are there depends on what it is about: a file and its thumbnail, or subject and icon."""

    file: FileMetadata | None = None
    thumbnail: FileMetadata | None = None
    subject: FileMetadata | None = None
    icon: FileMetadata | None = None


def encode_file_info(info: FileInfo) -> bytes:
    """The message."""
    entries = ((1, info.file), (2, info.thumbnail), (3, info.subject), (4, info.icon))
    return b"".join(bytes_field(number, encode_file_metadata(entry)) for number, entry in entries if entry is not None)


def encode_file_metadata(metadata: FileMetadata) -> bytes:
    """One entry."""
    sealed = metadata.encryption
    info = b"".join(
        (
            bytes_field(1, sealed.key_material),
            bytes_field(2, sealed.iv),
            bytes_field(3, sealed.tag),
            varint_field(4, sealed.algorithm),
            fixed32_field(5, sealed.length_hint) if sealed.length_hint else b"",
        )
    )
    return (
        bytes_field(1, metadata.name.encode()) + bytes_field(2, metadata.content_type.encode()) + bytes_field(3, info)
    )


def decode_file_info(data: bytes) -> FileInfo:
    """Raises DecodeError: also for an entry without its key, and for another algorithm."""
    chunks = decode(data).chunks
    file, thumbnail, subject, icon = (
        None if (raw := chunks.get(number)) is None else decode_file_metadata(raw) for number in (1, 2, 3, 4)
    )
    return FileInfo(file, thumbnail, subject, icon)


def decode_file_metadata(data: bytes) -> FileMetadata:
    """One entry. Raises DecodeError."""
    fields = decode(data)
    sealed = decode(fields.chunks.get(3, b""))
    key, iv, tag = (sealed.chunks.get(number, b"") for number in (1, 2, 3))
    if (len(key), len(iv), len(tag)) != (_KEY, _IV, _TAG):
        raise DecodeError("a key, IV or tag of another length", code="rcc16.file_info")
    if sealed.varints.get(4) != AES256_CTR_HMAC_SHA256:
        raise DecodeError("a file encrypted in a way that nobody knows", code="rcc16.file_info")
    encryption = FileEncryptionInfo(key, iv, tag, sealed.fixed.get(5, 0) & 0xFFFF_FFFF)
    return FileMetadata(_text(fields.chunks.get(1, b"")), _text(fields.chunks.get(2, b"")), encryption)


def _text(raw: bytes) -> str:
    if len(raw) > _MAX_NAME:
        raise DecodeError("a name that is too long", code="rcc16.file_info")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise DecodeError("a name that is not UTF-8", code="rcc16.file_info") from None
