"""What is in a message, for players and pictures of the page: one range of a file after another, verified and never kept.

A file gets a path that nobody can guess when somebody opens it, for his session alone: cookies go to every port of a machine, a
path that was never told goes nowhere (SR-16). The name at its end is for whoever saves it; nothing is looked up by it
(SR-14). What a browser could run is given out as something to save, whatever its sender calls it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from aiohttp import hdrs, web

from ...codec.file_names import safe_file_name
from ...engine.content import File
from ...ids import Rng
from .byte_ranges import Unsatisfiable, wanted_span
from .connections import has_shown_a_session
from .guard import Refused
from .headers import FILE_POLICY
from .sessions import Session
from .settings import DaemonSettings
from .sources import Source, Sources

__all__ = ["Media", "SessionMedia"]

_SHOWN = frozenset(
    (
        *(f"image/{each}" for each in ("jpeg", "png", "gif", "webp", "avif", "bmp")),
        *(f"audio/{each}" for each in ("mpeg", "mp4", "aac", "ogg", "opus", "wav", "x-wav", "webm", "flac", "amr")),
        *(f"video/{each}" for each in ("mp4", "webm", "ogg", "quicktime", "3gpp", "x-matroska")),
    )
)
"""Types that a browser decodes and does not run. All others, HTML, SVG, XML and PDF among them, are to be saved."""

_PIECE = 1 << 18
"""Bytes read and written at a time."""


@dataclass(slots=True, eq=False)
class _Opened:
    source: Source
    content_type: str
    name: str
    inline: bool


class Media:
    """What each session has open."""

    def __init__(self, sources: Sources, settings: DaemonSettings, rng: Rng) -> None:
        self._sources, self._settings, self._rng = sources, settings, rng
        self._opened: dict[Session, dict[bytes, _Opened]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    # --- opening -------------------------------------------------------------------------------------------
    async def show(self, session: Session, file: File, thumbnail: bool) -> dict[str, Any]:
        """Give a file a path for this session: `{path, content_type, size, name, inline, here}`. Raises as `Sources.open` does."""
        source = await self._sources.open(file, thumbnail)
        content_type = "image/jpeg" if thumbnail else file.content_type.partition(";")[0].strip().lower()
        inline = content_type in _SHOWN
        name = "thumbnail.jpg" if thumbnail else safe_file_name(file.name)
        key = self._rng(32).hex()
        mine = self._opened.setdefault(session, {})
        mine[_digest(key)] = _Opened(source, content_type if inline else "application/octet-stream", name, inline)
        while len(mine) > self._settings.opened:
            self._close(mine.pop(next(iter(mine))))
        return {
            "path": f"/media/{key}/{quote(name, safe='')}",
            "content_type": file.content_type if not thumbnail else content_type,
            "size": source.size,
            "name": name,
            "inline": inline,
            # Looked up for films alone, whose first picture may be shown when nothing is fetched for it.
            "here": inline and content_type.startswith("video/") and await self._sources.here(file),
        }

    def end(self, session: Session) -> None:
        """Close all that a session had open; its paths lead nowhere from now on."""
        for opened in self._opened.pop(session, {}).values():
            self._close(opened)

    async def close(self) -> None:
        """The daemon ends."""
        for session in list(self._opened):
            self.end(session)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _close(self, opened: _Opened) -> None:
        task = asyncio.get_running_loop().create_task(opened.source.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    # --- reading -------------------------------------------------------------------------------------------
    async def serve(self, session: Session, request: web.Request) -> web.StreamResponse:
        opened = self._opened.get(session, {}).get(_digest(request.match_info["key"]))
        if opened is None:
            raise Refused(404, "media", "nothing is open there", "open the file again")
        has_shown_a_session(request)  # nobody guesses the path, and its session alone was told it
        # There is no validator, so a condition on one cannot hold (RFC 9110, 13.1.5).
        wanted = None if hdrs.IF_RANGE in request.headers else request.headers.get(hdrs.RANGE)
        try:
            span = wanted_span(wanted, opened.source.size)
        except Unsatisfiable:
            return web.Response(status=416, headers={hdrs.CONTENT_RANGE: f"bytes */{opened.source.size}"})
        answer = web.StreamResponse(status=206 if span.partial else 200, headers=_headers(opened))
        answer.content_length = span.length
        if span.partial:
            answer.headers[hdrs.CONTENT_RANGE] = span.content_range
        if request.method == hdrs.METH_HEAD:
            await answer.prepare(request)
            return answer
        # The first piece before the first header: what cannot be fetched or does not verify is an error, not half a file.
        piece = await opened.source.read(span.start, min(_PIECE, span.length)) if span.length else b""
        await answer.prepare(request)
        sent = 0
        try:
            # A player that seeks hangs up in the middle of an answer; that is how it says that it wants something else.
            with contextlib.suppress(ConnectionError, TimeoutError):
                while piece:
                    async with asyncio.timeout(self._settings.media_stalled_s):
                        await answer.write(piece)
                    sent += len(piece)
                    left = span.length - sent
                    piece = await opened.source.read(span.start + sent, min(_PIECE, left)) if left else b""
        finally:
            # Before its end: never a whole answer with less in it, nor an error among the bytes of the file.
            if sent < span.length and request.transport is not None:
                request.transport.close()
        return answer


@dataclass(frozen=True, slots=True)
class SessionMedia:
    """The files of one session, as verbs ask for them."""

    media: Media
    session: Session

    async def show(self, chat: str, message_id: str, file: File, thumbnail: bool) -> dict[str, Any]:
        return await self.media.show(self.session, file, thumbnail)


def _headers(opened: _Opened) -> dict[str, str]:
    form = "inline" if opened.inline else "attachment"
    plain = "".join(c if (c.isascii() and c.isalnum()) or c in "._- " else "_" for c in opened.name)
    return {
        hdrs.CONTENT_TYPE: opened.content_type,
        hdrs.CONTENT_DISPOSITION: f"{form}; filename=\"{plain}\"; filename*=UTF-8''{quote(opened.name, safe='')}",
        hdrs.ACCEPT_RANGES: "bytes",
        hdrs.CACHE_CONTROL: "no-store",
        "Content-Security-Policy": FILE_POLICY,
    }


def _digest(key: str) -> bytes:
    # What is looked up is a hash: how long that takes says nothing of the path.
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
