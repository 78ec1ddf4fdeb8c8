"""Decoding in a process of its own, whatever the file holds: bounded memory, bounded time, and one clear error.

A process costs some 60 ms where this was measured, beside 100 to 300 ms for the picture of a camera; for that an
allocation cannot be larger than its limit, whichever of a dozen decoders in C makes it, and what such a decoder
overwrites is not in the process that has the keys.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ...errors import InputError
from .problems import problem

__all__ = ["Cancelled", "Picture", "Sound", "Thumbnail", "answer_of", "look_at_picture", "look_at_sound"]

Cancelled = Callable[[], bool]
"""Asked again and again while a worker works: whether nobody wants its answer any more."""

_WORKER: Final = Path(__file__).with_name("worker.py")
_SECONDS: Final = 20.0
_ASK_SECONDS: Final = 0.1
_MAX_ANSWER: Final = 40_000
_MAX_JPEG: Final = 32_768
_EDGE: Final = 320
_LEVELS: Final = 64
_MAX_DIMENSION: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A JPEG of at most 320 pixels a side and 32 KiB, without metadata, turned as the picture is shown."""

    jpeg: bytes = field(repr=False)
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Picture:
    """Dimensions as it is shown; `problem` says why it has no thumbnail."""

    width: int
    height: int
    thumbnail: Thumbnail | None
    problem: InputError | None = None


@dataclass(frozen=True, slots=True)
class Sound:
    """64 levels from 0 to 255, where 255 is as loud as there is."""

    duration_ms: int
    waveform: bytes


def look_at_picture(descriptor: int, cancelled: Cancelled) -> Picture:
    """Raises InputError, code `media.unreadable`, for what is none."""
    told, data = _ask(descriptor, cancelled, "picture")
    width, height = _number(told, "width", _MAX_DIMENSION), _number(told, "height", _MAX_DIMENSION)
    if "problem" in told:
        return Picture(width, height, None, problem(told.get("problem")))
    small = (_number(told, "thumbnail_width", _EDGE), _number(told, "thumbnail_height", _EDGE))
    if not data.startswith(b"\xff\xd8\xff") or len(data) > _MAX_JPEG:
        raise problem("unreadable")
    return Picture(width, height, Thumbnail(data, *small))


def look_at_sound(descriptor: int, encoding: str, cancelled: Cancelled) -> Sound:
    """`encoding` is WAV, MP3, FLAC or VORBIS. Raises InputError, code `media.unreadable` or `media.too_long`."""
    told, data = _ask(descriptor, cancelled, "sound", encoding)
    if "problem" in told or len(data) != _LEVELS:
        raise problem(told.get("problem"))
    return Sound(_number(told, "duration_ms", 1 << 32), data)


def _ask(descriptor: int, cancelled: Cancelled, *arguments: str) -> tuple[dict[str, object], bytes]:
    """What the worker tells and its bytes. It is not believed: it has met the file."""
    place = _place("PIL" if arguments[0] == "picture" else "miniaudio")
    command = [sys.executable, "-I", str(_WORKER), place, *arguments]
    try:
        # Nothing of our environment: a key might be in it. The program and its arguments are ours.
        process = subprocess.Popen(  # noqa: S603
            command, stdin=descriptor, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}, process_group=0
        )
    except OSError as error:
        raise problem("unavailable") from error
    line, _, data = answer_of(process, _SECONDS, cancelled).partition(b"\n")
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):  # it was stopped by a limit before it could say anything
        told = None
    if not isinstance(told, dict):
        raise problem("unreadable")
    return told, data


def answer_of(process: subprocess.Popen[bytes], seconds: float, cancelled: Cancelled) -> bytes:
    """What it writes, up to its bound, until it ends, the time is over or nobody wants it any more; then it is gone, and its group with it.

    Not until the pipe ends: root may start processes, limit or not, and one of them may hold the pipe for ever.
    """
    assert process.stdout is not None
    found, over = bytearray(), time.monotonic() + seconds
    try:
        with selectors.DefaultSelector() as pipe:
            pipe.register(process.stdout, selectors.EVENT_READ)
            while len(found) < _MAX_ANSWER and (left := over - time.monotonic()) > 0 and not cancelled():
                if not pipe.select(min(left, _ASK_SECONDS)):
                    continue
                if not (piece := os.read(process.stdout.fileno(), _MAX_ANSWER - len(found))):
                    break
                found += piece
    finally:
        with contextlib.suppress(OSError):  # nobody is left; macOS refuses where only a zombie is
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    return bytes(found)


def _place(library: str) -> str:
    """The folder that a library is in: an isolated interpreter looks into fewer of them than this one."""
    found = importlib.util.find_spec(library)
    if found is None or found.origin is None:
        raise problem("unavailable")
    origin = Path(found.origin)
    return str(origin.parents[1] if origin.name == "__init__.py" else origin.parent)


def _number(told: dict[str, object], name: str, most: int) -> int:
    value = told.get(name)
    if not isinstance(value, int) or not 1 <= value <= most:
        raise problem(told.get("problem"))
    return value
