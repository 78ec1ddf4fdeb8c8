"""What stands in the clear in front of an MLS message: of which group and epoch it is (RFC 9420 section 6)."""

from __future__ import annotations

from dataclasses import dataclass

from ...codec.tls import Reader
from ...errors import DecodeError
from ...mls.registries import PRIVATE_MESSAGE, PUBLIC_MESSAGE, WELCOME

__all__ = ["Head", "head_of"]


@dataclass(frozen=True, slots=True)
class Head:
    """Unauthenticated: it says where to look, and nothing else. A Welcome names neither group nor epoch."""

    wire_format: int
    group_id: bytes = b""
    epoch: int = 0


def head_of(message: bytes, max_bytes: int) -> Head | None:
    """None for what is no PublicMessage, PrivateMessage or Welcome."""
    if len(message) > max_bytes:
        return None
    reader = Reader(message)
    try:
        version, wire_format = reader.u16(), reader.u16()
        if version != 1 or wire_format not in (PUBLIC_MESSAGE, PRIVATE_MESSAGE, WELCOME):
            return None
        if wire_format == WELCOME:
            return Head(wire_format)
        return Head(wire_format, reader.vector(), reader.u64())
    except DecodeError:
        return None
