"""Events of a profile that another process owns, and the cursors of those who read them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from ...engine.events import Recorded, SecurityChanged, event_from_json
from ...engine.security import Security
from ...errors import StoreError
from ..api import ChatState
from ..wire import decode_error, encode_line
from .line import RemoteLine, connect, line_of, lost

__all__ = ["RemoteEvents"]


class RemoteEvents(RemoteLine):
    """Mixed into `RemoteProfile`."""

    async def cursor(self) -> int:
        return int(await self._call("cursor"))

    async def recall(self, consumer: str) -> int | None:
        cursor: int | None = await self._call("recall", consumer=consumer)
        return cursor

    async def keep(self, consumer: str, cursor: int) -> None:
        await self._call("keep", consumer=consumer, cursor=cursor)

    async def events(self, after: int) -> AsyncGenerator[Recorded, None]:
        """As `LocalProfile.events`. Raises ConnectionLost when the owner goes.

        Each stream has a connection of its own: one that nobody reads for a while holds up nothing else.
        """
        reader, writer = await connect(self._path)
        try:
            writer.write(encode_line({"id": 1, "method": "events", "params": {"after": after}}))
            while (line := await line_of(reader)) is not None:
                if "error" in line:
                    raise decode_error(line["error"])
                value = line["event"]
                yield Recorded(int(value["cursor"]), int(value["at"]), event_from_json(value))
            raise lost()
        finally:
            writer.close()

    async def _follow(self, after: int) -> None:
        """Keep what `security` shows up to date."""
        with contextlib.suppress(StoreError):
            async for recorded in self.events(after):
                if isinstance(recorded.event, SecurityChanged):
                    self._learn(ChatState(recorded.event.chat, Security(recorded.event.state), recorded.cursor))
