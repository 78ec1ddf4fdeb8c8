"""Where everything stands in a sealed file: from the length of the plain one to the place of any byte.

    header (32) | chunk 0 | chunk 1 | ... | last chunk

A chunk is 64 KiB of padded content and a tag of 16 bytes; the last one is what is left. An empty file has one chunk,
which is empty. Padding can be longer than a chunk, so that the last chunks have no content.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ..crypto.padme import padded_length
from ..errors import InputError

__all__ = ["CHUNK", "HEADER", "MAX_SIZE", "TAG", "Layout"]

CHUNK: Final = 1 << 16
"""Bytes of padded content in a chunk. Larger ones seal no faster, and a range of 64 KiB costs more (design: 55 µs)."""

HEADER: Final = 32

TAG: Final = 16

MAX_SIZE: Final = 1 << 40
"""The longest file of version 1: 2^24 chunks, far from the 2^32 of the counter and from where AES-GCM tires of a key."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of a file of `size` bytes. Everything here follows from that one number."""

    size: int
    padded: int = field(init=False)
    """Content and padding."""
    chunks: int = field(init=False)
    sealed_size: int = field(init=False)
    """Bytes of the sealed file, which is all that a server learns."""

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_SIZE:
            raise InputError("a sealed file has at most 2^40 bytes", code="input.file_size", hint="split the file")
        padded = padded_length(self.size)
        chunks = max(1, -(-padded // CHUNK))
        object.__setattr__(self, "padded", padded)
        object.__setattr__(self, "chunks", chunks)
        object.__setattr__(self, "sealed_size", HEADER + padded + chunks * TAG)

    def is_last(self, index: int) -> bool:
        return index == self.chunks - 1

    def padded_in(self, index: int) -> int:
        """Bytes of chunk `index` without its tag. Raises InputError for one that is not there."""
        if not 0 <= index < self.chunks:
            raise InputError(f"there is no chunk {index} of {self.chunks}", code="input.chunk")
        return min(CHUNK, self.padded - index * CHUNK)

    def content_in(self, index: int) -> int:
        """Bytes of the file itself in chunk `index`: 0 where all is padding."""
        return min(self.padded_in(index), max(0, self.size - index * CHUNK))

    def sealed_at(self, index: int) -> int:
        """Where chunk `index` begins in the sealed file; for the number of chunks, where the file ends."""
        return min(HEADER + index * (CHUNK + TAG), self.sealed_size)

    def chunks_of(self, start: int, stop: int) -> range:
        """The chunks that hold the bytes from `start` up to `stop` of the file; none for an empty range.

        Raises InputError for a range that is not in the file.
        """
        if not 0 <= start <= stop <= self.size:
            raise InputError(f"no range of a file of {self.size} bytes", code="input.range")
        return range(start // CHUNK, -(-stop // CHUNK) if start < stop else start // CHUNK)

    def sealed_range(self, start: int, stop: int) -> tuple[int, int]:
        """What must be fetched of the sealed file, from and up to, for these bytes of the file; besides the header."""
        chunks = self.chunks_of(start, stop)
        return self.sealed_at(chunks.start), self.sealed_at(chunks.stop)
