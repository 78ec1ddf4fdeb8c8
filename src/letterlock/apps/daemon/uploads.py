"""Files from the page: the body of a request becomes a sealed file at the content server, and then a message.

The body is bounded in size and in time before it is anywhere (SR-08), and waits in `spool` until it is sealed. From then on
it is a transfer like any other: its progress is in its `transfer-changed` events, `transfer.cancel` ends it. When it is done
its message is sent; a daemon that ends before has sent none, and its transfer is cancelled, so that a file is sent once or not
at all. What became of the message is told to the pages that are open, as an event `upload` that is not kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from ...client import Client, Conversation
from ...client.files.transfer import Transfer
from ...codec.file_names import safe_file_name
from ...engine.events import TransferChanged
from ...engine.policy import PlainOption
from ...errors import InputError, LetterlockError
from ..verbs.answers import allowed
from ..verbs.names import conversation_named
from .guard import Refused
from .settings import DaemonSettings
from .spool import Spool, Waiting

__all__ = ["Uploads"]

_log = logging.getLogger(__name__)
_BATCH = 1 << 18
"""Bytes that a thread writes at once."""


@dataclass(slots=True, eq=False)
class _Pending:
    transfer: Transfer
    chat: Conversation
    allow: PlainOption | None
    waiting: Waiting
    task: asyncio.Task[None] | None = None


class Uploads:
    """The uploads of one daemon. `tell` says to the pages what became of one."""

    def __init__(
        self, client: Client, folder: Path, settings: DaemonSettings, tell: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self._client, self._settings, self._tell = client, settings, tell
        self._spool = Spool(folder, settings.in_memory_bytes)
        self._coming = 0
        self._pending: set[_Pending] = set()

    async def start(self) -> None:
        """Delete, and cancel, what a daemon left that was killed."""
        for transfer in await self._client.transfers():
            source = Path(transfer.info.path)
            if transfer.info.upload and source.is_relative_to(self._spool.folder):
                await transfer.cancel()  # of one that is done it only forgets that there was one
        await asyncio.to_thread(self._spool.clear)

    async def close(self) -> None:
        """Nothing more is sent; what is not done is cancelled."""
        for pending in list(self._pending):
            if pending.task is not None:
                pending.task.cancel()
                await asyncio.gather(pending.task, return_exceptions=True)
            with contextlib.suppress(LetterlockError):
                await pending.transfer.cancel()
            await self._forget(pending)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self._coming >= self._settings.uploads or len(self._pending) >= self._settings.opened:
            raise Refused(503, "busy", "too many files are on their way", "wait for one of them")
        given = request.query
        if given.get("reply_to"):
            raise InputError("a file is no answer to a message", code="input.reply", hint="send it without reply_to")
        self._coming += 1
        waiting: Waiting | None = None
        try:
            chat = await conversation_named(self._client, given.get("chat", ""))
            allow = await allowed(chat, given.get("allow"))
            with _disk():
                waiting = await asyncio.to_thread(self._spool.new, request.content_length)
                await self._receive(request, waiting)
            cursor = await self._client.cursor()
            transfer = await chat.upload(
                waiting.path,
                name=safe_file_name(given.get("name", "")),
                content_type=given.get("type", ""),
                allow=allow,
            )
            pending = _Pending(transfer, chat, allow, waiting)
            self._pending.add(pending)
            waiting = None
        finally:
            self._coming -= 1
            if waiting is not None:
                await _release(waiting)
        pending.task = asyncio.get_running_loop().create_task(self._follow(pending, cursor))
        return web.json_response({"transfer": transfer.id}, status=202)

    async def _receive(self, request: web.Request, waiting: Waiting) -> None:
        """The body. Its length is counted: what was announced may be a lie, and may be missing."""
        most, came = self._settings.upload_bytes, 0
        loop = asyncio.get_running_loop()
        began = loop.time()
        batch = bytearray()
        try:
            while True:
                # As long as that without a byte, and never slower than that altogether.
                until = began + self._settings.upload_quiet_s + came / self._settings.upload_rate
                async with asyncio.timeout_at(min(until, loop.time() + self._settings.upload_quiet_s)):
                    part = await request.content.readany()
                if not part:
                    break
                came += len(part)
                if came > most:
                    raise Refused(413, "too_large", f"a file has at most {most} bytes")
                batch += part
                if len(batch) >= _BATCH:
                    data, batch = bytes(batch), bytearray()
                    await asyncio.to_thread(waiting.write, data)
        except TimeoutError:
            raise Refused(408, "slow", "the file did not come in time") from None
        except web.RequestPayloadError:
            raise Refused(400, "body", "the file did not come whole") from None
        await asyncio.to_thread(waiting.write, bytes(batch))

    async def _follow(self, pending: _Pending, cursor: int) -> None:
        """Send the message when the file is there."""
        try:
            if not await self._until_done(pending, cursor):
                return
            file = await pending.transfer.file()
            message = await pending.chat.send_content(file, allow=pending.allow)
            self._say(pending, {"state": "sent", "message_id": message})
        except LetterlockError as error:
            _log.info("an uploaded file was not sent: %s (%s)", error, error.code)
            self._say(pending, {"state": "refused", "code": error.code, "message": str(error), "hint": error.hint})
        finally:
            await self._forget(pending)

    async def _until_done(self, pending: _Pending, cursor: int) -> bool:
        """Whether it came to its end; a pause is none, nor a failure after which it may be resumed."""
        if _sealed(pending.transfer):
            await _release(pending.waiting)
        async with contextlib.aclosing(self._client.events(cursor)) as events:
            async for recorded in events:
                event = recorded.event
                if not isinstance(event, TransferChanged) or event.transfer != pending.transfer.id:
                    continue
                if event.state == "cancelled":
                    return False
                await pending.transfer.refresh()
                if _sealed(pending.transfer):
                    await _release(pending.waiting)
                if event.state == "done":
                    return True
                if event.state == "failed" and not pending.transfer.info.resumable:
                    return False  # why stands in the list of transfers
        return False

    def _say(self, pending: _Pending, what: dict[str, Any]) -> None:
        self._tell("upload", {"transfer": pending.transfer.id, "chat": pending.chat.name, **what})

    async def _forget(self, pending: _Pending) -> None:
        self._pending.discard(pending)
        await _release(pending.waiting)


async def _release(waiting: Waiting) -> None:
    """In a thread, which ends it whoever is cancelled: giving the blocks of a large file back takes its time."""
    await asyncio.shield(asyncio.to_thread(waiting.release))


def _sealed(transfer: Transfer) -> bool:
    """Whether what goes to the server is ciphertext that lies ready, so that nobody reads the file again."""
    info = transfer.info
    return info.encrypted is not None or (info.sealed is not None and info.sealed.pointer is not None)


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
