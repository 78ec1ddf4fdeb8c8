"""Part of a file: one range of its bytes, for whoever looks into it without fetching all of it.

What comes is ciphertext of a chunked format: the caller authenticates each chunk before anything of it is shown (SR-15).
Here it is only kept to what was asked for: a server that sends another range, another file's size or more than that is
refused (SR-08).
"""

from __future__ import annotations

import aiohttp
from yarl import URL

from ...errors import ContentError
from .download import content_range
from .http import Again, Exchange, refusal

__all__ = ["fetch_range"]


async def fetch_range(exchange: Exchange, url: URL, start: int, count: int, size: int) -> bytes:
    """`count` bytes from `start` on of a file of `size` bytes. Raises Again, ContentError."""
    headers = {"Range": f"bytes={start}-{start + count - 1}"}
    # To the server's store as well: nobody's word about the bytes is needed.
    async with exchange.request("GET", url, headers=headers, on_elsewhere=lambda answer: None) as response:
        if response.status not in (200, 206):
            raise await refusal(exchange, response)
        _check(response, start, count, size)
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > count:
                response.close()
                raise ContentError("the content server sends more than was asked for", code="content.size")
        if len(body) < count:
            raise Again(ContentError("the content server ended before the range did", code="content.cut"))
        return bytes(body)


def _check(response: aiohttp.ClientResponse, start: int, count: int, size: int) -> None:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ContentError("the content server sends compressed bytes unasked", code="content.encoding")
    if response.status == 200 and (start, count) == (0, size):
        return  # all of it, and all of it was asked for
    found = content_range(response) if response.status == 206 else None
    if found is not None and found[2] != size:
        raise ContentError(f"the file has {found[2]} bytes and was announced with {size}", code="content.size")
    if found is None or found[:2] != (start, start + count - 1):
        raise ContentError(
            "the content server sends another part than was asked for",
            code="content.range",
            hint="fetch all of the file: letterlock download",
        )
