"""The body of an answer, up to a bound that is checked before memory is taken (SR-08)."""

from __future__ import annotations

import aiohttp

from ..errors import TransportError

__all__ = ["bounded"]


async def bounded(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Raises TransportError for more."""
    read = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        read += chunk
        if len(read) > most:
            raise TransportError("an answer without end", code="transport.answer")
    return bytes(read)
