"""Lengths of what is ours: a wrong one is our own mistake, never the network's."""

from __future__ import annotations

from ..errors import InputError

__all__ = ["check_length"]


def check_length(what: str, value: bytes, length: int) -> None:
    """Raises InputError for another length."""
    if len(value) != length:
        raise InputError(f"{what}: {length} bytes, not {len(value)}", code="input.length")
