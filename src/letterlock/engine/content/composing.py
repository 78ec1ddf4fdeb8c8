"""Typing (RFC 3994)."""

from __future__ import annotations

from dataclasses import dataclass

from ...codec import iscomposing
from .parts import XML

__all__ = ["Typing", "encode_typing", "read_typing", "typing_document"]


@dataclass(frozen=True, slots=True)
class Typing:
    """Whether the peer types."""

    active: bool


def typing_document(active: bool) -> bytes:
    return iscomposing.encode_iscomposing(iscomposing.IsComposing(active))


def encode_typing(active: bool) -> bytes:
    """The same as an entity inside the encryption."""
    return b"Content-Type: application/im-iscomposing+xml\r\n\r\n" + typing_document(active)


def read_typing(body: bytes) -> Typing:
    """Raises DecodeError."""
    return Typing(iscomposing.decode_iscomposing(body, XML).active)
