"""What bodies of MSRP messages come from and go to, at the edge: files, asynchronous streams, memory.

Outgoing: read ahead by a bounded amount, files in a thread, as fast as the connection takes it. Incoming: handed
to a `Sink`; one that is busy holds up the connection, not memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import BinaryIO, Protocol

from ...errors import TransportError
from ...msrp import MessageStarted

__all__ = ["Body", "CollectingSink", "FedSource", "MsrpRefusal", "Sink"]

Body = bytes | BinaryIO | AsyncIterator[bytes]
"""A body in memory, an open file (read from where it stands; the caller closes it), or pieces as they come."""


class MsrpRefusal(Exception):
    """Raised by who receives: the message is not wanted. `status` is 413, 415 or 403."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Sink(Protocol):
    """Where an arriving message goes."""

    def write(self, data: memoryview | bytes, /) -> Awaitable[None] | None:
        """Take the next bytes. Something to await when the connection should wait for it; MsrpRefusal to stop it."""
        ...

    async def finish(self) -> None:
        """All bytes came: make them safe. The success report goes out when this returns (SR-06).

        Raises MsrpRefusal for a failure report instead.
        """
        ...

    def broken(self, reason: str, /) -> None:
        """The rest will not come."""
        ...


class CollectingSink:
    """A message in memory, given to `deliver` when it is whole. How large it gets is bounded by its session's max_size."""

    def __init__(self, started: MessageStarted, deliver: Callable[[MessageStarted, bytes], Awaitable[None]]) -> None:
        self._started = started
        self._deliver = deliver
        self._body = bytearray()

    def write(self, data: memoryview | bytes) -> None:
        self._body += data

    async def finish(self) -> None:
        body, self._body = bytes(self._body), bytearray()
        await self._deliver(self._started, body)

    def broken(self, reason: str) -> None:
        self._body = bytearray()


class FedSource:
    """A `BodySource` that a task fills. `ready` is called when there is something after there was nothing."""

    def __init__(
        self, body: BinaryIO | AsyncIterator[bytes], piece: int, ahead: int, ready: Callable[[], None]
    ) -> None:
        self._body = body
        self._piece = piece
        self._ahead = ahead
        self._ready = ready
        self._pieces: deque[bytes] = deque()
        self._at = 0  # of the first piece: cutting it for each small chunk would copy it as often
        self._size = 0
        self._ended = False
        self._room = asyncio.Event()
        self._room.set()

    def read(self, limit: int) -> bytes | None:
        if not self._pieces:
            return b"" if self._ended else None
        first = self._pieces[0]
        piece = first[self._at : self._at + limit]
        self._at += len(piece)
        if self._at == len(first):
            self._pieces.popleft()
            self._at = 0
        self._size -= len(piece)
        if self._size < self._ahead:
            self._room.set()
        return piece

    async def fill(self) -> None:
        """Read the body until its end. Raises TransportError when it cannot be read."""
        try:
            if isinstance(self._body, AsyncIterator):
                async for piece in self._body:
                    await self._put(bytes(piece))
            else:
                while piece := await asyncio.to_thread(self._body.read, self._piece):
                    await self._put(piece)
        except OSError as error:
            raise TransportError(f"the content cannot be read: {error}", code="transport.content") from error
        self._ended = True
        self._ready()

    async def _put(self, piece: bytes) -> None:
        if not piece:
            return
        self._pieces.append(piece)
        self._size += len(piece)
        if len(self._pieces) == 1:
            self._ready()
        if self._size >= self._ahead:
            self._room.clear()
        await self._room.wait()
