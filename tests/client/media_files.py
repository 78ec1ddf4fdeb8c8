"""Pictures, sounds and films for the tests of media, made here."""

from __future__ import annotations

import io
import math
import struct
import wave
import zlib
from typing import Any

from PIL import Image

__all__ = ["film", "opus", "picture", "png_header", "quadrants", "voice"]


def quadrants(width: int, height: int) -> Image.Image:
    """Red, green, blue and white, from left to right and top to bottom: which way up it is can be seen."""
    image = Image.new("RGB", (width, height), "white")
    for place, colour in (((0, 0), "red"), ((width // 2, 0), "green"), ((0, height // 2), "blue")):
        image.paste(colour, (*place, place[0] + width // 2, place[1] + height // 2))
    return image


def picture(kind: str, image: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png_header(width: int, height: int, pixels: bytes = b"") -> bytes:
    """A PNG that says this size, whatever is in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def voice(seconds: float, rate: int = 16_000, channels: int = 1) -> bytes:
    """A tone that is silent in its first half and half as loud as there is in its second."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        count = round(seconds * rate)
        silent = count // 2
        tone = (round(16_384 * math.sin(at * 0.2)) for at in range(count - silent))
        file.writeframes(bytes(2 * channels * silent) + b"".join(struct.pack("<h", level) * channels for level in tone))
    return out.getvalue()


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def film(
    width: int, height: int, milliseconds: int, *, turned: bool = False, version: int = 0, late: bool = False
) -> bytes:
    """The boxes of an MP4 that say how long and large it is; `late`: behind the pictures, as a telephone writes it."""
    matrix = (
        (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30) if turned else (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    )
    times = ">QQIQ" if version else ">IIII"
    mvhd = bytes((version, 0, 0, 0)) + struct.pack(times, 0, 0, 1000, milliseconds) + bytes(80)
    track_times = ">QQIIQ" if version else ">IIIII"
    tkhd = bytes((version, 0, 0, 7)) + struct.pack(track_times, 0, 0, 1, 0, milliseconds) + bytes(16)
    tkhd += struct.pack(">9i", *matrix) + struct.pack(">II", width << 16, height << 16)
    sound = tkhd[:-8] + bytes(8)
    moov = box(b"moov", box(b"mvhd", mvhd) + box(b"trak", box(b"tkhd", sound)) + box(b"trak", box(b"tkhd", tkhd)))
    mdat = box(b"mdat", bytes(1000))
    head = box(b"ftyp", b"isom" + bytes(4) + b"isommp42")
    return head + (mdat + moov if late else moov + mdat)


def opus(milliseconds: int) -> bytes:
    """The first page and the last of an Opus sound, and something between."""

    def page(position: int, packet: bytes) -> bytes:
        return b"OggS\0\0" + position.to_bytes(8, "little") + bytes(12) + bytes((1, len(packet))) + packet

    head = b"OpusHead\x01\x01" + (312).to_bytes(2, "little") + (48_000).to_bytes(4, "little") + bytes(3)
    return page(0, head) + page(0, b"x" * 200) * 50 + page(312 + 48 * milliseconds, b"y" * 100)
