"""Files that came from a page, until their messages are sent: in the order in which they came, and no longer than the daemon.

Each is a transfer of the profile. When that is done its message is sent, and then the text that was written beside it; in one
chat none before those that came earlier and are still on their way. What was refused, or has failed, stays in the list
with its reason until somebody tries it again or removes it, whoever was looking when it happened. A file has the id of
its message from the beginning, so that trying again sends it once, and so that a page that has lost sight of it finds it.

Nothing of this outlives the daemon: what was not sent by then is cancelled (`uploads`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ... import ids
from ...client import Client, Conversation
from ...client.files.transfer import Transfer, failure_of
from ...engine.content import Reference, Sendable, Text
from ...engine.events import TransferChanged
from ...engine.policy import PlainOption
from ...errors import InputError, LetterlockError
from ...ids import MessageId, Rng
from ..verbs.answers import allowed, sent
from ..verbs.errors import error_object
from .spool import Waiting

__all__ = ["Meant", "Outgoing"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Meant:
    """What somebody wants to send: a file to a chat, as an answer to a message perhaps, with a text behind it."""

    chat: Conversation
    name: str
    content_type: str
    size: int
    allow: PlainOption | None = None
    reply_to: str = ""
    text: str = field(default="", repr=False)
    message_id: MessageId | None = None
    """Of the caller's choice: asked twice under one id, because an answer was lost, it is sent once."""


@dataclass(slots=True, eq=False)
class _File:
    meant: Meant
    transfer: Transfer
    waiting: Waiting
    message_id: MessageId
    text_id: MessageId
    still: asyncio.Event = field(default_factory=asyncio.Event)
    """Nothing more happens by itself: nobody waits for it."""
    there: bool = False
    """Its message is sent, and only the text is not."""
    refused: LetterlockError | None = None
    task: asyncio.Task[None] | None = None


