"""An application on one listening socket, with the limits that everything of ours on loopback has."""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from .connections import Bounds, Connections

__all__ = ["AT_ONCE", "Serving", "serve"]

# Of a request that cannot be parsed aiohttp logs the bytes, and these may be what people write, or a cookie (SR-10).
_wire_log = logging.getLogger(f"{__name__}.wire")
_wire_log.setLevel(logging.CRITICAL + 1)

AT_ONCE = 16
"""Connections that are taken in one round of the event loop. A login is answered within six, in which fewer come than there
are places for strangers (`connections`)."""
_QUEUE = 1024
"""Those that may wait before. Whoever finds no place there comes again after a second at the earliest."""

_SHUTDOWN_SECONDS = 2.0
_OPTIONS: dict[str, Any] = {
    "access_log": None,
    "logger": _wire_log,
    "keepalive_timeout": 75.0,
    "lingering_time": 0.0,
    "max_line_size": 16_384,
    "auto_decompress": False,
}


@dataclass(frozen=True, slots=True)
class Serving:
    """What is being served; `refuse` first, then `end`."""

    _runner: web.AppRunner
    _server: asyncio.Server

    def refuse(self) -> None:
        """Nobody new."""
        self._server.close()

    async def end(self) -> None:
        """What was asked is finished, for a while."""
        await self._runner.cleanup()


async def serve(app: web.Application, listener: socket.socket, bounds: Bounds) -> Serving:
    """Answer what comes over this socket, from now on."""
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=_SHUTDOWN_SECONDS, **_OPTIONS)
    await runner.setup()
    server = runner.server
    assert server is not None
    made = Connections(server, bounds, _OPTIONS)
    try:
        listening = await asyncio.get_running_loop().create_server(made, sock=listener, backlog=AT_ONCE)
        listener.listen(_QUEUE)  # `backlog` is both the queue of the kernel and how many are taken at once
        return Serving(runner, listening)
    except BaseException:  # a socket that cannot listen leaves no runner behind
        await runner.cleanup()
        raise
