"""One attempt of an upload: where the server is, the rest of the file to there, and whether it has what was sent.

A fresh upload is the two-step POST of RCC.07 (rcs.md 2.6); one that has begun asks how far it got and goes on with PUT.
The rest of a file, and the account's credentials, go to the configured server alone (SR-14).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from yarl import URL

from ...codec.form_data import part_head
from ...codec.ft_http import FileDocument, ResumeInfo, decode_file, decode_resume_info
from ...errors import ContentError, DecodeError, InputError, LetterlockError
from .config import ContentSettings, UploadState
from .files import Source, file_error
from .http import Again, Exchange, Login, bounded, digest_of, refusal

__all__ = ["Sending", "question"]

Progress = Callable[[int, int | None], None]


class Sending:
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
        url = self._exchange.addresses.checked(have.url)
        if not self._exchange.addresses.is_home(url):
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
        url = question(self._home, self._state.tid, what)
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


def question(home: URL, tid: str, what: str = "") -> URL:
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
