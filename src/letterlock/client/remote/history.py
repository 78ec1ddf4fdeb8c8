"""The history of a profile that another process owns: `history.HistoryApi` over its socket."""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.policy import PlainOption
from ...errors import LimitExceeded
from ...ids import ChatName, MessageId, Number
from ..api import ChatState
from ..history import MOST_HITS, ChatSummary, FreshCode, Hits, Window
from .chats import RemoteChats

__all__ = ["RemoteHistory"]


class RemoteHistory(RemoteChats):
    """Mixed into `RemoteProfile`."""

    async def summaries(self) -> Sequence[ChatSummary]:
        try:
            found: list[ChatSummary] = await self._call("summaries")
        except LimitExceeded as error:
            if error.code != "owner.too_large":
                raise
            # The last messages of all chats are too long for one line together.
            each = [await self.summary(state.number) for state in await self.chats()]
            return sorted(each, key=lambda summary: summary.at, reverse=True)
        for summary in found:
            self._learn(ChatState(summary.chat, summary.security, summary.cursor))
        return found

    async def summary(self, number: ChatName) -> ChatSummary:
        summary: ChatSummary = await self._call("summary", number=number)
        self._learn(ChatState(summary.chat, summary.security, summary.cursor))
        return summary

    async def window(self, number: ChatName, limit: int, before: str, after: str, around: str) -> Window:
        try:
            window: Window = await self._call(
                "window", number=number, limit=limit, before=before, after=after, around=around
            )
            return window
        except LimitExceeded as error:
            if error.code != "owner.too_large" or limit <= 1:
                raise
        # What others have sent is too long for one line: fewer of them. Those that are left out can be asked for.
        return await self.window(number, limit // 2, before, after, around)

    async def search(self, text: str, chat: ChatName | None, limit: int, before: str) -> Hits:
        try:
            hits: Hits = await self._call("search", text=text, chat=chat, limit=min(limit, MOST_HITS), before=before)
            return hits
        except LimitExceeded as error:
            if error.code != "owner.too_large" or limit <= 1:
                raise
        return await self.search(text, chat, min(limit, MOST_HITS) // 2, before)

    async def see(self, number: ChatName, message_id: MessageId) -> int:
        return int(await self._call("see", number=number, message_id=message_id))

    async def set_name(self, number: ChatName, name: str) -> None:
        await self._call("set_name", number=number, name=name)

    async def fresh_code(self, number: Number, patience: float) -> FreshCode:
        code: FreshCode = await self._call("fresh_code", number=number, patience=patience)
        return code

    async def withdraw(self, number: Number) -> None:
        await self._call("withdraw", number=number)

    async def resend(
        self, number: ChatName, message_id: MessageId, allow: PlainOption | None, wait: bool, request: str
    ) -> MessageId:
        sent: MessageId = await self._call(
            "resend", number=number, message_id=message_id, allow=allow, wait=wait, request=request
        )
        return sent
