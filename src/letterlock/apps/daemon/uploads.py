"""Files from the page: the body of a request becomes a sealed file at the content server, and then a message.

The body is bounded in size and in time before it is anywhere (SR-08), and waits in `spool` until it is sealed. From then on
it is a transfer like any other: its progress is in its `transfer-changed` events, and `outgoing` sends its message. A text may
stand before the file, in the first `text_bytes` bytes of the body: it is sent behind it. A daemon that ends before has sent
none, and the transfer is cancelled, so that a file is sent once or not at all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aiohttp import web

from ... import ids
from ...client import Client, Conversation, TransferState
from ...codec.file_names import safe_file_name
from ...engine.content import Text, check
from ...errors import InputError
from ...ids import MessageId, Rng
from ..verbs.answers import allowed
from ..verbs.names import conversation_named, message_named
from .guard import Refused
from .outgoing import Meant, Outgoing
from .settings import DaemonSettings
from .spool import Spool, Waiting

__all__ = ["Uploads"]

_BATCH = 1 << 18
"""Bytes that a thread writes at once."""


class Uploads:
    """The uploads of one daemon; `outgoing` is what has come, until it is sent. `tell` says to the pages what became of one."""

    def __init__(
        self,
        client: Client,
        folder: Path,
        settings: DaemonSettings,
        tell: Callable[[str, dict[str, Any]], None],
        rng: Rng,
    ) -> None:
        self._client, self._settings = client, settings
        self.outgoing = Outgoing(client, tell, rng)
        self._spool = Spool(folder, settings.in_memory_bytes)
        self._coming = 0
        self.unsent = 0
        """Files that certainly were not sent: at first those that a daemon left that was killed, at the end those given up."""

    async def start(self) -> None:
        """Delete, and cancel, what a daemon left that was killed."""
        left = [
            transfer
            for transfer in await self._client.transfers()
            if transfer.info.upload and Path(transfer.info.path).is_relative_to(self._spool.folder)
        ]
        # At once, because saying so to a content server that does not answer takes its time. Of one that is done it only
        # forgets that there was one.
        await asyncio.gather(*(transfer.cancel() for transfer in left))
        self.unsent = sum(transfer.info.state is not TransferState.DONE for transfer in left)
        await asyncio.to_thread(self._spool.clear)

    async def close(self) -> None:
        """Nothing more is sent; what is not done is cancelled."""
        self.unsent = len(self.outgoing)
        await self.outgoing.close()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self._coming >= self._settings.uploads or len(self.outgoing) >= self._settings.opened:
            raise Refused(503, "busy", "too many files are on their way", "wait for one of them, or remove one")
        given = request.query
        self._coming += 1
        try:
            chat = await conversation_named(self._client, given.get("chat", ""))
            chosen = ids.message_id(given["message_id"]) if given.get("message_id") else None
            async with self.outgoing.new(chat, chosen):
                begun = await self._take(request, chat, chosen)
        finally:
            self._coming -= 1
        return web.json_response(begun, status=202)

    async def _take(self, request: web.Request, chat: Conversation, chosen: MessageId | None) -> dict[str, Any]:
        given = request.query
        waiting: Waiting | None = None
        try:
            answered = await message_named(chat, given["reply_to"]) if given.get("reply_to") else ""
            allow = await allowed(chat, given.get("allow"))
            body = _Body(request, self._settings)
            text = await self._text(body, given.get("text_bytes", ""))
            length = request.content_length
            with _disk():
                expected = None if length is None else length - len(text.encode())
                waiting = await asyncio.to_thread(self._spool.new, expected)
                size = await body.write_to(waiting)
            name, kind = safe_file_name(given.get("name", "")), given.get("type", "")
            begun = await self.outgoing.begin(Meant(chat, name, kind, size, allow, answered, text, chosen), waiting)
            waiting = None
            return begun
        finally:
            if waiting is not None:
                await asyncio.shield(asyncio.to_thread(waiting.release))

    async def _text(self, body: _Body, count: str) -> str:
        """What the first so many bytes say. Raises InputError for what is no text, or too much of it."""
        if not count or count == "0":
            return ""
        most = self._client.limits.max_text
        if not (count.isascii() and count.isdecimal() and len(count) < 10 and int(count) <= most):
            raise InputError(f"a text has at most {most} bytes", code="input.text_size")
        try:
            text = (await body.read(int(count))).decode()
        except UnicodeDecodeError:
            raise InputError("the text is not valid Unicode", code="input.text_unicode") from None
        check(Text(text), self._client.limits)
        return text


class _Body:
    """The body of an upload. Its length is counted: what was announced may be a lie, and may be missing."""

    def __init__(self, request: web.Request, settings: DaemonSettings) -> None:
        self._request, self._settings = request, settings
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._kept = b""
        self._came = 0

    async def read(self, count: int) -> bytes:
        """The next so many bytes. Raises Refused."""
        begun = bytearray()
        while len(begun) < count:
            part = await self._part()
            if not part:
                raise Refused(400, "body", "the text did not come whole")
            begun += part
        self._kept = bytes(begun[count:])
        return bytes(begun[:count])

    async def write_to(self, waiting: Waiting) -> int:
        """All that is left; how much that was. Raises Refused, and OSError when the disk is full."""
        size, batch = 0, bytearray()
        while part := await self._part():
            size += len(part)
            batch += part
            if len(batch) >= _BATCH:
                data, batch = bytes(batch), bytearray()
                await asyncio.to_thread(waiting.write, data)
        await asyncio.to_thread(waiting.write, bytes(batch))
        return size

    async def _part(self) -> bytes:
        """The next piece, empty at the end. What was read too far comes first."""
        if self._kept:
            kept, self._kept = self._kept, b""
            return kept
        settings = self._settings
        # As long as that without a byte, and never slower than that altogether.
        until = self._began + settings.upload_quiet_s + self._came / settings.upload_rate
        try:
            async with asyncio.timeout_at(min(until, self._loop.time() + settings.upload_quiet_s)):
                part = await self._request.content.readany()
        except TimeoutError:
            raise Refused(408, "slow", "the file did not come in time") from None
        except web.RequestPayloadError:
            raise Refused(400, "body", "the file did not come whole") from None
        self._came += len(part)
        if self._came > settings.upload_bytes:
            raise Refused(413, "too_large", f"a file has at most {settings.upload_bytes} bytes")
        return part


@contextlib.contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except ConnectionError:
        raise
    except OSError as error:
        raise InputError(
            f"the file cannot be kept: {(error.strerror or 'the disk failed').lower()}",
            code="transfer.disk",
            hint="make room, then send it again",
        ) from error
