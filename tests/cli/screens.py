"""A terminal painted as a picture: its own two colours, SGR as far as we use it, and the font that Debian's have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

__all__ = ["BACKGROUNDS", "painted", "read_code"]

BACKGROUNDS = {"dark": ((204, 204, 204), (12, 12, 12)), "light": ((20, 20, 20), (253, 246, 227))}
_FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf")
_SIZE = 20
_COLOURS = {"30": (0, 0, 0), "107": (255, 255, 255)}


def painted(text: str, background: str):  # type: ignore[no-untyped-def]  # a picture of Pillow's
    """What a terminal with this background shows."""
    from PIL import Image, ImageDraw, ImageFont

    if not _FONT.exists():
        pytest.skip("fonts-dejavu is not installed (./run test as root installs it)")
    font = ImageFont.truetype(str(_FONT), _SIZE)
    ascent, descent = font.getmetrics()
    width, height = round(font.getlength("M")), ascent + descent
    plain_ink, plain_paper = BACKGROUNDS[background]
    lines = text.splitlines()
    columns = max(len(re.sub(r"\x1b\[[\d;]*m", "", line)) for line in lines)
    picture = Image.new("RGB", ((columns + 8) * width, (len(lines) + 4) * height), plain_paper)
    draw = ImageDraw.Draw(picture)
    for row, line in enumerate(lines):
        ink, paper, column = plain_ink, plain_paper, 0
        for code, character in re.findall(r"\x1b\[([\d;]*)m|(.)", line):
            if not character:
                for number in code.split(";"):
                    if number in ("", "0"):
                        ink, paper = plain_ink, plain_paper
                    elif number.startswith(("10", "4")):
                        paper = _COLOURS[number]
                    else:
                        ink = _COLOURS[number]
                continue
            left, top = (column + 4) * width, (row + 2) * height
            draw.rectangle((left, top, left + width - 1, top + height - 1), fill=paper)
            draw.text((left, top), character, font=font, fill=ink)
            column += 1
    return picture


def read_code(picture) -> bytes | None:  # type: ignore[no-untyped-def]  # a picture of Pillow's
    """What a reader that does not try inverted codes finds, as many cameras do not."""
    import zxingcpp

    found = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode, try_invert=False)
    return bytes(found[0].bytes) if found else None
