"""Listening for MSRP connections: the passive side."""

from __future__ import annotations

import asyncio
import ssl
import weakref

from ...ids import Rng
from ...msrp import SessionTable
from .connection import MsrpConnection, MsrpHandler
from .settings import MsrpSettings

__all__ = ["MsrpListener"]


class MsrpListener:
    """Accepts connections for the sessions of a table. Make one with `open`."""

    def __init__(self, server: asyncio.Server, connections: set[MsrpConnection]) -> None:
        self._server = server
        self._connections = connections

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        context: ssl.SSLContext | None,
        settings: MsrpSettings,
        sessions: SessionTable,
        handler: MsrpHandler,
        rng: Rng,
    ) -> MsrpListener:
        """Listen; port 0 takes a free one. Raises OSError."""
        connections: set[MsrpConnection] = set()

        # Those that still shake hands, or failed to: only asyncio holds them.
        early: weakref.WeakSet[MsrpConnection] = weakref.WeakSet()

        def made(connection: MsrpConnection) -> None:
            early.discard(connection)
            connections.add(connection)
            connection.closed.add_done_callback(lambda _: connections.discard(connection))

        def accept() -> asyncio.Protocol:
            if len(connections) + len(early) >= settings.max_connections:
                return _Refused()
            connection = MsrpConnection(settings, sessions, handler, rng, made=made)
            early.add(connection)
            return connection

        patience = None if context is None else settings.connect_s
        server = await asyncio.get_running_loop().create_server(
            accept, host, port, ssl=context, ssl_handshake_timeout=patience
        )
        return cls(server, connections)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    async def close(self) -> None:
        """Accept no more, and end all connections."""
        self._server.close()
        await asyncio.gather(*(connection.finish() for connection in list(self._connections)))
        await self._server.wait_closed()


class _Refused(asyncio.Protocol):
    """One connection too many (SR-08)."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()