class Outgoing:
    """The files of one daemon that are on their way. `tell` says to the pages what became of one."""

    def __init__(self, client: Client, tell: Callable[[str, dict[str, Any]], None], rng: Rng) -> None:
        self._client, self._tell, self._rng = client, tell, rng
        self._files: dict[str, _File] = {}
        self._coming: set[MessageId] = set()

    def __len__(self) -> int:
        return len(self._files)

    @contextlib.asynccontextmanager
    async def new(self, chat: Conversation, message_id: MessageId | None) -> AsyncGenerator[None]:
        """While a file comes that is to have this id. Raises InputError for one that is coming, on its way or sent already:
        whoever gave it sends the text behind it, too."""
        if message_id is None:
            yield
            return
        if message_id in self._coming or any(file.message_id == message_id for file in self._files.values()):
            raise InputError("this file is on its way already", code="input.message_id_used", hint="uploads")
        self._coming.add(message_id)
        try:
            if await chat.find(message_id):
                raise InputError("this message was sent already", code="input.message_id_used", hint="messages")
            yield
        finally:
            self._coming.discard(message_id)

    async def begin(self, meant: Meant, waiting: Waiting) -> dict[str, Any]:
        """Upload and send it; `{transfer, message_id}`. Raises as `Conversation.upload` does, and has not begun then."""
        cursor = await self._client.cursor()
        transfer = await meant.chat.upload(
            waiting.path, name=meant.name, content_type=meant.content_type, allow=meant.allow
        )
        message_id, text_id = meant.message_id or ids.new_message_id(self._rng), ids.new_message_id(self._rng)
        file = _File(meant, transfer, waiting, message_id, text_id)
        self._files[transfer.id] = file
        file.task = asyncio.get_running_loop().create_task(self._follow(file, cursor))
        self._say(file, {"state": "begun"})
        return {"transfer": transfer.id, "message_id": message_id}

    async def close(self) -> None:
        """Nothing more is sent; what is not done is cancelled."""
        # At once, because saying so to a content server that does not answer takes its time.
        await asyncio.gather(*map(self._drop, list(self._files.values())))

    # --- what a page asks ------------------------------------------------------------------------------------
    async def uploads(self, locale: str) -> list[dict[str, Any]]:
        """All of them, in the order in which they came."""
        for file in list(self._files.values()):
            with contextlib.suppress(InputError):  # cancelled this very moment
                await file.transfer.refresh()
        return [_record(file, locale) for file in self._files.values()]

    async def again(self, upload: str, token: str) -> dict[str, Any]:
        """Send the message that was refused, or go on with the transfer that has failed. Raises what refuses it again."""
        file = self._named(upload)
        if file.refused is None:
            info = await file.transfer.refresh()
            if not info.resumable:
                raise InputError("this file cannot be tried again", code="input.transfer", hint="send it anew")
            await file.transfer.resume()
            return sent(file.meant.chat, file.message_id)
        allow = await allowed(file.meant.chat, token)
        if not file.still.is_set() or self._files.get(upload) is not file:
            raise InputError("somebody else does that already", code="input.transfer", hint="uploads")
        # From here on it is nobody else's to try, and it goes on if whoever asked goes away.
        file.refused = None
        file.still.clear()
        file.task = asyncio.get_running_loop().create_task(self._send(file, allow))
        await asyncio.wait([file.task])
        if file.task.cancelled():
            raise InputError("it was removed meanwhile", code="input.transfer")
        if (refused := file.refused) is not None:
            raise refused
        return sent(file.meant.chat, file.message_id)

    async def remove(self, upload: str) -> None:
        """Give it up: what was not sent is not sent. Its transfer is cancelled."""
        await self._drop(self._named(upload))

    def _named(self, upload: str) -> _File:
        file = self._files.get(upload)
        if file is None:
            raise InputError("no file of a page with this id is on its way", code="input.transfer", hint="uploads")
        return file

    # --- from the transfer to the message --------------------------------------------------------------------
    async def _follow(self, file: _File, cursor: int) -> None:
        try:
            if not await self._arrived(file, cursor):
                self._forget(file, {"state": "cancelled"})
                return
            await self._turn(file)
            await self._send(file, file.meant.allow)
        except LetterlockError as error:
            self._refuse(file, error)
        finally:
            await _release(file.waiting)

    async def _arrived(self, file: _File, cursor: int) -> bool:
        """Wait until the file is at the server; false when it was cancelled. A pause or a failure is no end."""
        if _sealed(file.transfer):
            await _release(file.waiting)
        async with contextlib.aclosing(self._client.events(cursor)) as events:
            async for recorded in events:
                event = recorded.event
                if not isinstance(event, TransferChanged) or event.transfer != file.transfer.id:
                    continue
                if event.state == "cancelled":
                    return False
                try:
                    info = await file.transfer.refresh()
                except InputError:  # cancelled this very moment
                    return False
                if _sealed(file.transfer) or (event.state == "failed" and not info.resumable):
                    await _release(file.waiting)
                if event.state == "done":
                    return True
                (file.still.clear if event.state == "running" else file.still.set)()
        return False

    async def _turn(self, file: _File) -> None:
        """Wait for those of the same chat that came earlier."""
        for earlier in list(self._files.values()):
            if earlier is file:
                return
            if earlier.meant.chat.name == file.meant.chat.name:
                await earlier.still.wait()

    async def _send(self, file: _File, allow: PlainOption | None) -> None:
        try:
            await self._deliver(file, allow)
        except LetterlockError as error:
            self._refuse(file, error)

    async def _deliver(self, file: _File, allow: PlainOption | None) -> None:
        """Its message, and the text behind it. A decision is for what is sent first: it changes the chat (SR-01)."""
        meant = file.meant
        if allow is not None and meant.chat.security.plain:
            allow = None  # used by a file before this one
        if not file.there:
            answered = Reference(ids.message_id(meant.reply_to)) if meant.reply_to else None
            content = replace(await file.transfer.file(), reply_to=answered)
            await self._once(meant.chat, content, allow, file.message_id)
            file.there, allow = True, None
        if meant.text:
            await self._once(meant.chat, Text(meant.text), allow, file.text_id)
        self._forget(file, {"state": "sent", "message_id": file.message_id})

    async def _once(
        self, chat: Conversation, content: Sendable, allow: PlainOption | None, message_id: MessageId
    ) -> None:
        try:
            await chat.send_content(content, allow=allow, message_id=message_id)
        except InputError as error:
            if error.code != "input.message_id_used" or not await chat.find(message_id):
                raise
            # It was sent here, and whoever said so was not heard.

    def _refuse(self, file: _File, error: LetterlockError) -> None:
        _log.info("an uploaded file was not sent: %s (%s)", error, error.code)
        file.refused = error
        file.still.set()
        self._say(file, {"state": "refused", "code": error.code, "message": str(error), "hint": error.hint})

    async def _drop(self, file: _File) -> None:
        if file.task is not None:
            file.task.cancel()
            await asyncio.gather(file.task, return_exceptions=True)
        with contextlib.suppress(LetterlockError):
            await file.transfer.cancel()  # of one that is done it only forgets that there was one
        await _release(file.waiting)
        self._forget(file, {"state": "cancelled"})

    def _forget(self, file: _File, what: dict[str, Any]) -> None:
        file.still.set()
        if self._files.pop(file.transfer.id, None) is not None:
            self._say(file, what)

    def _say(self, file: _File, what: dict[str, Any]) -> None:
        self._tell("upload", {"transfer": file.transfer.id, "chat": file.meant.chat.name, **what})


def _record(file: _File, locale: str) -> dict[str, Any]:
    info, meant = file.transfer.info, file.meant
    why = file.refused
    if why is None and info.reason:
        why = failure_of(info)
    return {
        "transfer": info.id,
        "chat": meant.chat.name,
        "name": meant.name,
        "size": meant.size,
        "reply_to": meant.reply_to or None,
        "text": meant.text,
        "message_id": file.message_id,
        "state": "refused" if file.refused is not None else info.state.value,
        "stage": info.stage.value,
        "done": info.done,
        "total": info.size,
        "resumable": file.refused is not None or info.resumable,
        "error": None if why is None else error_object(why, locale),
    }


def _sealed(transfer: Transfer) -> bool:
    """Whether what goes to the server is ciphertext that lies ready, so that nobody reads the file again."""
    info = transfer.info
    return info.encrypted is not None or (info.sealed is not None and info.sealed.pointer is not None)


async def _release(waiting: Waiting) -> None:
    """In a thread, which ends it whoever is cancelled: giving the blocks of a large file back takes its time."""
    await asyncio.shield(asyncio.to_thread(waiting.release))
