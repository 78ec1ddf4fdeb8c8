"""Files to and from content servers: streamed, resumed, verified (rcs.md 2.6).

The bytes are sent as they are. What goes into an encrypted chat is encrypted before it comes here; this module knows
nothing of chats and uploads what it is given, with the name and type it is given, for the server to see.

An upload or download is one call that goes on over lost connections, with pauses that grow and that the server may
ask for. Cancelling the call pauses it: the state that the caller keeps, and the bytes that are at the server or on the
disk, are all that the next call needs, in this process or the next one.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TypeVar

from aiohttp.abc import AbstractResolver

from ...codec.ft_http import FileDocument
from ...errors import InputError, LetterlockError
from ...ids import Instant, Rng
from .config import ContentSettings, Downloaded, DownloadState, ServerAccount, UploadState
from .download import Fetch
from .files import Source, Target, finished_before
from .http import Again, Exchange, Login
from .ranges import fetch_range
from .upload import Sending, question

__all__ = ["ContentClient"]

T = TypeVar("T")
Progress = Callable[[int, int | None], None]
"""Called with the bytes that are done and those that there are, None while nobody knows."""


class ContentClient:
    """One device's way to content servers. Use it as an async context manager, or call `close`.

    `server` is the account to upload with, None when there is none; downloads need none. Calls raise ContentError when
    a server refused or lied, TransportError when it was not reached in spite of all attempts, and InputError for what
    is wrong at this end: a file that changed or cannot be written (`transfer.*`), an address that may not be fetched.
    """

    def __init__(
        self,
        server: ServerAccount | None,
        *,
        rng: Rng,
        now: Callable[[], Instant],
        tls: ssl.SSLContext | None = None,
        settings: ContentSettings | None = None,
        resolver: AbstractResolver | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._server = server
        self._settings = settings or ContentSettings()
        self._rng, self._sleep = rng, sleep
        self._exchange = Exchange(server, self._settings, now=now, tls=tls, resolver=resolver)

    async def __aenter__(self) -> ContentClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._exchange.close()

    # --- uploads -----------------------------------------------------------------------------------------------
    async def upload(self, state: UploadState, on_progress: Progress) -> FileDocument:
        """Upload a file, or the rest of it; the server's document, for whoever is to fetch it.

        The bytes are opaque here and readable for the server: nothing of an encrypted chat may come this way unless
        it is encrypted already (SR-01).
        """
        if self._server is None or self._exchange.addresses.home is None:
            raise InputError("no content server is configured", code="input.content", hint="name one in the settings")
        login = Login(self._server, self._rng)
        home = self._exchange.addresses.home
        begun, reached = state.begun, 0

        async def attempt() -> FileDocument:
            nonlocal begun, reached
            source = await asyncio.to_thread(Source, state.path, state.size, state.modified_ns)
            sending = Sending(self._exchange, self._settings, login, home, state, source, on_progress)
            try:
                if begun and (document := await sending.resume()) is not None:
                    return document
                # What the first request was refused for, the second need not try with all its bytes.
                await sending.ask()
                begun = True
                return await sending.form()
            finally:
                reached = max(reached, sending.done)
                await asyncio.to_thread(source.close)

        return await self._persist(attempt, lambda: reached)

    async def drop(self, tid: str) -> None:
        """Tell the server that an upload will not be finished. Nothing is said when it does not listen."""
        if self._server is None or self._exchange.addresses.home is None:
            return
        url, login = question(self._exchange.addresses.home, tid), Login(self._server, self._rng)
        for _ in range(2):
            try:
                async with self._exchange.request("DELETE", url, login=login) as response:
                    if response.status != 401:
                        return
                    login.challenged(response.headers)
            except (Again, LetterlockError):
                return

    # --- downloads ---------------------------------------------------------------------------------------------
    async def download(
        self, state: DownloadState, on_progress: Progress, on_state: Callable[[DownloadState], Awaitable[None]]
    ) -> Downloaded:
        """Fetch a file, or the rest of it, to where the state says; nothing is there until it is whole and verified.

        `on_state` is awaited with what to keep from now on.
        """
        url = self._exchange.addresses.checked(state.url)
        most = self._settings.max_file if state.size is None else state.size
        if most > self._settings.max_file:
            raise InputError(f"a file of {state.size} bytes is more than this device takes", code="transfer.too_large")
        known = {digest for digest in (state.sha256, state.announced) if digest is not None}
        if (there := await asyncio.to_thread(finished_before, state.part, state.target, known)) is not None:
            return Downloaded(state.target, *there, True)
        target = await asyncio.to_thread(Target, state.part, most)
        try:
            fetch = Fetch(self._exchange, self._settings, url, target, state, on_progress, on_state)
            return await self._persist(fetch.attempt, lambda: target.size)
        finally:
            await asyncio.to_thread(target.close)

    async def read(self, url: str, start: int, count: int, size: int) -> bytes:
        """`count` bytes from `start` on, of a file of `size` bytes. Nothing is checked but how many they are."""
        address = self._exchange.addresses.checked(url)
        return await self._persist(lambda: fetch_range(self._exchange, address, start, count, size), lambda: 0)

    # --- patience ----------------------------------------------------------------------------------------------
    async def _persist(self, attempt: Callable[[], Awaitable[T]], reached: Callable[[], int]) -> T:
        """Attempts until one succeeds, or enough in a row have moved nothing."""
        settings = self._settings
        failed, best = 0, reached()
        while True:
            try:
                return await attempt()
            except Again as again:
                if again.wait_s > settings.longest_retry_after_s:
                    raise again.error from again
                failed += 1
                if reached() >= best + settings.progress:
                    failed, best = 1, reached()
                if failed >= settings.attempts:
                    raise again.error from again
                pause = min(settings.longest_pause_s, settings.first_pause_s * 2 ** (failed - 1))
                # Up to half as long again, so that clients that were cut off together do not return together.
                pause *= 1 + self._rng(1)[0] / 512
                await self._sleep(max(pause, again.wait_s))
