"""Work for many, done in slices: whoever else uses the event loop waits for one slice at most, and not for all of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, TypeVar

from ..errors import LimitExceeded

__all__ = ["json_in_slices", "sliced"]

T = TypeVar("T")

_SLICE_SECONDS = 0.002
_SLICE_BYTES = 32_768
"""By size, not by time: how long JSON takes follows from its length, and so what happens in between is the same everywhere."""


async def sliced(items: Iterable[T]) -> AsyncIterator[T]:
    """The items, with a pause for everybody else whenever the work on them took a while."""
    began = time.perf_counter()
    for item in items:
        yield item
        if time.perf_counter() - began > _SLICE_SECONDS:
            await asyncio.sleep(0)
            began = time.perf_counter()


async def json_in_slices(value: Any, *, ensure_ascii: bool, most: int | None = None) -> bytes:
    """A value as compact JSON, with a pause after every slice of it. A thread would be no help: the encoder keeps the
    interpreter's lock. An iterator counts as an array, and its items are made when it is their turn.

    Half of a surrogate pair passes. Raises LimitExceeded when it becomes longer than `most` bytes, before it is whole (SR-08).
    """
    encoder = json.JSONEncoder(ensure_ascii=ensure_ascii, separators=(",", ":"))
    line, pause_at = bytearray(), _SLICE_BYTES
    for piece in _pieces(value, encoder):
        line += piece.encode("utf-8", "surrogatepass")
        if most is not None and len(line) > most:
            raise LimitExceeded("this would be too long", code="json.too_large")
        if len(line) >= pause_at:
            await asyncio.sleep(0)
            pause_at = len(line) + _SLICE_BYTES
    return bytes(line)


def _pieces(value: Any, encoder: json.JSONEncoder) -> Iterator[str]:
    """An object inside an array, a message above all, is one piece, and so is what is no container."""
    if isinstance(value, dict):
        start = "{"
        for name, item in value.items():
            yield f"{start}{encoder.encode(name)}:"
            yield from _pieces(item, encoder)
            start = ","
        yield "{}" if start == "{" else "}"
    elif isinstance(value, list | tuple | Iterator):
        start = "["
        for item in value:
            yield start
            if isinstance(item, dict):
                yield encoder.encode(item)
            else:
                yield from _pieces(item, encoder)
            start = ","
        yield "[]" if start == "[" else "]"
    else:
        yield encoder.encode(value)
