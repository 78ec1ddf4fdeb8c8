"""A passage to a server behind the carrier: it hands bytes through as they come, and writes every one into the wire log.

Files go over HTTP to a content server and not over the carrier's own ports. A lab that wants to know what its network
can read of them puts this in front of the server. It can be as slow as a radio link, so that there is something to see
of a transfer, and to interrupt.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from types import TracebackType

from ..ids import Instant
from .wirelog import WireLogWriter

__all__ = ["FIRST_PASSAGE", "Passage"]

FIRST_PASSAGE = 1 << 31
"""Connections are numbered from here on, so that the carrier's own in the same log keep theirs."""

_READ = 64 << 10


class Passage:
    """Listens on loopback and connects to one server for each connection. Use it as an async context manager.

    It is there before the server, which has to know the address that it gives to others; `lead_to` says where it is.
    """

    def __init__(
        self,
        log: str | os.PathLike[str],
        *,
        clock: Callable[[], Instant],
        bytes_per_second: int | None,
        first: int = FIRST_PASSAGE,
    ) -> None:
        """`bytes_per_second` bounds each direction of each connection; None: as fast as the ends are. `first` is the
        number of its first connection, so that several passages can share a log."""
        self._log = WireLogWriter(log)
        self._target: tuple[str, int] | None = None
        self._clock = clock
        self._rate = bytes_per_second
        self._next = first
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Passage:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def lead_to(self, host: str, port: int) -> None:
        """From now on connections go there; before, they are closed."""
        self._target = (host, port)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()
        self._log.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        number, self._next = self._next, self._next + 1
        host, port = writer.get_extra_info("peername")[:2]
        self._note("O", number, f"tcp {host}:{port}".encode())
        why = "done"
        try:
            if self._target is None:
                raise ConnectionRefusedError(0, "leads nowhere yet")
            there, onward = await asyncio.open_connection(*self._target)
            try:
                await asyncio.gather(self._carry(reader, onward, number, "r"), self._carry(there, writer, number, "s"))
            finally:
                onward.close()
        except OSError as error:  # one end has gone, which it may at any time
            why = error.strerror or "connection lost"
        finally:
            self._note("C", number, why.encode())
            writer.close()
            self._open.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int, kind: str) -> None:
        while piece := await reader.read(_READ):
            self._note(kind, number, piece)
            writer.write(piece)
            await writer.drain()
            if self._rate is not None:
                await asyncio.sleep(len(piece) / self._rate)
        with contextlib.suppress(OSError):  # the other direction may have closed it
            writer.write_eof()

    def _note(self, kind: str, number: int, payload: bytes) -> None:
        self._log.write(kind, number, self._clock(), payload)
