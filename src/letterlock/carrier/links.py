"""The connection to an application server: opened when there is something to say, and again after it broke."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .settings import ApplicationServer
from .sip_stream import SipStream

__all__ = ["Link"]


class Link:
    """`unreachable` is called when it cannot be opened; what waited for it is lost then, and its senders are told."""

    def __init__(
        self,
        server: ApplicationServer,
        stream: Callable[[], SipStream],
        unreachable: Callable[[], None],
        max_waiting_bytes: int,
        timeout_ms: int,
    ) -> None:
        self._server = server
        self._stream = stream
        self._unreachable = unreachable
        self._max = max_waiting_bytes
        self._timeout_ms = timeout_ms
        self._open: SipStream | None = None
        self._opening: asyncio.Task[None] | None = None
        self._waiting: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Send, or keep it until the link is open. What is over the bound is dropped: its branch times out (SR-08)."""
        if self._open is not None:
            self._open.write(data)
            return
        if self._size + len(data) > self._max:
            return
        self._waiting.append(data)
        self._size += len(data)
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._connect())

    def opened(self, stream: SipStream) -> None:
        self._open = stream
        waiting, self._waiting, self._size = self._waiting, [], 0
        for data in waiting:
            stream.write(data)

    def closed(self) -> None:
        self._open = None

    def give_up(self) -> None:
        """The carrier stops."""
        if self._opening is not None:
            self._opening.cancel()

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                await asyncio.get_running_loop().create_connection(self._stream, self._server.host, self._server.port)
        except (OSError, TimeoutError):
            pass
        finally:
            self._opening = None
        if self._open is None:
            self._waiting, self._size = [], 0
            self._unreachable()
