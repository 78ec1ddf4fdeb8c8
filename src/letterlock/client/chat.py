"""One conversation, as the user of the library sees it."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from .. import ids
from ..engine.content import Delete, Edit, File, Location, Reaction, Reference, Sendable, Text
from ..engine.policy import PlainOption
from ..engine.security import Security
from ..engine.view import MessageView
from ..errors import InputError
from ..ids import MessageId, Number
from ..trust import SecurityCode
from .api import ProfileApi

__all__ = ["Asks", "Chat"]

T = TypeVar("T")


class Asks(Protocol):
    """Whoever has a profile to ask; the client, which finds the next owner when one has gone."""

    async def ask(self, call: Callable[[ProfileApi], Awaitable[T]]) -> T: ...

    @property
    def profile(self) -> ProfileApi: ...


class Chat:
    """The conversation with one number. Get it from `Client.chat`."""

    __slots__ = ("_asks", "number")

    def __init__(self, number: Number, asks: Asks) -> None:
        self.number = number
        self._asks = asks

    @property
    def security(self) -> Security:
        """The state now: ENCRYPTED, VERIFIED, KEYS_NEW, ...; `letterlock.engine.security.WORDS` has the words."""
        return self._asks.profile.security(self.number)

    # --- talking -------------------------------------------------------------------------------------------
    async def send(self, text: str, *, allow: PlainOption | None = None, wait: bool = True) -> MessageId:
        """Send a message; when this returns it is on disk and on its way, and survives a crash (SR-06).

        While the contact's keys are being looked up the message waits and is encrypted later; with `wait=False`
        that raises NotEncrypted. Raises NotEncrypted rather than send in the clear: `options` of the error are what
        the user may choose, and `allow` takes one of them (SR-01). Raises TrustRequired when a verified contact's
        keys have changed, InputError for a text that is empty or too long.
        """
        return await self._send(Text(text), allow, wait)

    async def reply(
        self, message_id: str, text: str, *, allow: PlainOption | None = None, wait: bool = True
    ) -> MessageId:
        """Answer a message. As `send`; raises InputError too when there is no such message in this chat."""
        return await self._send(Text(text, Reference(ids.message_id(message_id))), allow, wait)

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

    async def send_file(self, file: File, *, allow: PlainOption | None = None, wait: bool = True) -> MessageId:
        """Send where a file lies at a content server. In a chat that the user left unencrypted only, because the
        bytes there are not encrypted: in any other it raises InputError `input.file_encrypted`."""
        return await self._send(file, allow, wait)

    async def _send(self, content: Sendable, allow: PlainOption | None, wait: bool) -> MessageId:
        # When the owner dies before it answers, the next one is asked again: by this name it knows what was sent.
        request = uuid.uuid4().hex
        asked = False

        def call(profile: ProfileApi) -> Awaitable[MessageId]:
            nonlocal asked
            name = request if asked or profile.shared else ""
            asked = True
            return profile.send(self.number, content, allow, wait, name)

        return await self._asks.ask(call)

    async def options(self) -> Sequence[PlainOption]:
        """What the user may choose now in place of encryption; empty while the chat is encrypted."""
        return await self._asks.ask(lambda profile: profile.options(self.number))

    async def release(self, allow: PlainOption) -> int:
        """Send the messages that wait for keys unencrypted, by the user's decision; how many there were (SR-01)."""
        return await self._asks.ask(lambda profile: profile.release(self.number, allow))

    async def typing(self, active: bool = True) -> None:
        """Tell the contact that the user is typing: encrypted, or as the user left the chat."""
        await self._asks.ask(lambda profile: profile.typing(self.number, active))

    async def mark_displayed(self, message_id: MessageId) -> None:
        """The user has seen a message; the contact is told once, if the user's settings say so (SR-18)."""
        await self._asks.ask(lambda profile: profile.mark_displayed(self.number, message_id))

    async def messages(self, limit: int = 50, before: str = "") -> Sequence[MessageView]:
        """The last messages as they are now, oldest first; `before` is the `order` of the one to page back from.

        Edits, deletes and reactions are part of the messages that they are for.
        """
        return await self._asks.ask(lambda profile: profile.messages(self.number, limit, before))

    # --- trust ---------------------------------------------------------------------------------------------
    async def security_code(self) -> SecurityCode:
        """Sixty digits, and bytes for a QR code, to compare with the contact. Raises InputError before keys are known."""
        return await self._asks.ask(lambda profile: profile.security_code(self.number))

    async def verify(self, *, scanned: bytes | None = None, last_group: str | None = None) -> None:
        """The user has compared codes: give what was scanned, or the last group of five digits that the contact read out.

        Raises TrustRequired (`trust.code_differs`) when it is not the same, or the contact's keys changed meanwhile.
        """
        if (scanned is None) == (last_group is None):
            raise InputError("give what was scanned, or the last group of digits", code="input.verify")
        await self._asks.ask(lambda profile: profile.verify(self.number, scanned, last_group))

    async def accept_keys(self) -> None:
        """The user goes on with the contact's new keys without comparing ("send anyway")."""
        await self._asks.ask(lambda profile: profile.accept_keys(self.number))

    def __repr__(self) -> str:
        return f"Chat({self.number})"
