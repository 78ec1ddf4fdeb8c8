"""How long an Opus sound in an Ogg file is (RFC 7845), from its first page and its last; nothing is decoded."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["is_opus", "opus_duration_ms"]

_LAST: Final = 65_536 + 27 + 255
"""The longest page there is."""
_PER_MS: Final = 48
"""Positions count samples at 48 kHz, whatever was recorded."""
_MAX_MS: Final = 1 << 36


def is_opus(head: bytes) -> bool:
    """Whether an Ogg file that begins so holds Opus: its first page has one packet, the header."""
    return head[:4] == b"OggS" and head[28:36] == b"OpusHead"


def opus_duration_ms(descriptor: int, head: bytes) -> int | None:
    """None where it does not say."""
    size = os.fstat(descriptor).st_size
    end = os.pread(descriptor, _LAST, max(0, size - _LAST))
    at = end.rfind(b"OggS")
    position = int.from_bytes(end[at + 6 : at + 14], "little") if at >= 0 else 0
    found = (position - int.from_bytes(head[38:40], "little")) // _PER_MS
    return found if 0 < found < _MAX_MS else None
