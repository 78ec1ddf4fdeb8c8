"""Fetching a file: the range that is missing, checked against what was announced before it may appear (SR-14).

What a server may not do to us: send more than the file has, another version's end behind our beginning, a part that
we did not ask for, compressed bytes that unfold, or other bytes than their digest says.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hmac
import re
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import aiohttp
from yarl import URL

from ...errors import ContentError, InputError
from .config import ContentSettings, Downloaded, DownloadState
from .files import Target
from .http import Again, Exchange, digest_of, refusal

__all__ = ["Fetch", "content_range"]

_CONTENT_RANGE = re.compile(r"bytes[ \t]+([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", re.ASCII | re.IGNORECASE)
_TAG = re.compile(r'"[!#-~]{0,200}"', re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)


class Fetch:
    """One download; each `attempt` goes on where the last one ended."""

    def __init__(
        self,
        exchange: Exchange,
        settings: ContentSettings,
        url: URL,
        target: Target,
        state: DownloadState,
        on_progress: Callable[[int, int | None], None],
        on_state: Callable[[DownloadState], Awaitable[None]],
    ) -> None:
        self._exchange, self._settings, self._url, self._target = exchange, settings, url, target
        self._state, self._on_progress, self._on_state = state, on_progress, on_state
        self._size = state.size
        self._resumed = False
        self._restarted = False
        self._promised: bytes | None = None
        """The digest by the word of the server that was asked; one that it sends us to need not know it."""
        self._elsewhere = False

    async def attempt(self) -> Downloaded:
        """Fetch what is missing. Raises Again, ContentError, InputError."""
        have = self._target.size
        if not self._state.tag and have and self._state.sha256 is None:
            # Nothing would show that the rest is of the same file as the beginning.
            await asyncio.to_thread(self._target.restart)
            have = 0
        self._resumed = have > 0
        if have and have == self._size:
            return await self._verified()
        headers = {"Want-Digest": "sha-256"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if self._state.tag:
                headers["If-Range"] = self._state.tag
        self._elsewhere = False
        async with self._exchange.request("GET", self._url, headers=headers, on_elsewhere=self._sent_on) as response:
            await self._take(response, have)
        return await self._verified()

    def _sent_on(self, headers: Any) -> None:
        self._promised = digest_of(headers) or self._promised
        self._elsewhere = True

    async def _take(self, response: aiohttp.ClientResponse, have: int) -> None:
        if response.status == 416 and have:
            # Our beginning is not of what the server has: once more from nothing, then it is the server.
            await self._restart("the content server has nothing behind what we have", "content.range")
        if response.status not in (200, 206):
            refused = await refusal(self._exchange, response)
            if self._elsewhere and response.status == 403 and isinstance(refused, ContentError):
                refused = Again(refused)  # the address that we were sent to has expired; there will be another one
            raise refused
        if response.status == 206 and self._state.tag and response.headers.get("ETag", "") not in ("", self._state.tag):
            # Some servers, SeaweedFS is one, pass If-Range over.
            await self._restart("the content server has another file than before", "content.range")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ContentError("the content server sends compressed bytes unasked", code="content.encoding")
        size = self._size_of(response, have)
        if response.status == 200 and have:
            await asyncio.to_thread(self._target.restart)
        await self._note(response, size)
        await self._read(response)

    def _size_of(self, response: aiohttp.ClientResponse, have: int) -> int | None:
        """The size of the whole file as this answer has it, checked against what is known."""
        size: int | None = None
        if response.status == 206:
            found = content_range(response)
            if found is None or found[0] != have or found[1] != found[2] - 1:
                raise ContentError("the content server sends another part than was asked for", code="content.range")
            size = found[2]
        else:
            length = response.headers.get("Content-Length", "")
            size = int(length) if _DIGITS.fullmatch(length) else None
        if size is not None and self._size is not None and size != self._size:
            raise ContentError(f"the file has {size} bytes and was announced with {self._size}", code="content.size")
        if size is not None and size > self._settings.max_file:
            raise InputError(f"a file of {size} bytes is more than this device takes", code="transfer.too_large")
        return self._size if size is None else size

    async def _note(self, response: aiohttp.ClientResponse, size: int | None) -> None:
        announced = self._promised or digest_of(response.headers) or self._state.announced
        tag = response.headers.get("ETag", "")
        tag = tag if _TAG.fullmatch(tag) else ""  # a weak one promises nothing for parts (RFC 9110 13.1.5)
        self._size = size
        new = dataclasses.replace(self._state, tag=tag, size=size, announced=announced)
        if new != self._state:
            self._state = new
            await self._on_state(self._state)

    async def _read(self, response: aiohttp.ClientResponse) -> None:
        most = self._settings.max_file if self._size is None else self._size
        waiting = bytearray()
        async for piece in response.content.iter_any():
            if self._target.size + len(waiting) + len(piece) > most:
                response.close()
                raise ContentError("the content server sends more than the file has", code="content.size")
            waiting += piece
            if len(waiting) >= self._settings.block:
                await self._keep(waiting)
                waiting = bytearray()
        await self._keep(waiting)
        if self._size is not None and self._target.size < self._size:
            raise Again(ContentError("the content server ended before the file did", code="content.cut"))

    async def _keep(self, waiting: bytearray) -> None:
        if waiting:
            await asyncio.to_thread(self._target.write, bytes(waiting))
            self._on_progress(self._target.size, self._size)

    async def _verified(self) -> Downloaded:
        found = await asyncio.to_thread(self._target.digest)
        # The sender's digest finds lies, the server's own finds damage.
        known = [digest for digest in (self._state.sha256, self._state.announced) if digest is not None]
        if not all(hmac.compare_digest(digest, found) for digest in known):
            await self._restart("the file is not what was announced", "content.digest")
        path = await asyncio.to_thread(self._target.finish, self._state.target)
        return Downloaded(path, self._target.size, found, bool(known))

    async def _restart(self, reason: str, code: str) -> NoReturn:
        """Forget what came and fetch all of it, once: the beginning may be damaged, or of another version."""
        await asyncio.to_thread(self._target.restart)
        error = ContentError(reason, code=code, hint="ask the sender for the file again")
        if self._restarted or not self._resumed:
            raise error
        self._restarted = True
        raise Again(error)


def content_range(response: aiohttp.ClientResponse) -> tuple[int, int, int] | None:
    """First byte, last byte and size of the whole, as the server says; None where it says nothing that makes sense."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip()[:128])
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))
