"""`describe`: what goes into the pointer of a file besides its key: kind, size of the picture, length, thumbnail, waveform."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ...errors import InputError
from ...transport.content.files import file_error
from .mp4 import look_at_mp4
from .opus import is_opus, opus_duration_ms
from .sandbox import Cancelled, Thumbnail, look_at_picture, look_at_sound
from .sniff import SNIFFED, Kind, announced_type, disagreement, kind_of, sniff

__all__ = ["MediaInfo", "describe"]

_DECODED: Final = {"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"}
_SOUNDS: Final = {"audio/wav": "WAV", "audio/mpeg": "MP3", "audio/flac": "FLAC", "audio/ogg": "VORBIS"}
_MP4: Final = {"video/mp4", "video/quicktime", "video/3gpp", "audio/mp4"}


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What could be found out; what could not is None or empty.

    `content_type` is what the bytes are where they tell, else what was said. `disagreement` says where these two differ:
    for the user to read before such a file is sent or opened. `problem` is why there is no thumbnail or waveform.
    """

    kind: Kind
    content_type: str
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    thumbnail: Thumbnail | None = None
    waveform: bytes = field(default=b"", repr=False)
    disagreement: str | None = None
    problem: InputError | None = None


def describe(
    path: str | Path, content_type: str = "", *, name: str = "", cancelled: Cancelled = lambda: False
) -> MediaInfo:
    """Look at a file; blocks for some hundred milliseconds for a picture. `content_type` is what is said of it, by
    default what its name says, and `name` is by default that of `path`.

    `cancelled` ends it early, and then what is found is not to be used. Raises InputError when the file cannot be read, and never for what it holds.
    """
    said = content_type or announced_type(name or Path(path).name)
    try:
        # A pipe would keep us waiting for its other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise file_error(str(path), error) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InputError(f"{path} is not a file", code="transfer.file")
        try:
            return _described(descriptor, said, os.pread(descriptor, SNIFFED, 0), cancelled)
        except OSError as error:
            raise file_error(str(path), error) from error
    finally:
        os.close(descriptor)


def _described(descriptor: int, said: str, head: bytes, cancelled: Cancelled) -> MediaInfo:
    found = sniff(head)
    is_, differs = found or said, disagreement(said, found)
    kind = kind_of(is_)
    try:
        if is_ in _DECODED:
            picture = look_at_picture(descriptor, cancelled)
            return MediaInfo(
                kind,
                is_,
                picture.width,
                picture.height,
                thumbnail=picture.thumbnail,
                disagreement=differs,
                problem=picture.problem,
            )
        if is_opus(head):
            return MediaInfo(kind, is_, duration_ms=opus_duration_ms(descriptor, head), disagreement=differs)
        if is_ in _SOUNDS:
            sound = look_at_sound(descriptor, _SOUNDS[is_], cancelled)
            return MediaInfo(kind, is_, duration_ms=sound.duration_ms, waveform=sound.waveform, disagreement=differs)
        if is_ in _MP4:
            film = look_at_mp4(descriptor)
            return MediaInfo(kind, is_, film.width, film.height, film.duration_ms, disagreement=differs)
    except InputError as problem:
        return MediaInfo(kind, is_, disagreement=differs, problem=problem)
    return MediaInfo(kind, is_, disagreement=differs)
