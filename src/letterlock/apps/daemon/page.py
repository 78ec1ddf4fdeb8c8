"""The files of the page, from memory: a browser asks for a hundred of them at once, and a thread for each would take turns
with the event loop. They are read again whenever the page itself is asked for: who works on it reloads it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from aiohttp import hdrs, web

from ..web import CONTENT_TYPES, files

__all__ = ["PageFiles", "read_all"]


def read_all() -> Mapping[str, tuple[str, bytes]]:
    """Type and content of every file, by its path below `/static/`."""
    return {name: (CONTENT_TYPES[path.suffix], path.read_bytes()) for name, path in files().items()}


class PageFiles:
    """Names are looked up, no path is joined."""

    def __init__(self, read: Callable[[], Mapping[str, tuple[str, bytes]]] = read_all) -> None:
        self._read = read
        self._files: Mapping[str, tuple[str, bytes]] = {}

    async def index(self) -> web.Response:
        """The page itself."""
        self._files = await asyncio.to_thread(self._read)
        return await self.answer("index.html")

    async def answer(self, name: str) -> web.Response:
        """Raises HTTPNotFound."""
        if not self._files:
            self._files = await asyncio.to_thread(self._read)
        found = self._files.get(name)
        if found is None:
            raise web.HTTPNotFound
        content_type, body = found
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: content_type})
