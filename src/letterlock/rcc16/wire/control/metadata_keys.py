"""GroupMetadataKeys (RCC.16 7.13.4): the keys of subject and icon, for a member that came back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ....codec.protobuf import bytes_field, decode
from ....errors import DecodeError
from ..file_info import FileInfo, decode_file_info, encode_file_info
from .fields import chunk_field

__all__ = ["MetadataKeys", "decode_metadata_keys", "encode_metadata_keys"]

_TOKEN: Final = 32


@dataclass(frozen=True, slots=True)
class MetadataKeys:
    """GroupMetadataKeys: what a member that came back asks for."""

    continuity_token: bytes = field(repr=False)
    keys: FileInfo


def encode_metadata_keys(keys: MetadataKeys) -> bytes:
    return chunk_field(1, keys.continuity_token) + bytes_field(2, encode_file_info(keys.keys))


def decode_metadata_keys(data: bytes) -> MetadataKeys:
    """Raises DecodeError."""
    chunks = decode(data).chunks
    token = chunks.get(1, b"")
    if token and len(token) != _TOKEN:
        raise DecodeError("a continuity token of another length", code="rcc16.continuity")
    return MetadataKeys(token, decode_file_info(chunks.get(2, b"")))
