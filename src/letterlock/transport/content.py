"""Files to and from content servers: streamed, resumed, verified (rcs.md 2.6).

The bytes are sent as they are. What goes into an encrypted chat is encrypted before it comes here; this module knows
nothing of chats and uploads what it is given, with the name and type it is given, for the server to see.

An upload or download is one call that goes on over lost connections, with pauses that grow and that the server may
ask for. Cancelling the call pauses it: the state that the caller keeps, and the bytes that are at the server or on the
disk, are all that the next call needs, in this process or the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import TypeVar

from aiohttp.abc import AbstractResolver
from yarl import URL

from ..codec.form_data import part_head
from ..codec.ft_http import FileDocument, ResumeInfo, decode_file, decode_resume_info
from ..errors import ContentError, DecodeError, InputError, LetterlockError
from ..ids import Instant, Rng
from .content_config import ContentSettings, Downloaded, DownloadState, ServerAccount, UploadState
from .content_download import Fetch
from .content_files import Source, Target, file_error, finished_before
from .content_http import Again, Exchange, Login, bounded, digest_of, refusal

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
        if self._server is None or self._exchange.home is None:
            raise InputError("no content server is configured", code="input.content", hint="name one in the settings")
        login = Login(self._server, self._rng)
        home = self._exchange.home
        begun, reached = state.begun, 0

        async def attempt() -> FileDocument:
            nonlocal begun, reached
            source = await asyncio.to_thread(Source, state.path, state.size, state.modified_ns)
            sending = _Sending(self._exchange, self._settings, login, home, state, source, on_progress)
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
        if self._server is None or self._exchange.home is None:
            return
        url, login = _about(self._exchange.home, tid), Login(self._server, self._rng)
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
        url = self._exchange.checked(state.url)
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


class _Sending:
    """One attempt of an upload."""

    def __init__(
        self,
        exchange: Exchange,
        settings: ContentSettings,
        login: Login,
        home: URL,
        state: UploadState,
        source: Source,
        on_progress: Progress,
    ) -> None:
        self._exchange, self._settings, self._login, self._home = exchange, settings, login, home
        self._state, self._source, self._on_progress = state, source, on_progress
        self._patience: asyncio.Timeout | None = None
        self._failure: LetterlockError | None = None
        self.done = 0

    async def ask(self) -> None:
        """The empty POST: 204 says that an upload may come."""
        for _ in range(2):
            async with self._exchange.request("POST", self._home, login=self._login) as response:
                if response.status in (200, 204):
                    return
                if response.status != 401:
                    raise await refusal(self._exchange, response)
                self._login.challenged(response.headers)
        raise _wrong_password()

    async def resume(self) -> FileDocument | None:
        """Go on where the server is; None when it has nothing and all must be sent."""
        if self._state.size == 0:
            # Of nothing no range can be told; it is there, or is sent again.
            return None if await self._info("get_download_info") is None else await self._finished()
        info = await self._info("get_upload_info")
        if info is None:
            return None
        have = self._resume_info(info[0])
        if have.end >= self._state.size:
            raise ContentError("the content server claims more than there is", code="content.size")
        if have.end == self._state.size - 1:
            await asyncio.to_thread(self._source.skip, self._state.size)
            return await self._finished()
        url = self._exchange.checked(have.url)
        if not self._exchange.is_home(url):
            # SR-14: the rest of the file, and our credentials, go to the server that was configured.
            raise ContentError("the content server sends us to another server", code="content.redirect")
        start = have.end + 1
        await asyncio.to_thread(self._source.skip, start)
        self._progressed(start)
        headers = {
            "Content-Type": self._state.content_type,
            "Content-Length": str(self._state.size - start),
            "Content-Range": f"bytes {start}-{self._state.size - 1}/{self._state.size}",
        }
        await self._stream("PUT", url, headers, b"", b"")
        return await self._finished()

    async def form(self) -> FileDocument:
        """The second POST, with all of it."""
        state = self._state
        boundary = f"ll{state.tid.replace('-', '')[:40]}".encode()
        head = part_head(boundary, "tid", length=len(state.tid)) + state.tid.encode() + b"\r\n"
        if state.thumbnail is not None:
            picture = await asyncio.to_thread(_whole, state.thumbnail)
            kind = state.thumbnail_type or "image/jpeg"
            head += part_head(boundary, "Thumbnail", filename="thumbnail", content_type=kind, length=len(picture))
            head += picture + b"\r\n"
        head += part_head(
            boundary, "File", filename=state.name or "file", content_type=state.content_type, length=state.size
        )
        tail = b"\r\n--" + boundary + b"--\r\n"
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary.decode()}",
            "Content-Length": str(len(head) + state.size + len(tail)),
        }
        body, digest = await self._stream("POST", self._home, headers, head, tail)
        return await self._verified(body, digest)

    async def _finished(self) -> FileDocument:
        """The document of an upload that the server says is complete."""
        found = await self._info("get_download_info")
        if found is None:
            raise Again(ContentError("the content server has lost the upload", code="content.unknown", status=404))
        return await self._verified(*found)

    async def _info(self, what: str) -> tuple[bytes, bytes | None] | None:
        """The body that answers a question about this upload, and the digest beside it; None for an unknown one."""
        url = _about(self._home, self._state.tid, what)
        for _ in range(2):
            async with self._exchange.request("GET", url, login=self._login) as response:
                if response.status == 200:
                    return await bounded(response, self._settings.max_document), digest_of(response.headers)
                if response.status == 404:
                    return None
                if response.status != 401:
                    raise await refusal(self._exchange, response)
                self._login.challenged(response.headers)
        raise _wrong_password()

    def _resume_info(self, body: bytes) -> ResumeInfo:
        try:
            info = decode_resume_info(body, self._settings.documents)
        except DecodeError as error:
            raise ContentError("the content server's answer makes no sense", code="content.answer") from error
        if info.start != 0:
            raise ContentError("the content server has lost the beginning", code="content.range")
        return info

    async def _stream(
        self, method: str, url: URL, headers: dict[str, str], head: bytes, tail: bytes
    ) -> tuple[bytes, bytes | None]:
        """Send the rest of the file between head and tail; the answer's body and the digest in it."""
        loop = asyncio.get_running_loop()
        try:
            # The connection's own timer runs only while we read; this one while nothing is taken from us.
            async with (
                asyncio.timeout(self._settings.stall_s) as self._patience,
                self._exchange.request(
                    method, url, headers=headers, login=self._login, body=self._body(head, tail)
                ) as response,
            ):
                self._patience.reschedule(loop.time() + self._settings.stall_s)
                if response.status == 401:
                    # The nonce became old on the way; the next attempt asks for a new one first.
                    self._login.challenged(response.headers)
                    raise Again(ContentError("the content server asks again who we are", code="content.auth"))
                if response.status != 200:
                    raise await refusal(self._exchange, response)
                return await bounded(response, self._settings.max_document), digest_of(response.headers)
        except Again:
            if self._failure is not None:
                raise self._failure from None
            raise
        except TimeoutError as error:
            raise Again(ContentError("the content server takes nothing any more", code="content.stalled")) from error

    async def _body(self, head: bytes, tail: bytes) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        if head:
            yield head
        at = self.done
        try:
            while at < self._state.size:
                count = min(self._settings.block, self._state.size - at)
                block = await asyncio.to_thread(self._source.read, count)
                if self._patience is not None:
                    with contextlib.suppress(RuntimeError):  # it has just run out
                        self._patience.reschedule(loop.time() + self._settings.stall_s)
                yield block
                at += len(block)
                self._progressed(at)
        except LetterlockError as error:
            self._failure = error  # it would come out as a failure of the connection
            raise
        if tail:
            yield tail

    async def _verified(self, body: bytes, digest: bytes | None) -> FileDocument:
        try:
            document = decode_file(body, self._settings.documents)
        except DecodeError as error:
            raise ContentError("the content server's answer makes no sense", code="content.answer") from error
        if not self._source.ended:
            raise ContentError("the content server took the file before it had all of it", code="content.early")
        sent = await asyncio.to_thread(self._source.digest)
        if document.file.size != self._state.size:
            raise ContentError("the content server has another number of bytes", code="content.size")
        if digest is not None and digest != sent:
            raise ContentError("the content server has other bytes than were sent", code="content.digest")
        self._progressed(self._state.size)
        return document

    def _progressed(self, done: int) -> None:
        self.done = done
        self._on_progress(done, self._state.size)


def _wrong_password() -> ContentError:
    return ContentError(
        "the content server does not take our password",
        code="content.auth",
        hint="check user and password of the content server",
        status=401,
    )


def _about(home: URL, tid: str, what: str = "") -> URL:
    """The question about an upload, as deployed servers know it: the last parameter has a name and no value."""
    return URL(f"{home}?tid={tid}{what and '&'}{what}", encoded=True)


def _whole(path: str, limit: int = 1 << 20) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise file_error(path, error) from error
    if not data or len(data) > limit:
        raise InputError("a thumbnail has at most a megabyte", code="transfer.thumbnail")
    return data
