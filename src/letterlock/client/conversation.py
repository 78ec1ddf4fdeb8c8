"""What a conversation is, with one number or with a group: talking and reading."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import TypeVar

from .. import ids
from ..carriage import Medium
from ..codec.ft_http import FileDocument
from ..engine.content import Delete, Edit, File, FileFormat, Location, Reaction, Reference, Sendable, Text
from ..engine.policy import PlainOption
from ..engine.security import Security
from ..engine.sms import only_text
from ..engine.view import MessageView
from ..errors import InputError, NotEncrypted
from ..ids import ChatName, MessageId
from .api import EncryptionInfo, ProfileApi
from .asks import Asks
from .files.transfer import Transfer, absolute
from .reading import Reading

__all__ = ["Conversation"]

T = TypeVar("T")

_ANSWER_SECONDS = 5.0


class Conversation(Reading):
    """A `Chat` or a `Group`. Get either from `Client.conversation`."""

    __slots__ = ("_asks", "name")

    def __init__(self, name: ChatName, asks: Asks) -> None:
        self.name = name
        """The number, or the group's name: what events call `chat`."""
        self._asks = asks

    @property
    def security(self) -> Security:
        """The state now: ENCRYPTED, VERIFIED, KEYS_NEW, ...; `letterlock.engine.security.WORDS` has the words."""
        return self._asks.profile.security(self.name)

    # --- talking -------------------------------------------------------------------------------------------
    async def send(
        self, text: str, *, allow: PlainOption | None = None, wait: bool = True, keep: bool = False
    ) -> MessageId:
        """Send a message; when this returns it is on disk and on its way, and survives a crash (SR-06).

        While the contact's keys are being looked up the message waits and is encrypted later; with `wait=False`
        that raises NotEncrypted. Raises NotEncrypted rather than send in the clear: `options` of the error are what
        the user may choose, and `allow` takes one of them (SR-01). Raises TrustRequired when a verified contact's
        keys have changed, InputError for a text that is empty or too long, or when we are no member of the group. A
        group is never unencrypted: members whose keys are missing get the message later, and there are no options.
        `keep` is the user's decision to wait where no keys were found, as in `keep_waiting`.
        """
        return await self._send(Text(text), allow, wait, keep=keep)

    async def keep_waiting(self) -> None:
        """The user decided to wait where no keys were found: until that changes, messages of this chat are kept and
        encrypted when there are keys. They leave unencrypted by `Chat.release` alone, and a `delete` takes one back.
        Raises NotEncrypted where the user left the chat unencrypted (SR-01)."""
        await self._asks.ask(lambda profile: profile.keep_waiting(self.name))

    async def reply(
        self,
        message_id: str,
        text: str,
        *,
        allow: PlainOption | None = None,
        wait: bool = True,
        keep: bool = False,
    ) -> MessageId:
        """Answer a message. As `send`; raises InputError too when there is no such message in this chat."""
        return await self._send(Text(text, Reference(ids.message_id(message_id))), allow, wait, keep=keep)

    async def react(
        self, message_id: str, emoji: str, *, remove: bool = False, allow: PlainOption | None = None, wait: bool = True
    ) -> MessageId:
        """Put an emoji on a message, or take one away that was put there from this account; the id of the reaction."""
        return await self._send(Reaction(Reference(ids.message_id(message_id)), emoji, remove), allow, wait)

    async def edit(
        self, message_id: str, text: str, *, allow: PlainOption | None = None, wait: bool = True
    ) -> MessageId:
        """Give a message of this account another text; the id of the edit. Readers may still see the first text.

        Raises InputError for somebody else's message, for one that is no text or was deleted.
        """
        return await self._send(Edit(ids.message_id(message_id), text), allow, wait)

    async def delete(self, message_id: str, *, allow: PlainOption | None = None, wait: bool = True) -> MessageId:
        """Take a message of this account back: its text goes from this store at once, and from others when they hear
        of it. Nobody can make another person forget what was read."""
        return await self._send(Delete(ids.message_id(message_id)), allow, wait)

    async def send_location(
        self,
        latitude: float,
        longitude: float,
        label: str = "",
        *,
        radius: float = 0.0,
        allow: PlainOption | None = None,
        wait: bool = True,
    ) -> MessageId:
        """Send a place: degrees of WGS 84, a radius in metres, a label."""
        return await self._send(Location(latitude, longitude, label, radius), allow, wait)

    async def upload(
        self,
        path: str | os.PathLike[str],
        *,
        name: str = "",
        content_type: str = "",
        thumbnail: str | os.PathLike[str] | bool | None = None,
        thumbnail_type: str = "image/jpeg",
        allow: PlainOption | None = None,
        wait: bool = True,
        only_encrypted: bool = False,
    ) -> Transfer:
        """Begin to upload a file for this chat: sealed under a fresh key where the chat is encrypted.

        `send_file(await transfer.file())` sends it when it is there. The server learns neither name nor type nor exact
        size of a sealed file. In a chat by sessions, a thumbnail, a waveform and what else the receiver sees before the
        file are made here; `thumbnail` names a picture to make it from, False makes nothing and says nothing but name
        and `content_type`. Without a `content_type` the file is called what it looks like. In one by RCC.16, of up to 100 MiB, `thumbnail` goes as it is given.
        In a chat that the user left unencrypted, or with `allow`, the file goes as it is, and the content server can
        read it. While the keys are looked up, it is sealed, and its message waits for them as a text does. Raises
        NotEncrypted and TrustRequired as `send` does, and InputError. `only_encrypted` raises NotEncrypted also in a chat
        that the user left unencrypted.
        """
        if only_encrypted and allow is not None:
            raise InputError("either encrypted in any case, or unencrypted by decision", code="input.allow")
        form = await self._file_format(wait) if allow is None else await self._in_the_clear(allow)
        if only_encrypted and form is FileFormat.PLAIN:
            # By the word that the upload begins with: what this process knows of the chat may be older (SR-01).
            raise NotEncrypted("not uploaded: this chat is not encrypted", reason=self.security.value)
        source = absolute(path)
        picture = None if thumbnail is None or isinstance(thumbnail, bool) else absolute(thumbnail)
        transfer, called, described = str(uuid.uuid4()), name or _called(source), thumbnail is not False
        info = await self._asks.ask(
            lambda profile: profile.upload(
                transfer, source, called, content_type, picture, thumbnail_type, form, described
            )
        )
        return Transfer(info, self._asks)

    async def _in_the_clear(self, allow: PlainOption) -> FileFormat:
        """By the user's decision. It is used up by the message, and an upload comes before that: so it is looked at here,
        and nobody's server reads a file by an option that was made up, used, or is of another chat (SR-01)."""
        options = await self.options()
        if allow not in options:
            raise NotEncrypted(
                "not uploaded: this is no choice of this chat now", reason=self.security.value, options=tuple(options)
            )
        if allow.medium is Medium.SMS:
            raise only_text()
        return FileFormat.PLAIN

    async def _file_format(self, wait: bool) -> FileFormat:
        try:
            return await self._asks.ask(lambda profile: profile.file_format(self.name))
        except NotEncrypted as error:
            if error.reason != Security.CHECKING.value:
                raise
        # Better a moment later in the right form than at once in one that its chat may turn out not to have.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._asks.ask(lambda profile: profile.settled())
        return await self._asks.ask(lambda profile: profile.file_format(self.name, wait))

    async def send_file(
        self,
        file: str | os.PathLike[str] | File | FileDocument,
        *,
        name: str = "",
        content_type: str = "",
        thumbnail: str | os.PathLike[str] | bool | None = None,
        reply_to: str = "",
        allow: PlainOption | None = None,
        wait: bool = True,
    ) -> MessageId:
        """Send a file: by its path, which uploads it first; or one that was uploaded, `await transfer.file()`. It answers
        the message `reply_to`; one that came as an answer answers nothing when it is sent on.

        What was uploaded as it is cannot go into an encrypted chat (`input.file_encrypted`), and what was encrypted not
        into one that encrypts otherwise, or not at all (`input.file_sealed`). Raises as `upload` and `send` do, and what made the upload fail.
        """
        if isinstance(file, str | os.PathLike):
            transfer = await self.upload(
                file, name=name, content_type=content_type, thumbnail=thumbnail, allow=allow, wait=wait
            )
            file = await transfer.file()
        elif isinstance(file, FileDocument):
            file = File(file.file, file.thumbnail, render=file.render, playing_seconds=file.playing_seconds)
        answered = Reference(ids.message_id(reply_to)) if reply_to else None
        return await self._send(replace(file, reply_to=answered), allow, wait)

    async def send_content(
        self,
        content: Sendable,
        *,
        allow: PlainOption | None = None,
        wait: bool = True,
        message_id: str = "",
        only_encrypted: bool = False,
    ) -> MessageId:
        """Send any content; the methods above make it. `message_id` is an id of the caller's choice, InputError
        (`input.message_id_used`) for one that was used before. `only_encrypted` raises NotEncrypted also in a chat that the
        user left unencrypted, whatever happens to the chat meanwhile; if it waits for keys, `Chat.release` does not let it
        out. Raises as `send` does."""
        chosen = ids.message_id(message_id) if message_id else ""
        return await self._send(content, allow, wait, chosen, only_encrypted)

    async def _send(
        self,
        content: Sendable,
        allow: PlainOption | None,
        wait: bool,
        message_id: str = "",
        only_encrypted: bool = False,
        keep: bool = False,
    ) -> MessageId:
        # When the owner dies before it answers, the next one is asked again: by this name it knows what was sent.
        request = uuid.uuid4().hex
        asked = False

        def call(profile: ProfileApi) -> Awaitable[MessageId]:
            nonlocal asked
            name = request if asked or profile.shared else ""
            asked = True
            return profile.send(self.name, content, allow, wait, name, message_id, only_encrypted, keep)

        return await self._asks.ask(call)

    async def options(self) -> Sequence[PlainOption]:
        """What the user may choose now in place of encryption; empty while the chat is encrypted."""
        return await self._asks.ask(lambda profile: profile.options(self.name))

    async def mark_displayed(self, message_id: MessageId) -> None:
        """The user has seen a message; its sender is told once, if the user's settings say so (SR-18)."""
        await self._asks.ask(lambda profile: profile.mark_displayed(self.name, message_id))

    async def messages(self, limit: int = 50, before: str = "") -> Sequence[MessageView]:
        """The last messages as they are now, oldest first; `before` is the `order` of the one to page back from.

        Edits, deletes and reactions are part of the messages that they are for.
        """
        return await self._asks.ask(lambda profile: profile.messages(self.name, limit, before))

    async def find(self, message_id: str) -> Sequence[MessageView]:
        """The messages with this id, as they are now: one, or none. Ids are their senders' choice, so there may be more."""
        checked = ids.message_id(message_id)
        return await self._asks.ask(lambda profile: profile.find(self.name, checked))

    # --- encryption as a whole ---------------------------------------------------------------------------------
    async def encryption(self) -> EncryptionInfo:
        """By which protocol this chat goes, and how that stands."""
        return await self._asks.ask(lambda profile: profile.encryption(self.name))

    async def end_encryption(self) -> None:
        """End encryption here, for everybody in it. Nothing is sent until the user decides again: `revive_encryption`, or
        an option of the NotEncrypted that the next send raises. Raises InputError (`input.protocol`) for a chat that goes
        by sessions with each device."""
        await self._asks.ask(lambda profile: profile.end_encryption(self.name))

    async def revive_encryption(self) -> None:
        """Begin it again after it was ended. Raises as `end_encryption` does."""
        await self._asks.ask(lambda profile: profile.revive_encryption(self.name))

    async def retry_encryption(self) -> None:
        """Have repair tried again after it came to nothing. Raises as `end_encryption` does."""
        await self._asks.ask(lambda profile: profile.retry_encryption(self.name))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"


def _called(path: str) -> str:
    """What a file is called, as far as its name is text: on disks it may be any bytes."""
    return os.fsencode(os.path.basename(path)).decode("utf-8", "replace")
