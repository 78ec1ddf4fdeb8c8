"""Downloads: the file behind an address, or one range of it (RFC 9110 section 14), with its digest (RFC 3230).

Where the store can sign addresses and the operator wants it, a GET is sent there, for a few minutes (307): the bytes
do not pass this server then. Files are served as attachments without a type, so that no browser runs one under the operator's name (SR-14).
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from ...errors import ContentError, StoreError
from ...ids import Instant
from ..http import NO_STORE, refusal
from .answers import digest_header
from .blobs import BlobReader
from .intake import Desk
from .ranges import Span, wanted
from .tables import Kept

__all__ = ["Downloads"]

_log = logging.getLogger("letterlock.content")

_RECENT_MS = 5_000
_MAX_RECENT = 4096

_FILE_HEADERS = {
    "Content-Type": "application/octet-stream",
    "Content-Disposition": "attachment",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Accept-Ranges": "bytes",
}


class Downloads:
    """Answers for all of them; keeps a record of none (SR-17)."""

    def __init__(self, desk: Desk, presign_s: int) -> None:
        self._desk = desk
        self._presign_s = presign_s
        self._recent: dict[str, tuple[Kept, Instant]] = {}
        """What tokens stand for, for moments: whoever plays a film asks a hundred times, and each time all other servers
        would wait for the table. Of a file that was dropped meanwhile there is nothing left to read."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        token = request.match_info["token"]
        kept = await self._kept(token)
        tag = f'"{kept.sha256.hex()}"'
        headers = {**NO_STORE, **_FILE_HEADERS, **digest_header(kept.sha256), "ETag": tag}
        span = None
        # RFC 9110 section 13.1.5: a part only of that very file; a date can be no proof of that here.
        if request.headers.get("If-Range", tag) == tag:
            try:
                span = wanted(request.headers.get("Range"), kept.size)
            except ContentError as error:
                return refusal(error, headers={"Content-Range": f"bytes */{kept.size}"})
        if span is not None:
            headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{kept.size}"
        span = span or Span(0, kept.size)
        status = 206 if "Content-Range" in headers else 200
        headers["Content-Length"] = str(span.stop - span.start)
        if request.method == "HEAD":
            return web.Response(status=status, headers=headers)
        if (elsewhere := self._presigned(kept)) is not None:
            # With what the whole file is, which only we can say: whoever follows checks what it gets against that.
            return web.Response(status=307, headers={**NO_STORE, **digest_header(kept.sha256), "Location": elsewhere})
        reader = await self._desk.blobs.read(kept.blob, *span)
        if reader is None:  # dropped between two steps
            raise ContentError("there is no such file any more", code="content.unknown", status=404)
        try:
            if len(reader.first) == span.stop - span.start:
                return web.Response(status=status, headers=headers, body=reader.first)
            response = web.StreamResponse(status=status, headers=headers)
            await response.prepare(request)
            await self._send(request, response, reader)
        finally:
            await reader.close()
        return response

    async def _kept(self, token: str) -> Kept:
        """The file behind an address. Raises ContentError 404."""
        now = self._desk.now()
        kept, until = self._recent.get(token, (None, now))
        if kept is None or not until - _RECENT_MS <= now < min(until, kept.expires):
            kept = await self._desk.writer.run(lambda tables: self._desk.library.file(tables, token, now))
            if len(self._recent) >= _MAX_RECENT:
                self._recent.clear()
            self._recent[token] = (kept, now + _RECENT_MS)
        return kept

    def _presigned(self, kept: Kept) -> str | None:
        """Where else this file is for a while; never for longer than it is kept."""
        seconds = min(self._presign_s, (kept.expires - self._desk.now()) // 1000)
        return self._desk.blobs.presigned(kept.blob, seconds, self._desk.now()) if seconds > 0 else None

    async def _send(self, request: web.Request, response: web.StreamResponse, reader: BlobReader) -> None:
        try:
            await self._block(response, reader.first)
            async for block in reader.rest():
                await self._block(response, block)
            await response.write_eof()
        except (TimeoutError, ConnectionError):
            # Whoever wanted it has gone, or takes nothing any more: then what is buffered would wait for ever.
            if request.transport is not None:
                request.transport.abort()
        except StoreError as error:
            # The answer has begun: only its missing end can say that something is wrong.
            _log.error("a file cannot be read: %s", error)
            response.force_close()

    async def _block(self, response: web.StreamResponse, block: bytes) -> None:
        async with asyncio.timeout(self._desk.limits.answer_grace_s):
            await response.write(block)
