"""Where a group's icon lies and the key that opens it, as one value: what a member has to have of it (rcc16.md 7.5).

A form of our own, for stores and the interfaces inside a client; on the wire the two travel apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ...codec.protobuf import bytes_field, decode
from ...errors import DecodeError
from .file_info import FileMetadata, decode_file_metadata, encode_file_metadata

__all__ = ["IconPointer", "check_icon_url", "decode_icon_pointer", "encode_icon_pointer"]

_MAX_URL: Final = 1_024


@dataclass(frozen=True, slots=True)
class IconPointer:
    """The ciphertext is at `url`."""

    url: str = field(repr=False)
    metadata: FileMetadata


def encode_icon_pointer(pointer: IconPointer) -> bytes:
    return bytes_field(1, pointer.url.encode()) + bytes_field(2, encode_file_metadata(pointer.metadata))


def decode_icon_pointer(data: bytes) -> IconPointer:
    """Raises DecodeError."""
    chunks = decode(data).chunks
    try:
        url = chunks.get(1, b"").decode("ascii")
    except UnicodeDecodeError:
        raise DecodeError("not the address of an icon", code="rcc16.icon") from None
    return IconPointer(check_icon_url(url), decode_file_metadata(chunks.get(2, b"")))


def check_icon_url(url: str) -> str:
    """Raises DecodeError for what is none; whether it may be fetched is decided where it is (SR-14)."""
    plain = url.isascii() and url.isprintable() and " " not in url
    if not plain or len(url) > _MAX_URL or not url.startswith(("https://", "http://")):
        raise DecodeError("not the address of an icon", code="rcc16.icon")
    return url
