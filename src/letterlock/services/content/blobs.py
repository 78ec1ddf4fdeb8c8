"""The bytes of uploads, wherever they are kept: what the server asks of a folder (`folder`) or of a bucket (`s3.store`).

Which blob is whose, and whether it is whole, stands in the tables alone. A blob's row is there before the blob is, so
that whatever no row names is nobody's, and may be swept away. Nothing is promised to a client before it is durable:
`Standing` says how much of an unfinished blob is, and is put down in the row before anybody is told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import NamedTuple, Protocol

from ...ids import Instant

__all__ = ["Blob", "BlobReader", "BlobStore", "BlobWriter", "Found", "Standing"]


class Standing(NamedTuple):
    """How an unfinished blob stands: its first `received` bytes are durable. `state` is the store's own note of how to
    go on behind them; whatever has it, in whatever process, can."""

    received: int
    state: str


class Blob(NamedTuple):
    """A blob by its name, 32 hexadecimal digits, and the note of its store; that is empty for a whole one."""

    name: str
    state: str = ""


class Found(NamedTuple):
    """Something that the store holds for a blob. `temporary`: an unfinished one's, of no use once it is whole."""

    blob: str
    temporary: bool
    key: str
    """What the store itself calls it."""


class BlobWriter(Protocol):
    """Appends to one blob. `size` counts what it was given, durable or not."""

    size: int

    @property
    def state(self) -> str:
        """The note as of now, for whoever deletes it."""
        ...

    async def write(self, pieces: Sequence[bytes]) -> None:
        """Raises ContentError (`content.full`) or StoreError."""
        ...

    async def checkpoint(self) -> Standing:
        """What is durable without much ado: maybe less than `size`."""
        ...

    async def suspend(self) -> Standing:
        """Make all of it durable, to be gone on with later."""
        ...

    async def finish(self) -> bytes:
        """Make it a whole blob that can be read; its SHA-256."""
        ...

    async def noted(self) -> None:
        """The last standing, or that it is whole, is put down: what only earlier standings needed may go."""
        ...

    async def close(self) -> None:
        """Let go of it, whatever has happened."""
        ...


class BlobReader(Protocol):
    """A span of one blob, in blocks. It goes on when the blob is deleted meanwhile."""

    first: bytes
    """The first block; all of the span if it is short."""

    def rest(self) -> AsyncIterator[bytes]:
        """The blocks behind the first. Raises StoreError when they cannot be read."""
        ...

    async def close(self) -> None: ...


class BlobStore(Protocol):
    """Blobs under random names. Everything raises StoreError, or ContentError 507 where there is no room."""

    shared: bool
    """Whether several processes may use it at once."""

    async def open(self) -> None:
        """Make sure that it is there and that we may write. Raises StoreError with what to do."""
        ...

    async def belongs_to(self, database: str) -> None:
        """Make sure that the rows are about this store, by the name that both keep: with another database every blob
        would be nobody's, and swept away. Raises StoreError."""
        ...

    async def close(self) -> None: ...

    async def create(self, name: str) -> BlobWriter: ...

    async def resume(self, name: str, standing: Standing) -> BlobWriter:
        """Go on with an unfinished blob. What is behind the standing was never promised."""
        ...

    async def read(self, name: str, start: int, stop: int) -> BlobReader | None:
        """A span of a whole blob; None when it is not there."""
        ...

    async def delete(self, blobs: Iterable[Blob]) -> None:
        """Whole or unfinished; those that are not there are passed over."""
        ...

    def found(self) -> AsyncIterator[Sequence[Found]]:
        """Everything that is there, in pages."""
        ...

    async def discard(self, found: Sequence[Found]) -> None: ...

    async def free(self) -> int | None:
        """Bytes that could still be written; None where nobody can say."""
        ...

    def presigned(self, name: str, seconds: int, now: Instant) -> str | None:
        """An address under which anybody can GET this blob, and nothing else, for so long; None where there are none."""
        ...
