"""What all control messages are made of: protobuf fields, texts, authenticators and MLSMessages, and how large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ....codec.protobuf import bytes_field, varint_field
from ....codec.tls import Reader
from ....errors import DecodeError, LimitExceeded

__all__ = [
    "AUTHENTICATOR_BYTES",
    "ControlLimits",
    "check_size",
    "chunk_field",
    "is_mls_message",
    "number_field",
    "read_authenticator",
    "read_mls_message",
    "read_text",
]

AUTHENTICATOR_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlLimits:
    """Bounds, checked before memory is taken (SR-08)."""

    max_size: int
    max_roster: int
    max_page: int
    """Control messages in one answer to a pull."""


def check_size(data: bytes, limits: ControlLimits) -> None:
    if len(data) > limits.max_size:
        raise LimitExceeded(f"{len(data)} bytes, at most {limits.max_size} allowed", code="rcc16.limit")


def number_field(number: int, value: int) -> bytes:
    """proto3 leaves out what is zero."""
    return varint_field(number, int(value)) if value else b""


def chunk_field(number: int, value: bytes) -> bytes:
    """The same of what is empty."""
    return bytes_field(number, value) if value else b""


def read_text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise DecodeError("text that is not UTF-8", code="rcc16.control") from None


def read_authenticator(raw: bytes) -> bytes:
    if raw and len(raw) != AUTHENTICATOR_BYTES:
        raise DecodeError("an epoch authenticator of another length", code="rcc16.control")
    return raw


def is_mls_message(raw: bytes) -> bool:
    """MLSMessage begins with version 1 in two bytes; no protobuf message begins with a zero."""
    return raw[:2] == b"\x00\x01"


def read_mls_message(raw: bytes) -> bytes:
    """Bare, or behind its length: both were seen (rcc16.md 2.6)."""
    if not raw or is_mls_message(raw):
        return raw
    reader = Reader(raw)
    inner = reader.vector()
    reader.end()
    return inner
