"""How many connections there may be: each takes a file of this process, and the profile needs some, too (SR-08)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

__all__ = ["bounded"]


def bounded(server: web.Server, most: int) -> Callable[[], asyncio.BaseProtocol]:
    """Makes the protocol of each new connection: the server's, or one that hangs up when there are so many already."""

    def make() -> asyncio.BaseProtocol:
        return server() if len(server.connections) < most else _HangUp()

    return make


class _HangUp(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
