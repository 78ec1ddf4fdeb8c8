"""The process that decodes: one file on stdin, a line of JSON and a few kilobytes on stdout, and it ends.

It runs as a program, not as a module of ours: nothing but Pillow or miniaudio is loaded. Before it looks at the file it
gives up what a decoder that was taken over would want: memory, time, files, sockets, privileges, starting processes.
What is imported late must be imported before that.
"""

from __future__ import annotations

import copy  # noqa: F401  (Pillow imports it when it meets a GIF)
import ctypes
import io
import json
import os
import resource
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["PICTURES", "main"]

MAX_PIXELS = 1 << 28
"""More than any camera has. What a header claims beyond that is not decoded at all."""

MAX_DECODED = 1 << 26
"""Pixels that are held at once; a JPEG is decoded at an eighth of its size."""

EDGE = 320
MAX_JPEG = 32_768
LEVELS = 64

PICTURES = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")

_MEMORY = 768 << 20
_CPU_SECONDS = 10

_NO_NEW_PRIVILEGES = 38
_CAPABILITIES_3 = 0x20080522
_CREATE_RULESET, _RESTRICT_SELF, _WHICH_VERSION = 444, 446, 1
_FILES = (0, 0x1FFF, 0x3FFF, 0x7FFF, 0x7FFF, 0xFFFF)
"""All that Landlock can refuse of files, by its version."""

_RATE = 8_000
_BLOCK = _RATE // 50
_READ = _RATE
_MAX_SECONDS = 3_600

_ORIENTATION = 0x0112


def main(arguments: list[str]) -> int:
    place, what, *encoding = arguments
    sys.path.append(place)
    work: dict[str, Callable[[], tuple[dict[str, Any], bytes]]] = {
        "picture": _picture,
        "sound": lambda: _sound(*encoding),
    }
    try:
        told, data = work[what]()
    except MemoryError:
        told, data = {"problem": "too_large"}, b""
    except Exception:  # a decoder's, of any kind: whatever it stumbled over, the file cannot be shown
        told, data = {"problem": "unreadable"}, b""
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n" + data)
    return 0


def _give_up() -> None:
    if sys.platform == "linux":
        _give_up_paths()
    for what, most in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 0),  # what is open stays; no file, no socket, nothing of another process
    ):
        hard = resource.getrlimit(what)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (least, least))


def _give_up_paths() -> None:
    """Deleting, renaming and cutting need no descriptor: Landlock refuses them, and looking into other processes.

    Without privileges not even root gets a limit back. A kernel without Landlock leaves it at the limits.
    """
    library = ctypes.CDLL(None)
    library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    version = library.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _WHICH_VERSION)
    if version > 0:
        # Files, TCP, and signals and abstract sockets beyond this process.
        refused = (_FILES[min(version, 5)], 3 if version >= 4 else 0, 3 if version >= 6 else 0)
        rules = library.syscall(_CREATE_RULESET, (ctypes.c_uint64 * 3)(*refused), ctypes.c_size_t(24), 0)
        library.syscall(_RESTRICT_SELF, rules, 0)
        os.close(rules)
    library.capset((ctypes.c_uint32 * 2)(_CAPABILITIES_3, 0), (ctypes.c_uint32 * 6)())


def _picture() -> tuple[dict[str, Any], bytes]:
    from PIL import (  # noqa: F401
        AvifImagePlugin,
        GifImagePlugin,
        Image,
        ImageColor,
        ImageFile,
        ImagePalette,
        JpegImagePlugin,
        MpoImagePlugin,
        PngImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    Image.preinit()

    # Checked below, before anything is decoded, and again for the size that it is decoded at.
    Image.MAX_IMAGE_PIXELS = None
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # a thread counts as a process, and there are to be none
    _give_up()
    image: Image.Image = Image.open(sys.stdin.buffer, formats=PICTURES)
    told: dict[str, Any] = dict(zip(("width", "height"), image.size, strict=True))
    if _pixels(image) > MAX_PIXELS:
        return {**told, "problem": "too_large"}, b""
    image.draft("RGB", (2 * EDGE, 2 * EDGE))
    if _pixels(image) > MAX_DECODED:
        return {**told, "problem": "too_large"}, b""
    try:
        image.load()
        turned = _orientation(image)
        if turned in _SIDEWAYS:
            told = {"width": told["height"], "height": told["width"]}
        # Made small first: what follows makes copies. Colours of a palette cannot be mixed.
        if image.mode == "P":
            image = image.convert("RGBA")
        image.thumbnail((EDGE, EDGE))
        shown = _on_white(image)
    except MemoryError:
        return {**told, "problem": "too_large"}, b""
    except Exception:  # as above; its dimensions are known
        return {**told, "problem": "unreadable"}, b""
    shown = shown if turned not in _TURNS else shown.transpose(Image.Transpose(_TURNS[turned]))
    for edge in (EDGE, 240, 160, 96):
        shown.thumbnail((edge, edge))
        for quality in (80, 65, 50, 35):
            out = io.BytesIO()
            shown.save(out, "JPEG", quality=quality, optimize=True)
            if out.tell() <= MAX_JPEG:
                small = {"thumbnail_width": shown.size[0], "thumbnail_height": shown.size[1]}
                return {**told, **small}, out.getvalue()
    return {**told, "problem": "unreadable"}, b""


# Pillow's numbers for each value of EXIF: mirrored, turned by 180, and so on (CIPA DC-008, 4.6.4).
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
_SIDEWAYS = (5, 6, 7, 8)


def _pixels(image: Any) -> int:
    return int(image.size[0] * image.size[1])


def _orientation(image: Any) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a parser of hostile tags: a picture without it is shown as it lies
        return 1


def _on_white(image: Any) -> Any:
    """A new picture that has the pixels and nothing else: comments, EXIF and profiles stay behind."""
    from PIL import Image

    shown = Image.new("RGB", image.size, "white")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        seen = image.convert("RGBA")
        shown.paste(seen, mask=seen.getchannel("A"))
    else:
        shown.paste(image.convert("RGB"))
    return shown


def _sound(encoding: str) -> tuple[dict[str, Any], bytes]:
    import miniaudio

    _give_up()

    class File(miniaudio.StreamableSource):  # type: ignore[misc]
        def read(self, num_bytes: int) -> bytes:
            return os.read(0, num_bytes)

        def seek(self, offset: int, origin: miniaudio.SeekOrigin) -> bool:
            os.lseek(0, offset, os.SEEK_SET if origin is miniaudio.SeekOrigin.START else os.SEEK_CUR)
            return True

    stream = miniaudio.stream_any(
        File(), miniaudio.FileFormat[encoding], nchannels=1, sample_rate=_RATE, frames_to_read=_READ
    )
    peaks: list[int] = []
    frames = 0
    for block in stream:
        if not block:
            break
        frames += len(block)
        if frames > _MAX_SECONDS * _RATE:
            return {"problem": "too_long"}, b""
        for at in range(0, len(block), _BLOCK):
            part = block[at : at + _BLOCK]
            peaks.append(max(max(part), -min(part)))
    if not peaks:
        return {"problem": "unreadable"}, b""
    return {"duration_ms": frames * 1000 // _RATE}, bytes(_level(peaks, at) for at in range(LEVELS))


def _level(peaks: list[int], at: int) -> int:
    """The loudest of one of 64 equal parts; 255 is as loud as there is."""
    start = at * len(peaks) // LEVELS
    stop = max(start + 1, (at + 1) * len(peaks) // LEVELS)
    return min(255, max(peaks[start:stop]) >> 7)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
