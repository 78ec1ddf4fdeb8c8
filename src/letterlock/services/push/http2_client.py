"""Requests to one server of HTTP/2 over one connection, and over the next one when that goes away.

What the server certainly did not act on moves to another stream or connection, a bounded number of times and ever slower;
what it may have acted on is reported as lost, and is the ledger's business.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

from .exchange import Answer, NotSent
from .http2_connection import Http2Connection, Http2Settings

__all__ = ["Http2Client"]


class Http2Client:
    """`tls` verifies the server and offers `h2` in ALPN (SR-19). Connects when there is something to send."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext, settings: Http2Settings) -> None:
        self._host, self._port, self._tls, self._settings = host, port, tls, settings
        self._current: Http2Connection | None = None
        self._open: set[Http2Connection] = set()
        self._connecting: asyncio.Task[Http2Connection] | None = None
        self._fruitless = 0
        """Connections in a row that gave no answer."""

    async def request(self, headers: Sequence[tuple[str, str]], body: bytes) -> Answer:
        """Raises NotSent, Lost."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._settings.request_s
        for move in range(self._settings.moves):
            connection = await self._connection(until)
            try:
                return await connection.request(headers, body, until)
            except NotSent:
                pause = self._settings.pause_s * 2**move
                if move + 1 == self._settings.moves or loop.time() + pause >= until:
                    raise
                if connection.accepting:
                    await asyncio.sleep(pause)  # it refused this one only
        raise NotSent("the server takes nothing")

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        for connection in list(self._open):
            connection.close()

    async def _connection(self, until: float) -> Http2Connection:
        """The one that takes requests. All who wait for a new one wait for the same. Raises NotSent."""
        if self._current is not None and self._current.accepting:
            return self._current
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(self._connected)
        try:
            async with asyncio.timeout_at(until):
                return await asyncio.shield(self._connecting)
        except TimeoutError:
            raise NotSent("no connection in time") from None

    async def _connect(self) -> Http2Connection:
        settings = self._settings
        if self._fruitless:
            pause = min(settings.longest_pause_s, settings.pause_s * 2 ** min(self._fruitless - 1, 16))
            await asyncio.sleep(pause)
        self._fruitless += 1
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(settings.connect_s):
                transport, connection = await loop.create_connection(
                    lambda: Http2Connection(settings, self._ended), self._host, self._port, ssl=self._tls
                )
                self._open.add(connection)
                try:
                    tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
                    if tls.selected_alpn_protocol() != "h2":
                        raise NotSent("the server does not speak HTTP/2")
                    await connection.ready
                except BaseException:  # also when cancelled: nobody would ever close it
                    connection.close()
                    raise
        except (OSError, TimeoutError) as error:  # ssl.SSLError is one of the first
            raise NotSent("no connection") from error
        self._current = connection
        return connection

    def _connected(self, task: asyncio.Task[Http2Connection]) -> None:
        self._connecting = None
        if not task.cancelled():
            task.exception()  # it belongs to those who wait, if anybody does

    def _ended(self, connection: Http2Connection) -> None:
        self._open.discard(connection)
        if connection.answered:
            self._fruitless = 0
