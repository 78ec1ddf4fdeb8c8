"""A sealed file of a message, open for reading: any range, verified, without a plain copy on the disk."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from types import TracebackType
from typing import Protocol, TypeVar

from ...errors import InputError
from ...files.pointer import FilePointer
from ..api import ProfileApi
from .reading import MOST_AT_ONCE
from .sealed_transfers import blob_of

__all__ = ["FileReader"]

T = TypeVar("T")


class Asks(Protocol):
    """The client."""

    async def ask(self, call: Callable[[ProfileApi], Awaitable[T]]) -> T: ...


class FileReader:
    """From `Client.open_file`; an async context manager, or call `close`. Several may read one file."""

    __slots__ = ("_asks", "_closed", "_id", "_pointer", "_thumbnail", "size")

    def __init__(self, pointer: FilePointer, thumbnail: bool, asks: Asks) -> None:
        self.size = blob_of(pointer, thumbnail).seal.size
        """Bytes of the file itself."""
        self._pointer, self._thumbnail, self._asks = pointer, thumbnail, asks
        self._id, self._closed = uuid.uuid4().hex, False

    async def read(self, offset: int = 0, length: int | None = None) -> bytes:
        """`length` bytes from `offset` on, all that are left by default, fewer at the end. They are verified.

        Raises InvalidFile for what was tampered with, ContentError and TransportError for what cannot be fetched,
        InputError once it is closed.
        """
        if self._closed:
            raise InputError("this file is closed", code="input.closed")
        left = max(0, self.size - offset)
        left = left if length is None else min(left, length)
        pieces = []
        while left > 0:
            piece = await self._piece(offset, min(left, MOST_AT_ONCE))
            pieces.append(piece)
            offset, left = offset + len(piece), left - len(piece)
        return b"".join(pieces)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """All of it in order, at most a mebibyte at a time."""
        offset = 0
        while offset < self.size:
            piece = await self.read(offset, MOST_AT_ONCE)
            yield piece
            offset += len(piece)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._asks.ask(lambda profile: profile.close_file(self._id))

    async def _piece(self, offset: int, length: int) -> bytes:
        return await self._asks.ask(
            lambda profile: profile.read_file(self._id, self._pointer, self._thumbnail, offset, length)
        )

    async def __aenter__(self) -> FileReader:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"FileReader({self.size} bytes)"
