"""What the gateway brings: handed up, and acknowledged only when it is safe here (SR-06).

The cursor lives in memory alone. A process that begins anew says so, and gets again whatever it has not acknowledged: the
engine knows repeats. Between links of one process nothing is taken twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from ...carriage import Inbound
from ...codec.gateway import Gap, Message, Welcome
from ...errors import LetterlockError

__all__ = ["Arrivals"]

_log = logging.getLogger(__name__)

_TRIES = 3
"""For a message that fails by a mistake of ours. It would come again for as long as the gateway keeps it, a month, and
nothing behind it would be acknowledged."""


class Arrivals:
    """`on_safe` is called when more can be acknowledged, `on_failure` when something could not be taken: it has to come
    again, so the link must end."""

    def __init__(
        self,
        on_message: Callable[[Inbound], Awaitable[None]],
        max_taking: int,
        on_safe: Callable[[], None],
        on_failure: Callable[[str], None],
    ) -> None:
        self._on_message, self._on_safe, self._on_failure = on_message, on_safe, on_failure
        self._slots = asyncio.Semaphore(max_taking)
        self._order: deque[int] = deque()  # what has come behind `acknowledged`, in the order of the inbox
        self._safe: set[int] = set()
        self._taking: dict[int, asyncio.Task[None]] = {}
        self._failed: dict[int, int] = {}
        self.inbox: bytes | None = None
        self.acknowledged = 0
        """Everything up to there is safe here."""
        self.lost = 0
        """Messages that were in the inbox and are no more."""

    def begin(self, welcome: Welcome) -> None:
        """A link is there. Another inbox than before: the cursors of the one before count for nothing."""
        if welcome.inbox != self.inbox:
            self.inbox = welcome.inbox
            self._order.clear()
            self._safe.clear()
            self._taking = {}
            self._failed.clear()
            self.acknowledged = welcome.cursor

    async def take(self, message: Message) -> None:
        """Hand it up; returns when it is under way."""
        cursor = message.cursor
        if cursor <= self.acknowledged or cursor in self._safe or cursor in self._taking:
            return
        await self._slots.acquire()
        if cursor not in self._order:
            self._order.append(cursor)
        inbox = self.inbox
        task = asyncio.get_running_loop().create_task(self._hand_up(message))
        self._taking[cursor] = task
        task.add_done_callback(lambda done: self._ended(inbox, cursor, done))

    def miss(self, gap: Gap) -> None:
        """Some are gone for good."""
        missing = gap.last - max(gap.first - 1, self.acknowledged)
        if missing <= 0 or gap.last in self._safe:
            return
        self.lost += missing
        _log.warning("%d messages did not stay at the gateway until we came (%s)", missing, gap.reason.name.lower())
        if gap.last not in self._order:
            self._order.append(gap.last)
        self._safe.add(gap.last)
        self._advance()

    async def finish(self, seconds: float) -> None:
        """Let what is under way become safe, for so long at most; then give it up."""
        tasks = set(self._taking.values())
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _hand_up(self, message: Message) -> None:
        await self._on_message(
            Inbound(
                message.sender,
                message.recipient,
                message.message_id,
                message.content_type,
                message.body,
                message.received_at,
                message.group,
                message.headers,
            )
        )

    def _ended(self, inbox: bytes | None, cursor: int, task: asyncio.Task[None]) -> None:
        self._slots.release()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # No more than that: the text of an error that is not ours may quote the message.
            name = error.code if isinstance(error, LetterlockError) else type(error).__name__
            _log.error("an arriving message could not be taken: %s", name)
        if inbox != self.inbox:
            return  # of an inbox that is no more
        self._taking.pop(cursor, None)
        if error is not None and not isinstance(error, LetterlockError):
            self._failed[cursor] = self._failed.get(cursor, 0) + 1
            if self._failed[cursor] >= _TRIES:
                _log.error("it was tried %d times: it is left", _TRIES)
                self.lost += 1
                error = None
        if error is None and not task.cancelled():
            self._failed.pop(cursor, None)
            self._safe.add(cursor)
            self._advance()
        elif error is not None:
            self._on_failure("a message could not be stored")

    def _advance(self) -> None:
        before = self.acknowledged
        while self._order and self._order[0] in self._safe:
            self.acknowledged = self._order.popleft()
            self._safe.discard(self.acknowledged)
        if self.acknowledged > before:
            self._on_safe()
