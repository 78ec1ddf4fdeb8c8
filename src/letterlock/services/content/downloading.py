"""Downloads: the file behind an address, or one range of it (RFC 9110 section 14), with its digest (RFC 3230).

Files are served as attachments without a type, so that no browser runs one under the operator's name (SR-14).
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from ...errors import ContentError
from ..http import NO_STORE, refusal
from .answers import digest_header
from .blobs import BlobReader
from .intake import Desk
from .ranges import Span, wanted
from .tables import Kept

__all__ = ["Downloads"]

_log = logging.getLogger("letterlock.content")
_READ = 256 * 1024

_FILE_HEADERS = {
    "Content-Type": "application/octet-stream",
    "Content-Disposition": "attachment",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Accept-Ranges": "bytes",
}


class Downloads:
    """Answers for all of them; keeps nothing about any (SR-17)."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def answer(self, request: web.Request) -> web.StreamResponse:
        token = request.match_info["token"]
        kept = await self._desk.writer.run(lambda tables: self._desk.library.file(tables, token, self._desk.now()))
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
        response = web.StreamResponse(status=206 if span is not None else 200, headers=headers)
        span = span or Span(0, kept.size)
        response.content_length = span.stop - span.start
        if request.method == "HEAD":
            await response.prepare(request)
            return response
        reader = await self._open(kept)
        try:
            await response.prepare(request)
            await self._send(request, response, reader, span)
        finally:
            await self._desk.begin(reader.close)
        return response

    async def _open(self, kept: Kept) -> BlobReader:
        try:
            return await self._desk.begin(lambda: self._desk.blobs.read(kept.blob))
        except FileNotFoundError as error:  # dropped between two steps
            raise ContentError("there is no such file any more", code="content.unknown", status=404) from error
        except OSError as error:
            raise ContentError("the file cannot be read", code="content.failed", status=503) from error

    async def _send(self, request: web.Request, response: web.StreamResponse, reader: BlobReader, span: Span) -> None:
        at = span.start
        try:
            while at < span.stop:
                begun, count = at, min(_READ, span.stop - at)
                block = await self._desk.begin(lambda begun=begun, count=count: reader.read(count, begun))  # type: ignore[misc]
                if not block:
                    raise OSError("the file is shorter than it was")
                async with asyncio.timeout(self._desk.limits.answer_grace_s):
                    await response.write(block)
                at += len(block)
            await response.write_eof()
        except (TimeoutError, ConnectionError):
            # Whoever wanted it has gone, or takes nothing any more: then what is buffered would wait for ever.
            if request.transport is not None:
                request.transport.abort()
        except OSError as error:
            # The answer has begun: only its missing end can say that something is wrong.
            _log.error("a file cannot be read: %s", error)
            response.force_close()
