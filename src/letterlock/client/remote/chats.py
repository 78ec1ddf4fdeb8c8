"""Chats of a profile that another process owns."""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.content import Sendable
from ...engine.policy import PlainOption
from ...engine.view import MessageView
from ...errors import LimitExceeded
from ...ids import ChatName, MessageId, Number, Peer, group_of, peer_name
from ..api import MOST_MESSAGES, ChatState, Delivered
from .line import RemoteLine

__all__ = ["RemoteChats"]


class RemoteChats(RemoteLine):
    """Mixed into `RemoteProfile`."""

    async def open_chat(self, number: Peer) -> ChatState:
        state: ChatState = await self._call("open_chat", number=number)
        self._learn(state)
        return state

    async def chats(self) -> Sequence[ChatState]:
        states: list[ChatState] = await self._call("chats")
        for state in states:
            self._learn(state)
        return states

    async def send(
        self,
        number: ChatName,
        content: Sendable,
        allow: PlainOption | None,
        wait: bool,
        request: str,
        message_id: str = "",
        only_encrypted: bool = False,
        keep: bool = False,
    ) -> MessageId:
        sent: MessageId = await self._call(
            "send",
            number=number,
            content=content,
            allow=allow,
            wait=wait,
            request=request,
            message_id=message_id,
            only_encrypted=only_encrypted,
            keep=keep,
        )
        if group_of(number) is None and (allow is not None or not self.security(number).encrypted):
            await self.open_chat(peer_name(number))
        return sent

    async def options(self, number: ChatName) -> Sequence[PlainOption]:
        options: list[PlainOption] = await self._call("options", number=number)
        return options

    async def keep_waiting(self, number: ChatName) -> None:
        await self._call("keep_waiting", number=number)

    async def release(self, number: Number, allow: PlainOption) -> int:
        released = int(await self._call("release", number=number, allow=allow))
        await self.open_chat(number)
        return released

    async def typing(self, number: Number, active: bool) -> None:
        await self._call("typing", number=number, active=active)

    async def mark_displayed(self, number: ChatName, message_id: MessageId) -> None:
        await self._call("mark_displayed", number=number, message_id=message_id)

    async def messages(self, number: ChatName, limit: int, before: str) -> Sequence[MessageView]:
        try:
            messages: list[MessageView] = await self._call("messages", number=number, limit=limit, before=before)
            return messages
        except LimitExceeded as error:
            if error.code != "owner.too_large" or limit <= 1:
                raise
        # What others have sent is too long for one line: the newer half and the older one.
        limit = min(limit, MOST_MESSAGES)
        half = (limit + 1) // 2
        newer = await self.messages(number, half, before)
        older = await self.messages(number, limit - half, newer[0].order) if len(newer) == half else ()
        return [*older, *newer]

    async def find(self, number: ChatName, message_id: MessageId) -> Sequence[MessageView]:
        found: list[MessageView] = await self._call("find", number=number, message_id=message_id)
        return found

    async def delivered(self, message_id: MessageId) -> Delivered:
        counts: Delivered = await self._call("delivered", message_id=message_id)
        return counts
