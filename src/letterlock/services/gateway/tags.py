"""Feature tags of a device as they are kept: those that its client has told, for the next start of the gateway."""

from __future__ import annotations

import re

import msgspec

from ...errors import DecodeError

__all__ = ["decode_tags", "encode_tags"]

_DECODER = msgspec.json.Decoder(tuple[tuple[str, str], ...])
_NAME = re.compile(r"[A-Za-z0-9!%'*+.`_~\-]{1,128}", re.ASCII)
_VALUE = re.compile(r"[ -~]{0,512}", re.ASCII)


def encode_tags(tags: tuple[tuple[str, str], ...], most: int) -> bytes:
    """Raises DecodeError for what no REGISTER could say: kept, it would keep the device from ever registering (SR-08)."""
    if len(tags) > most or not all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in tags):
        raise DecodeError("feature tags that are none, or too many", code="gateway.frame")
    return msgspec.json.encode(tags)


def decode_tags(stored: bytes) -> tuple[tuple[str, str], ...]:
    """None for a device that has not told any."""
    return _DECODER.decode(stored) if stored else ()
