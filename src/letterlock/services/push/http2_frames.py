"""Frames of HTTP/2 out of a stream of bytes, with GOAWAY taken out (RFC 9113 sections 4.1 and 6.8).

h2 ends its connection at a GOAWAY and refuses all that comes after, the answers of streams that the server has promised to
finish among it: that is what breaks clients on it. So it never sees one. Nothing else depends on the frame: it changes
neither header compression nor flow control.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import DecodeError, LimitExceeded

__all__ = ["MAX_FRAME", "Goaway", "split"]

MAX_FRAME = 16_384
"""What a server may send as long as we do not offer more."""

_HEADER = 9
_GOAWAY = 7


@dataclass(frozen=True, slots=True)
class Goaway:
    """The server takes no new streams; it has acted on none above `last_stream`."""

    last_stream: int
    error: int


def split(data: bytes) -> tuple[list[bytes | Goaway], bytes]:
    """What stands in `data`, other frames joined, and the rest, which is less than a frame. Raises DecodeError."""
    items: list[bytes | Goaway] = []
    start = position = 0
    while len(data) - position >= _HEADER:
        length = int.from_bytes(data[position : position + 3], "big")
        if length > MAX_FRAME:
            raise LimitExceeded(f"a frame of {length} bytes", code="push.http2.limit")
        end = position + _HEADER + length
        if end > len(data):
            break
        if data[position + 3] == _GOAWAY:
            if start < position:
                items.append(data[start:position])
            items.append(_goaway(data[position:end]))
            start = end
        position = end
    if start < position:
        items.append(data[start:position])
    return items, data[position:]


def _goaway(frame: bytes) -> Goaway:
    if len(frame) < _HEADER + 8 or int.from_bytes(frame[5:9], "big") & 0x7FFFFFFF:
        raise DecodeError("a GOAWAY that is none", code="push.http2")
    return Goaway(int.from_bytes(frame[9:13], "big") & 0x7FFFFFFF, int.from_bytes(frame[13:17], "big"))
