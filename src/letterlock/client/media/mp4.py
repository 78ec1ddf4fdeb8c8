"""Length and size of a film in an MP4 or QuickTime file (ISO/IEC 14496-12), from its boxes; nothing is decoded.

At most 4096 boxes are looked at and of each a hundred bytes are read, so it takes no more for a large file than for a
small one.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .problems import problem

__all__ = ["Film", "look_at_mp4"]

_MAX_BOXES: Final = 4_096
_MAX_DIMENSION: Final = 1 << 16
_MAX_MS: Final = 1 << 36


@dataclass(frozen=True, slots=True)
class Film:
    """As it is shown. Sound alone has no dimensions; a film that is still being written has no length."""

    width: int | None
    height: int | None
    duration_ms: int | None


def look_at_mp4(descriptor: int) -> Film:
    """Raises InputError, code `media.unreadable`, for what has no boxes of a film."""
    try:
        left = iter(range(_MAX_BOXES))
        for kind, start, stop in _boxes(descriptor, 0, os.fstat(descriptor).st_size, left):
            if kind == b"moov":
                return _film(descriptor, start, stop, left)
    except (OSError, struct.error) as error:
        raise problem("unreadable") from error
    raise problem("unreadable")


def _film(descriptor: int, start: int, stop: int, left: Iterator[int]) -> Film:
    duration: int | None = None
    shown: tuple[int, int] | None = None
    for kind, at, end in _boxes(descriptor, start, stop, left):
        if kind == b"mvhd":
            duration = _duration(os.pread(descriptor, min(end - at, 32), at))
        elif kind == b"trak" and shown is None:
            for inner, place, place_end in _boxes(descriptor, at, end, left):
                if inner == b"tkhd":
                    shown = _dimensions(os.pread(descriptor, min(place_end - place, 96), place))
    width, height = shown or (None, None)
    return Film(width, height, duration)


def _duration(header: bytes) -> int | None:
    scale, duration = (
        struct.unpack_from(">IQ", header, 20) if header[:1] == b"\x01" else struct.unpack_from(">II", header, 12)
    )
    found: int = duration * 1000 // scale if scale else 0
    return found if 0 < found < _MAX_MS else None


def _dimensions(header: bytes) -> tuple[int, int] | None:
    """Fixed point at the end; the matrix before says whether the film lies on its side, as from a telephone held upright."""
    matrix = 52 if header[:1] == b"\x01" else 40
    a, b = struct.unpack_from(">ii", header, matrix)
    width, height = (value >> 16 for value in struct.unpack_from(">II", header, matrix + 36))
    if not (0 < width < _MAX_DIMENSION and 0 < height < _MAX_DIMENSION):
        return None
    return (height, width) if a == 0 and b != 0 else (width, height)


def _boxes(descriptor: int, start: int, stop: int, left: Iterator[int]) -> Iterator[tuple[bytes, int, int]]:
    """(kind, where its content begins, where it ends); what goes beyond its surroundings ends the list.

    `left` is taken from for each: one for the whole file, else boxes in boxes would be a million.
    """
    for _ in left:
        header = os.pread(descriptor, 16, start)
        if start + 8 > stop or len(header) < 8:
            return
        size, content = int.from_bytes(header[:4], "big"), start + 8
        if size == 1:
            size, content = int.from_bytes(header[8:16], "big"), start + 16
        end = stop if size == 0 else start + size
        if not content <= end <= stop:
            return
        yield header[4:8], content, end
        start = end
