"""The erasure code: a value of n chunks of 32 bytes becomes 65536 chunks, any n of which give it back.

Chunk i holds, for each of its 16 big-endian 16-bit columns, the value at x = i of the polynomial of degree
below n that passes through the value's own n chunks at x = 0 to n - 1. So the first n chunks are the
value itself, and a transfer without loss needs no arithmetic.

`Received` is the receiving half: bytes that hold index and chunk pairs, ready to be stored as they are.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NewType

from ...errors import DecodeError, MalformedMessage
from .gf import combine, lagrange_weights, log_differences

__all__ = ["CHUNK", "EMPTY", "POINTS", "Received", "add", "check_received", "chunk", "decode"]

CHUNK = 32
"""Bytes per chunk."""

POINTS = 1 << 16
"""Number of different chunks; a sender that runs out starts again at 0 (ML-KEM Braid section 3.5)."""

Received = NewType("Received", bytes)
"""Chunks received so far: each a 2-byte index and 32 bytes, in order of arrival, no index twice."""

EMPTY = Received(b"")
_RECORD = 2 + CHUNK


def chunk(value: bytes, index: int) -> bytes:
    """Chunk `index` of a value, whose length must be a multiple of 32."""
    start = index * CHUNK
    if start < len(value):
        return value[start : start + CHUNK]
    n = len(value) // CHUNK
    return combine(_weights(n, index), _rows(value)).to_bytes(CHUNK, "big")


def add(received: Received, index: int, data: bytes, size: int) -> Received:
    """The chunks with one more, for a value of `size` bytes: complete when `decode` is not None.

    A repeated chunk changes nothing. Raises MalformedMessage if the same index came with other content: an honest peer's
    code cannot produce that, so it is neither stored nor lets the message pass.
    """
    key = index.to_bytes(2, "big")
    at = received.find(key)
    while at >= 0:
        if at % _RECORD == 0:
            if received[at + 2 : at + _RECORD] != data:
                raise MalformedMessage("a chunk contradicts an earlier one", code="spqr.chunk_conflict")
            return received
        at = received.find(key, at + 1)
    if len(received) >= size // CHUNK * _RECORD:  # complete; callers decode and drop at once (SR-08)
        return received
    return Received(received + key + data)


def decode(received: Received, size: int) -> bytes | None:
    """The value of `size` bytes, or None while chunks are missing."""
    n = size // CHUNK
    if len(received) < n * _RECORD:
        return None
    chunks = {
        int.from_bytes(received[at : at + 2], "big"): received[at + 2 : at + _RECORD]
        for at in range(0, n * _RECORD, _RECORD)
    }
    missing = [index for index in range(n) if index not in chunks]
    if missing:
        nodes = list(chunks)
        differences = log_differences(nodes)
        rows = tuple(int.from_bytes(data, "big") for data in chunks.values())
        for index in missing:
            chunks[index] = _evaluate(nodes, differences, rows, index)
    return b"".join([chunks[index] for index in range(n)])


def check_received(data: bytes, size: int) -> Received:
    """Stored bytes as `Received` for a value of `size` bytes. Raises DecodeError unless they can be that, and incomplete."""
    if len(data) % _RECORD or len(data) >= max(size // CHUNK, 1) * _RECORD or (data and not size):
        raise DecodeError("wrong length of received chunks", code="spqr.packed")
    indices = {data[at : at + 2] for at in range(0, len(data), _RECORD)}
    if len(indices) * _RECORD != len(data):
        raise DecodeError("a chunk is stored twice", code="spqr.packed")
    return Received(data)


def _evaluate(nodes: range | list[int], differences: list[int], rows: tuple[int, ...], x: int) -> bytes:
    return combine(lagrange_weights(nodes, differences, x), rows).to_bytes(CHUNK, "big")


@lru_cache(maxsize=8)
def _differences(n: int) -> list[int]:
    """Constant per length; the braid has four lengths (3, 5, 30 and 36 chunks)."""
    return log_differences(range(n))


@lru_cache(maxsize=256)
def _weights(n: int, index: int) -> tuple[int, ...]:
    """Every one-way sender walks through the same first indices beyond its value, so they are worth keeping."""
    return tuple(lagrange_weights(range(n), _differences(n), index))


@lru_cache(maxsize=16)
def _rows(value: bytes) -> tuple[int, ...]:
    """A one-way sender asks for many chunks of the same value. What is cached here goes over the wire anyway."""
    return tuple(int.from_bytes(value[at : at + CHUNK], "big") for at in range(0, len(value), CHUNK))
