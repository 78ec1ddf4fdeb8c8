"""The peer of the file rows: the same bytes over a TCP socket of asyncio on loopback, and nothing else.

The sender reads the file in pieces of 1 MiB and waits when the socket is full; the receiver, in another process, counts
the bytes and answers with one when all are there. No digest, no file at the far end, no encryption.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

__all__ = ["Counter", "listen", "rate", "send"]

_PIECE = 1 << 20


class Counter(asyncio.Protocol):
    """The receiving end: eight bytes of length, then so many bytes, then the acknowledgement; as often as wanted."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._left:
            self._head += data
            if len(self._head) < 8:
                return
            self._left = int.from_bytes(self._head[:8], "big")
            data, self._head = self._head[8:], b""
        self._left -= len(data)
        if not self._left:
            assert self._transport is not None
            self._transport.write(b"1")


async def listen() -> tuple[asyncio.Server, int]:
    """A server of counters on a free port; close it."""
    server = await asyncio.get_running_loop().create_server(Counter, "127.0.0.1", 0)
    return server, int(server.sockets[0].getsockname()[1])


async def send(port: int, path: Path, size: int) -> float:
    """Seconds for the file, connection included, until it is acknowledged."""
    with path.open("rb") as file:
        began = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(size.to_bytes(8, "big"))
        while piece := file.read(_PIECE):
            writer.write(piece)
            await writer.drain()
        if await reader.read(1) != b"1":
            raise RuntimeError("the raw connection ended early")
        seconds = time.perf_counter() - began
        writer.close()
    return seconds


def rate(seconds: list[float], size: int) -> float:
    """Megabytes (of a million bytes) per second, by the median."""
    return size / 1e6 / statistics.median(seconds)
