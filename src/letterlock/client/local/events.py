"""Events of the profile that this process owns, and the cursors of those who read them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from ...engine.events import Recorded
from ...engine.records import EVENT, event_key
from ...engine.step import Step
from ...errors import InputError, StoreError
from ...seam import RecordKind
from .core import LocalCore

__all__ = ["LocalEvents"]


_PAGE = 100

_CURSOR = RecordKind[int]("client-cursor", lambda n: n.to_bytes(8, "big"), lambda data: int.from_bytes(data, "big"))


class LocalEvents(LocalCore):
    """Mixed into `LocalProfile`."""

    async def cursor(self) -> int:
        return self._newest()

    async def events(self, after: int) -> AsyncGenerator[Recorded, None]:
        """Every event behind the cursor `after`, then those to come. Ends when the profile is closed."""
        cursor = after
        while True:
            change = self._driver.next_change()  # before reading, so that nothing falls in between
            try:
                page = self._recorded_after(cursor)
            except StoreError as error:
                if error.code == "client.closed":
                    return
                raise
            for recorded in page:
                self._checkpoint("event.before")
                yield recorded
                cursor = recorded.cursor
            if not page:
                try:
                    await asyncio.shield(change)
                except asyncio.CancelledError:
                    if change.cancelled() and not _being_cancelled():
                        return
                    raise

    def _recorded_after(self, cursor: int) -> Sequence[Recorded]:
        """A page of events behind the cursor."""
        newest = self._newest()
        if newest - cursor > _PAGE:
            return [recorded for _, recorded in self._store.after(EVENT, f"{cursor:020d}", _PAGE)]
        # Whoever keeps up finds them decoded in the store's cache. One that is not there any more was pruned.
        recent = (self._store.get(event_key(number)) for number in range(cursor + 1, newest + 1))
        return [recorded for recorded in recent if recorded is not None]

    async def recall(self, consumer: str) -> int | None:
        return self._store.get(_CURSOR.key(_consumer(consumer)))

    async def keep(self, consumer: str, cursor: int) -> None:
        key = _CURSOR.key(_consumer(consumer))
        await self._driver.submit(lambda s, now, rng: Step(None, {key: cursor}))


def _consumer(name: str) -> str:
    if not name or "/" in name or len(name) > 64:
        raise InputError("a consumer's name has 1 to 64 characters and no slash", code="input.consumer")
    return name


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
