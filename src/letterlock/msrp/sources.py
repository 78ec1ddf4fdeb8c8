"""Where the bytes of an outgoing message come from: pulled when the connection has room for them."""

from __future__ import annotations

from typing import Protocol

__all__ = ["BodySource", "BytesSource"]


class BodySource(Protocol):
    """Something to pull a body from."""

    def read(self, limit: int) -> bytes | None:
        """The next bytes, at most `limit`; empty at the end; None when there are none yet.

        Who returned None calls `resume` of the connection when there are.
        """
        ...


class BytesSource:
    """A body that is in memory."""

    def __init__(self, data: bytes) -> None:
        self._rest = memoryview(data)

    def read(self, limit: int) -> bytes:
        piece = bytes(self._rest[:limit])
        self._rest = self._rest[limit:]
        return piece
