"""The part of a conversation that is of its history: what is in it, what it is called, what is tried again."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable

from .. import ids
from ..engine.policy import PlainOption
from ..ids import ChatName, MessageId
from .api import ProfileApi
from .asks import Asks
from .history import ChatSummary, Window

__all__ = ["Reading"]


class Reading:
    """Mixed into `Conversation`."""

    __slots__ = ()

    name: ChatName
    _asks: Asks

    async def summary(self) -> ChatSummary:
        """Its line in the list of chats: last message, unread messages, what the user calls it, what waits since when."""
        return await self._asks.ask(lambda profile: profile.summary(self.name))

    async def window(self, limit: int = 50, *, before: str = "", after: str = "", around: str = "") -> Window:
        """Messages before or behind an `order`, or around an `order` or a message id; without any of them the newest.

        Oldest first, and whether there are more on either side. Raises InputError for an id that is not there.
        """
        return await self._asks.ask(lambda profile: profile.window(self.name, limit, before, after, around))

    async def see(self, message_id: str) -> int:
        """The user has seen this message and all before it; how many were new, at most a thousand at once. Each sender is
        told once, as by `mark_displayed`. Raises InputError for an id that is not there."""
        checked = ids.message_id(message_id)
        return await self._asks.ask(lambda profile: profile.see(self.name, checked))

    async def set_name(self, name: str) -> None:
        """What the user calls this contact; nobody else learns it, and empty takes it away. Raises InputError."""
        await self._asks.ask(lambda profile: profile.set_name(self.name, name))

    async def resend(self, message_id: str, *, allow: PlainOption | None = None, wait: bool = True) -> MessageId:
        """Send a message of ours that failed again, as a new one; the old one then names it (`superseded_by`).

        By the rules of sending: encrypted, or asked (SR-01). Raises as `send` does, InputError (`input.resend`) for a
        message that has not failed, or was sent again already.
        """
        checked, request = ids.message_id(message_id), uuid.uuid4().hex

        def call(profile: ProfileApi) -> Awaitable[MessageId]:
            return profile.resend(self.name, checked, allow, wait, request)

        return await self._asks.ask(call)
