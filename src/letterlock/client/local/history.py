"""The history of the profile that this process owns: `history.HistoryApi` on top of store and engine.

Nothing here takes longer with a longer history: a window reads as many records as it shows, the list of chats one kept
summary for each. Work for many is done in slices, so that the event loop is never held up; the search runs in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...codec.search_terms import expression, ranges
from ...engine.conversations.records import membership_key
from ...engine.derived import searchable, unseen
from ...engine.groups.values import GROUP, group_key
from ...engine.history_records import ASIDE
from ...engine.policy import PlainOption
from ...engine.record_values import Message
from ...engine.records import CHAT, MESSAGE, chat_key, contact_key, message_key, order_parts, thread_key
from ...engine.step import Step
from ...engine.view import MessageView
from ...errors import DirectoryError, InputError, TransportError
from ...ids import ChatName, GroupName, Instant, MessageId, Number, Rng, chat_name, group_of
from ...seam import RecordKind, State
from ...trust import SecurityCode
from ..api import MOST_MESSAGES
from ..history import MOST_HITS, ChatSummary, FreshCode, Hit, Hits, Window
from ..slices import sliced
from .chats import LocalChats
from .trust import LocalTrust

if TYPE_CHECKING:
    from ..network import Directory

__all__ = ["LocalHistory"]

_MOST_TEXT = 256
"""Of what is looked for."""
_ASIDES_SOUGHT = 200
_MOST_SEEN = 1_000
_PAGE_SEEN = 100
_PAGES_SEEN = 200
_NEWEST = (1 << 63) - 1


class LocalHistory(LocalChats, LocalTrust):
    """Mixed into `LocalProfile`."""

    # --- the list of chats ---------------------------------------------------------------------------------
    async def summaries(self) -> Sequence[ChatSummary]:
        found, members = [], None
        async for key in sliced(self._store.scan(CHAT)):
            name = chat_name(key.name.partition("/")[2])
            if self._is_silent(name):
                members = self._members_of_groups() if members is None else members
                if name in members:
                    continue
            found.append(self._summary(name))
        return sorted(found, key=lambda each: each.at, reverse=True)

    async def summary(self, number: ChatName) -> ChatSummary:
        return self._summary(number)

    def _is_silent(self, name: ChatName) -> bool:
        """Nothing was ever said there; of a number that is known from a group alone there is no line in the list."""
        chat = self._store.get(chat_key(name))
        return group_of(name) is None and chat is not None and not chat.accepted and not chat.lamport

    def _members_of_groups(self) -> set[str]:
        groups = (self._store.get(key) for key in self._store.scan(GROUP))
        return {member.number for group in groups if group is not None for member in group.members}

    def _summary(self, name: ChatName) -> ChatSummary:
        kept = self._engine.summary(self._store, name)
        last = self._store.get(message_key(name, kept.last)) if kept.last else None
        transition, waiting, since = self._engine.transition(self._store, name)
        subject, joined, members = self._of_group(name)
        return ChatSummary(
            name,
            self.security(name),
            self._newest(),
            self._engine.name_of(self._store, name),
            subject,
            kept.unread,
            None if last is None else self._engine.view(self._store, name, last),
            kept.at,
            joined,
            members,
            transition,
            waiting,
            since,
            self._engine.verified_at(self._store, name),
            self._engine.keeps_waiting(self._store, name),
        )

    def _of_group(self, name: ChatName) -> tuple[str, bool, int]:
        if group_of(name) is None:
            return "", True, 0
        signed, kept = self._store.get(group_key(GroupName(name))), self._store.get(membership_key(name))
        if signed is not None:
            return signed.subject, signed.joined, len(signed.members)
        if kept is not None:
            group = self._engine.group(self._store, GroupName(name))
            return kept.subject, group.joined, len(kept.members) + group.joined
        return "", False, 0

    # --- one chat ------------------------------------------------------------------------------------------
    async def window(self, number: ChatName, limit: int, before: str, after: str, around: str) -> Window:
        if sum(map(bool, (before, after, around))) > 1:
            raise InputError("before, after and around exclude each other", code="input.window")
        if not (before + after).isascii() or len(before + after) > 128:
            raise InputError("not the order of a message", code="input.window")
        limit = max(1, min(limit, MOST_MESSAGES))
        if around:
            place = self._order(number, around)
            older, more_before = self._back(number, place, limit // 2)
            newer, more_after = self._forth(number, place, limit - len(older), itself=True)
            return Window(await self._views(number, [*older, *newer]), more_before, more_after)
        if after:
            newer, more = self._forth(number, after, limit)
            return Window(await self._views(number, newer), bool(self._back(number, after + "!", 1)[0]), more)
        older, more = self._back(number, before, limit)
        behind = bool(before) and bool(self._forth(number, before, 1, itself=True)[0])
        return Window(await self._views(number, older), more, behind)

    def _order(self, number: ChatName, around: str) -> str:
        """The place that an order or a message id names."""
        try:
            order_parts(around.rstrip("~"))
        except ValueError:
            found = self._engine.find(self._store, number, MessageId(around)) if "/" not in around else ()
            if not found:
                # What could not be read has no place of its own, and is mostly among the newest.
                for _, aside in self._store.before(ASIDE, "", _ASIDES_SOUGHT, prefix=f"{number}/"):
                    if aside.message_id == around:
                        return aside.order
                raise InputError("no message with this id in this chat", code="input.message") from None
            return found[0].order
        return around

    def _back(self, number: ChatName, before: str, limit: int) -> tuple[list[Message], bool]:
        """The last `limit` items before a place, oldest first, and whether there are more."""

        def read(kind: RecordKind[Message]) -> Sequence[tuple[str, Message]]:
            return self._store.before(kind, f"{number}/{before}" if before else "", limit + 1, prefix=f"{number}/")

        items = sorted((*read(MESSAGE), *read(ASIDE)), key=lambda item: item[0], reverse=True)
        return [message for _, message in reversed(items[:limit])], len(items) > limit

    def _forth(self, number: ChatName, after: str, limit: int, *, itself: bool = False) -> tuple[list[Message], bool]:
        """The first `limit` items behind a place, or from it on, and whether there are more."""
        # No order ends with this character, and none stands between an order and the one before it.
        start = f"{number}/{after[:-1]}{chr(ord(after[-1]) - 1)}\U0010ffff" if itself else f"{number}/{after}"

        def read(kind: RecordKind[Message]) -> Sequence[tuple[str, Message]]:
            return self._store.after(kind, start, limit + 1, prefix=f"{number}/")

        items = sorted((*read(MESSAGE), *read(ASIDE)), key=lambda item: item[0])
        return [message for _, message in items[:limit]], len(items) > limit

    async def _views(self, number: ChatName, messages: Sequence[Message]) -> Sequence[MessageView]:
        views = [self._engine.view(self._store, number, message) async for message in sliced(messages)]
        await asyncio.sleep(0)  # whoever reads page after page lets everybody else work in between
        return views

    # --- what is looked for --------------------------------------------------------------------------------
    async def search(self, text: str, chat: ChatName | None, limit: int, before: str) -> Hits:
        if len(text) > _MOST_TEXT:
            raise InputError(f"at most {_MOST_TEXT} characters can be looked for", code="input.search")
        wanted = expression(text)
        if not wanted:
            raise InputError("there is no word in what is looked for", code="input.search")
        if not ((before.isascii() and before.isdigit()) or not before) or len(before) > 18:
            raise InputError("not a cursor of a search", code="input.cursor")
        limit = max(1, min(limit, MOST_HITS))
        prefix = "" if chat is None else f"{chat}/"
        start = int(before) if before else _NEWEST
        found = await asyncio.to_thread(self._store.search, wanted, prefix, limit + 1, start)
        hits: list[Hit] = []
        async for each in sliced(found[:limit]):
            name, _, order = each.key.partition("/")
            hit = self._hit(chat_name(name), order, text)
            if hit is not None:
                hits.append(hit)
        return Hits(hits, str(found[limit - 1].number) if len(found) > limit else "")

    def _hit(self, chat: ChatName, order: str, text: str) -> Hit | None:
        message = self._store.get(message_key(chat, order))
        if message is None:
            return None
        # What was changed since the index was asked is not shown as it was.
        shown = searchable(message, self._store.get(thread_key(chat, order)))
        if not shown:
            return None
        return Hit(chat, self._engine.view(self._store, chat, message), shown, ranges(shown, text))

    # --- what was seen -------------------------------------------------------------------------------------
    async def see(self, number: ChatName, message_id: MessageId) -> int:
        found = self._engine.find(self._store, number, message_id)
        if not found:
            raise InputError("no message with this id in this chat", code="input.message")
        new = await self._unseen(number, found[0].order)
        for each in new:
            await self.mark_displayed(number, each)
        return len(new)

    async def _unseen(self, number: ChatName, through: str) -> Sequence[MessageId]:
        """What was not seen up to a place, oldest first. There are as many as the summary says, mostly the newest."""
        left = min(self._engine.summary(self._store, number).unread, _MOST_SEEN)
        ids: list[MessageId] = []
        place = through + "!"  # itself, too
        for _ in range(_PAGES_SEEN):
            if left <= len(ids):
                break
            page = self._store.before(MESSAGE, f"{number}/{place}", _PAGE_SEEN, prefix=f"{number}/")
            ids += [message.message_id for _, message in page if unseen(message)]
            if len(page) < _PAGE_SEEN:
                break
            place = page[-1][1].order
            await asyncio.sleep(0)
        return ids[:_MOST_SEEN][::-1]

    # --- decisions -----------------------------------------------------------------------------------------
    async def set_name(self, number: ChatName, name: str) -> None:
        await self._driver.submit(lambda s, now, rng: self._engine.set_name(s, number, name, now, rng))

    async def withdraw(self, number: Number) -> None:
        await self._driver.submit(lambda s, now, rng: self._engine.withdraw(s, number, now, rng))

    async def resend(
        self, number: ChatName, message_id: MessageId, allow: PlainOption | None, wait: bool, request: str
    ) -> MessageId:
        def step(state: State, now: Instant, rng: Rng) -> Step[MessageId]:
            return self._engine.resend(state, number, message_id, now, rng, allow=allow, wait=wait)

        return MessageId(await self._once(step, request, heavy=group_of(number) is not None))

    async def fresh_code(self, number: Number, patience: float) -> FreshCode:
        began = self._clock()
        if self._directory is not None:
            numbers = dict.fromkeys((number, self._engine.me.number))
            asking = [asyncio.ensure_future(self._ask_for_lists(self._directory, each)) for each in numbers]
            try:
                await asyncio.wait(asking, timeout=max(0.0, min(patience, 60.0)))
            finally:  # what comes later is asked for again with the next code
                for task in asking:
                    task.cancel()
            for result in await asyncio.gather(*asking, return_exceptions=True):
                if isinstance(result, Exception):
                    raise result
        fetched = self._listed_at(number)
        if not fetched >= began > 0 and await self._look_up(number, patience):
            fetched = self._clock()
        code: SecurityCode = await self.security_code(number)
        return FreshCode(code, fetched, fetched >= began > 0, self._engine.verified_at(self._store, number))

    def _listed_at(self, number: Number) -> Instant:
        """When a signed list last said that the key by which one talks there is the number's; 0 if none does."""
        contact = self._store.get(contact_key(number))
        if contact is None or contact.list.participant_spki != self._participant(number):
            return 0
        return contact.fetched_at

    async def _look_up(self, number: Number, patience: float) -> bool:
        """Whether the key distribution server hands out a key of the number now. Another one than before is told."""
        if self.key_server is None:
            return False
        try:
            async with asyncio.timeout(max(0.0, min(patience, 60.0))):
                step = await self.key_server.look_up(number)
        except TimeoutError:
            return False
        return step is not None and await self._driver.submit(step)

    async def _ask_for_lists(self, directory: Directory, number: Number) -> None:
        contact = self._store.get(contact_key(number))
        # With the one that we have, so that it is confirmed.
        since = 0 if contact is None else max(0, contact.list.serial - 1)
        try:
            lists = tuple(await directory.lists(number, since))
        except (DirectoryError, TransportError):
            return  # the code says when the keys were last confirmed
        await self._driver.submit(lambda s, now, rng: self._engine.on_lists(s, number, lists, now, rng))
