"""Feature tags of a device as they are kept: those that its client has told, for the next start of the gateway."""

from __future__ import annotations

import msgspec

__all__ = ["decode_tags", "encode_tags"]

_DECODER = msgspec.json.Decoder(tuple[tuple[str, str], ...])


def encode_tags(tags: tuple[tuple[str, str], ...]) -> bytes:
    return msgspec.json.encode(tags)


def decode_tags(stored: bytes) -> tuple[tuple[str, str], ...]:
    """None for a device that has not told any."""
    return _DECODER.decode(stored) if stored else ()
