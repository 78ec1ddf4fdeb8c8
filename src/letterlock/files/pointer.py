"""`FilePointer`: all that a recipient needs to fetch, verify, open and show a file. It travels end to end encrypted only.

Version 1 (docs/spec/files.md 5), in the TLS presentation language; another version is refused with its own code, so that
a client can say that it is too old for it. The tail is for what later versions of ours add without need: a reader skips
it. What must be understood gets a new version.

Everything in here was said by the sender. Name and type are text from a stranger (SR-14): whoever makes a file of that
name calls `codec.file_names.safe_file_name`, and whoever fetches checks where the URL leads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from ..codec.tls import Reader, opaque, optional, u8, u32, u64
from ..errors import DecodeError, InputError, LimitExceeded
from ..ids import Instant
from .rules import rule
from .seal import Seal, encode_seal, read_seal

__all__ = [
    "CONTENT_TYPE",
    "MAX_NAME",
    "MAX_POINTER",
    "MAX_THUMBNAIL",
    "MAX_URL",
    "MAX_WAVEFORM",
    "Dimensions",
    "FilePointer",
    "RemoteSeal",
    "ThumbnailPointer",
    "decode_pointer",
    "encode_pointer",
]

CONTENT_TYPE: Final = "application/vnd.letterlock.file"
"""The media type of an encoded pointer inside a message."""

MAX_POINTER: Final = 16_384
MAX_NAME: Final = 255
"""Bytes of UTF-8."""
MAX_THUMBNAIL: Final = 32_768
"""A thumbnail is fetched without asking, so it is small."""
MAX_URL: Final = 2_048
MAX_WAVEFORM: Final = 256

_VERSION: Final = 1
_MAX_TYPE: Final = 127
_MAX_DIMENSION: Final = 1 << 20
_MAX_DURATION_MS: Final = 1 << 36
_MAX_TAIL: Final = 4_096

_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}", re.ASCII)
_URL = re.compile(r"https?://[!-~]{1,2040}", re.ASCII)

_THUMBNAIL = rule("LL-FILE-12", "5.2", "a thumbnail has 1 to 32768 bytes", module=__name__)
_KEYS = rule("LL-FILE-13", "5.2", "file and thumbnail have keys of their own", module=__name__)
_DIMENSIONS = rule("LL-FILE-14", "5.2", "width and height are 1 to 2^20", module=__name__)
_DURATION = rule("LL-FILE-15", "5.2", "a duration is below 2^36 milliseconds", module=__name__)
_WAVEFORM = rule("LL-FILE-16", "5.2", "only what has a duration has a waveform", module=__name__)


@dataclass(frozen=True, slots=True)
class RemoteSeal:
    """A sealed file at a content server. `until`: it is kept there no longer."""

    seal: Seal
    url: str = field(repr=False)
    """Whoever knows it can fetch the ciphertext."""
    until: Instant | None = None


@dataclass(frozen=True, slots=True)
class Dimensions:
    """In pixels, as the picture is shown."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ThumbnailPointer:
    """A JPEG of at most 32 KiB, sealed under a key of its own."""

    at: RemoteSeal
    dimensions: Dimensions


@dataclass(frozen=True, slots=True)
class FilePointer:
    """`waveform` has levels from 0 to 255 at even distances over `duration_ms`. `content_type` is in lower case."""

    at: RemoteSeal
    name: str
    content_type: str
    thumbnail: ThumbnailPointer | None = None
    dimensions: Dimensions | None = None
    duration_ms: int | None = None
    waveform: bytes = field(default=b"", repr=False)


def encode_pointer(pointer: FilePointer) -> bytes:
    """Raises InputError for what its reader would refuse."""
    small = pointer.thumbnail
    try:
        encoded = b"".join(
            (
                u8(_VERSION),
                _remote(pointer.at),
                opaque(pointer.name.encode()),
                opaque(pointer.content_type.encode()),
                optional(None if small is None else _remote(small.at) + _dimensions(small.dimensions)),
                optional(None if pointer.dimensions is None else _dimensions(pointer.dimensions)),
                optional(None if pointer.duration_ms is None else u64(pointer.duration_ms)),
                opaque(pointer.waveform),
                opaque(b""),
            )
        )
        decode_pointer(encoded)
    except (DecodeError, OverflowError, UnicodeEncodeError) as error:
        reason = str(error) if isinstance(error, DecodeError) else "a value outside its range"
        raise InputError(f"no pointer to a file: {reason}", code="input.file_pointer") from error
    return encoded


def decode_pointer(data: bytes) -> FilePointer:
    """Raises DecodeError; InvalidFile, which is one, where a numbered rule is broken; LimitExceeded."""
    if len(data) > MAX_POINTER:
        raise LimitExceeded(f"a pointer of {len(data)} bytes, at most {MAX_POINTER} allowed", code="file.pointer.limit")
    reader = Reader(data)
    if reader.u8() != _VERSION:
        raise DecodeError(
            "a file of an unknown version", code="file.pointer.version", hint="a newer Letterlock may open it"
        )
    at = _read_remote(reader)
    name = _text(reader.opaque(MAX_NAME))
    content_type = _text(reader.opaque(_MAX_TYPE))
    if not _TYPE.fullmatch(content_type):
        raise DecodeError("the type of the file is none", code="file.pointer.type")
    small = _read_thumbnail(reader, at.seal) if reader.optional() else None
    dimensions = _read_dimensions(reader) if reader.optional() else None
    duration = reader.u64() if reader.optional() else None
    waveform = reader.opaque(MAX_WAVEFORM)
    reader.opaque(_MAX_TAIL)  # what a later version adds without need
    reader.end()
    if duration is not None and duration >= _MAX_DURATION_MS:
        _DURATION.fail("a duration of years")
    if waveform and duration is None:
        _WAVEFORM.fail("a waveform without a duration")
    return FilePointer(at, name, content_type, small, dimensions, duration, waveform)


def _remote(remote: RemoteSeal) -> bytes:
    until = optional(None if remote.until is None else u64(remote.until))
    return encode_seal(remote.seal) + opaque(remote.url.encode()) + until


def _read_remote(reader: Reader) -> RemoteSeal:
    seal = read_seal(reader)
    url = _text(reader.opaque(MAX_URL))
    if not _URL.fullmatch(url):
        raise DecodeError("the address of the file is none", code="file.pointer.url")
    return RemoteSeal(seal, url, reader.u64() if reader.optional() else None)


def _read_thumbnail(reader: Reader, of: Seal) -> ThumbnailPointer:
    small = ThumbnailPointer(_read_remote(reader), _read_dimensions(reader))
    if not 1 <= small.at.seal.size <= MAX_THUMBNAIL:
        _THUMBNAIL.fail(f"a thumbnail of {small.at.seal.size} bytes")
    if small.at.seal.key.matches(of.key):
        _KEYS.fail("one key for the file and its thumbnail")
    return small


def _dimensions(dimensions: Dimensions) -> bytes:
    return u32(dimensions.width) + u32(dimensions.height)


def _read_dimensions(reader: Reader) -> Dimensions:
    found = Dimensions(reader.u32(), reader.u32())
    if not (1 <= found.width <= _MAX_DIMENSION and 1 <= found.height <= _MAX_DIMENSION):
        _DIMENSIONS.fail(f"a picture of {found.width} by {found.height}")
    return found


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise DecodeError("text that is not UTF-8", code="file.pointer.text") from error
