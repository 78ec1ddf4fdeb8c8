"""What a file is by its first bytes, whatever it is called (SR-14).

A short table of what people send, and of programs, which are what somebody would dress up as something else. What is
not in it stays what its name says: most formats cannot be told from their first bytes.
"""

from __future__ import annotations

import enum
import mimetypes
from typing import Final

__all__ = ["SNIFFED", "Kind", "announced_type", "disagreement", "kind_of", "sniff"]

SNIFFED: Final = 512
"""First bytes that are looked at."""


class Kind(enum.Enum):
    """How a file is shown; the value is its stable name."""

    PICTURE = "picture"
    SOUND = "sound"
    VIDEO = "video"
    OTHER = "other"


_PROGRAM: Final = "application/x-executable"

_STARTS: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"#!AMR", "audio/amr"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"MZ", _PROGRAM),
    (b"\x7fELF", _PROGRAM),
    (b"\xca\xfe\xba\xbe", _PROGRAM),
    (b"\xcf\xfa\xed\xfe", _PROGRAM),
    (b"#!", _PROGRAM),
)
_RIFF: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS: Final = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"msf1": "image/heif",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"qt  ": "video/quicktime",
}

# One format under several names, or one container of sound and pictures: no disagreement.
_SAME: Final = (
    {"image/jpeg", "image/jpg", "image/pjpeg"},
    {"image/png", "image/apng", "image/x-png"},
    {"image/heic", "image/heif", "image/heic-sequence", "image/heif-sequence"},
    {"audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"},
    {"audio/mpeg", "audio/mp3", "audio/x-mp3", "audio/x-mpeg", "audio/mpeg3"},
    {"audio/flac", "audio/x-flac"},
    {"audio/ogg", "application/ogg", "video/ogg", "audio/vorbis", "audio/opus"},
    {"video/webm", "audio/webm", "video/x-matroska", "audio/x-matroska", "video/matroska"},
    {
        "video/mp4",
        "audio/mp4",
        "video/quicktime",
        "audio/x-m4a",
        "audio/m4a",
        "video/x-m4v",
        "video/3gpp",
        "audio/3gpp",
    },
    {"audio/amr", "audio/amr-wb"},
)
_ALWAYS_TOLD: Final = {
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/heic",
    "application/pdf",
}
"""What always begins as one of the table; sound and films need not."""

_TYPES: Final = mimetypes.MimeTypes(filenames=())  # the table of Python and no file of the system
_NOTHING: Final = "application/octet-stream"


def sniff(head: bytes) -> str | None:
    """The type that these first bytes have; None when they do not tell."""
    for start, found in _STARTS:
        if head.startswith(start):
            return found
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return _BRANDS.get(brand, "video/3gpp" if brand.startswith(b"3g") else "video/mp4")
    # A frame of MPEG audio: sync, a version and layer 3, a bit rate and a sampling rate that exist.
    if (
        len(head) > 2
        and head[0] == 0xFF
        and head[1] & 0xE6 == 0xE2
        and head[2] >> 4 not in (0, 15)
        and head[2] & 12 != 12
    ):
        return "audio/mpeg"
    return None


def announced_type(name: str) -> str:
    """The type that a name says, by its extension; of anything when it says none."""
    return _TYPES.guess_type(name, strict=False)[0] or _NOTHING


def kind_of(content_type: str) -> Kind:
    main = content_type.partition("/")[0]
    return {"image": Kind.PICTURE, "audio": Kind.SOUND, "video": Kind.VIDEO}.get(main, Kind.OTHER)


def disagreement(announced: str, found: str | None) -> str | None:
    """What the bytes are where that is not what was announced; None where they agree or nobody can tell."""
    announced = announced.partition(";")[0].strip().lower()
    if found is None:
        return f"it says {announced} and does not begin as one" if announced in _ALWAYS_TOLD else None
    if announced in (found, _NOTHING) or any({announced, found} <= names for names in _SAME):
        return None
    # Office documents, applications and books are archives.
    if found == "application/zip" and announced.startswith("application/"):
        return None
    if found == _PROGRAM and announced.startswith(("text/x-", "application/x-")):
        return None
    return f"it says {announced} and is {found}"
