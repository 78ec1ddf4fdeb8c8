"""The decoders of `letterlock.files` for tests/decoders.py, with honest examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from letterlock.codec.tls import whole
from letterlock.files import (
    Dimensions,
    FilePointer,
    RemoteSeal,
    ThumbnailPointer,
    decode_pointer,
    encode_pointer,
    encode_seal,
    read_seal,
)
from letterlock.files.keys import check_header

from .world import Parts

__all__ = ["PICTURE", "PLAIN", "VOICE", "files_decoders"]

_FILE = RemoteSeal(Parts(1000).seal, "https://content.example.test/f/0123456789abcdef", 1_800_000_000_000)
_SMALL = RemoteSeal(Parts(900, "thumbnail").seal, "https://content.example.test/f/fedcba9876543210")

PLAIN = FilePointer(_SMALL, "minutes.pdf", "application/pdf")
PICTURE = FilePointer(
    _FILE, "Ferien in Köln.jpg", "image/jpeg", ThumbnailPointer(_SMALL, Dimensions(320, 213)), Dimensions(6000, 4000)
)
VOICE = FilePointer(_FILE, "", "audio/ogg", duration_ms=61_250, waveform=bytes(range(0, 256, 4)))


def files_decoders() -> tuple[tuple[str, Callable[[bytes], Any], tuple[bytes, ...]], ...]:
    pointers = tuple(encode_pointer(pointer) for pointer in (PLAIN, PICTURE, VOICE))
    return (
        ("files.decode_pointer", decode_pointer, pointers),
        ("files.read_seal", lambda data: whole(data, read_seal), (encode_seal(Parts(5).seal),)),
        ("files.check_header", check_header, (Parts(5).header,)),
    )
