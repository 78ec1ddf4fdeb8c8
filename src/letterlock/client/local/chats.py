"""Chats of the profile that this process owns: opening, writing, reading."""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.content import Sendable
from ...engine.groups.values import GROUP
from ...engine.policy import PlainOption
from ...engine.records import CHAT, MESSAGE, chat_key
from ...engine.security import Security
from ...engine.step import Step
from ...engine.view import MessageView
from ...errors import NotEncrypted
from ...ids import ChatName, Instant, MessageId, Number, Peer, Rng, chat_name, group_of, peer_name
from ...seam import State
from ..api import MOST_MESSAGES, ChatState, Delivered
from .core import LocalCore

__all__ = ["LocalChats"]


class LocalChats(LocalCore):
    """Mixed into `LocalProfile`."""

    async def open_chat(self, number: Peer) -> ChatState:
        await self._driver.submit(lambda s, now, rng: self._engine.open_chat(s, number, now, rng))
        # Read again, in one go with the cursor: what the step gave may be older than the newest event.
        return ChatState(number, self.security(number), self._newest())

    async def chats(self) -> Sequence[ChatState]:
        names = [chat_name(key.name.partition("/")[2]) for key in self._store.scan(CHAT)]
        newest = self._newest()
        return [ChatState(name, self.security(name), newest) for name in names if not self._is_bystander(name)]

    def _is_bystander(self, name: ChatName) -> bool:
        """A number that is known from a group alone: nothing was ever said in the chat with it."""
        chat = self._store.get(chat_key(name))
        if group_of(name) is not None or chat is None or chat.accepted or chat.lamport:
            return False
        groups = (self._store.get(key) for key in self._store.scan(GROUP))
        return any(member.number == name for group in groups if group is not None for member in group.members)

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
        engine, chosen = self._engine, MessageId(message_id) if message_id else None

        def step(state: State, now: Instant, rng: Rng) -> Step[MessageId]:
            return engine.send(
                state,
                number,
                content,
                now,
                rng,
                allow=allow,
                wait=wait,
                message_id=chosen,
                only_encrypted=only_encrypted,
                keep=keep,
            )

        try:
            return MessageId(await self._once(step, request, heavy=group_of(number) is not None))
        except NotEncrypted as error:
            if error.reason == Security.NO_KEYS_FOUND.value and group_of(number) is None:
                await self.open_chat(peer_name(number))  # by the time the user has decided, there may be some
            raise

    async def options(self, number: ChatName) -> Sequence[PlainOption]:
        return self._engine.options(self._store, number)

    async def keep_waiting(self, number: ChatName) -> None:
        await self._driver.submit(lambda s, now, rng: self._engine.keep_waiting(s, number, now, rng))

    async def release(self, number: Number, allow: PlainOption) -> int:
        return await self._driver.submit(lambda s, now, rng: self._engine.release(s, number, allow, now, rng))

    async def typing(self, number: Number, active: bool) -> None:
        await self._driver.submit(lambda s, now, rng: self._engine.typing(s, number, active, now, rng))

    async def mark_displayed(self, number: ChatName, message_id: MessageId) -> None:
        await self._driver.submit(lambda s, now, rng: self._engine.mark_displayed(s, number, message_id, now, rng))

    async def messages(self, number: ChatName, limit: int, before: str) -> Sequence[MessageView]:
        newest_first = self._store.before(
            MESSAGE, f"{number}/{before}" if before else "", max(1, min(limit, MOST_MESSAGES)), prefix=f"{number}/"
        )
        return [self._engine.view(self._store, number, message) for _, message in reversed(newest_first)]

    async def find(self, number: ChatName, message_id: MessageId) -> Sequence[MessageView]:
        return self._engine.find(self._store, number, message_id)

    async def delivered(self, message_id: MessageId) -> Delivered:
        return Delivered(*self._engine.delivery(self._store, message_id))
