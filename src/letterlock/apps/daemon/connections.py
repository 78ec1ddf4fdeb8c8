"""Connections: how many there may be, and what is said to who does not speak HTTP.

Each takes a file of this process, and the profile needs some, too (SR-08). What is no request gets neither to the guard nor
to the headers of all other answers, so it gets them here, and none of its own bytes: a cookie may be among them (SR-16).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import hdrs, web

from .headers import SERVER, security_headers

__all__ = ["bounded"]


def bounded(server: web.Server, most: int, options: Mapping[str, Any]) -> Callable[[], asyncio.BaseProtocol]:
    """Makes the protocol of each new connection, or one that hangs up when there are so many already. `options` are those
    of the server."""

    def make() -> asyncio.BaseProtocol:
        if len(server.connections) >= most:
            return _HangUp()
        return _Connection(server, loop=asyncio.get_running_loop(), **options)

    return make


class _Connection(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        answer = super().handle_error(request, status, exc, "Letterlock: this is no request that it understands.\n")
        answer.headers.update({**security_headers(()), hdrs.SERVER: SERVER})
        return answer


class _HangUp(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
