"""The part of a client that is of all conversations' history: the list of chats, the search, the export."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from .. import ids
from .asks import Asks
from .export import export
from .history import MOST_HITS, ChatSummary, Hits

__all__ = ["Histories"]


class Histories:
    """Mixed into `Client`."""

    async def summaries(self: Asks) -> Sequence[ChatSummary]:
        """Every chat with its last message, its unread messages and its name; that with the newest message first."""
        return await self.ask(lambda profile: profile.summaries())

    async def search(self: Asks, text: str, *, chat: str = "", limit: int = 50, before: str = "") -> Hits:
        """Messages of the local history with all these words, or words that begin so; newest first.

        Case and accents make no difference; of text without spaces between words (Chinese, Japanese) any part is
        found. `before` is that of the `Hits` before. Nothing of it leaves the device. Raises InputError.
        """
        checked = ids.chat_name(chat) if chat else None
        return await self.ask(lambda profile: profile.search(text, checked, max(1, min(limit, MOST_HITS)), before))

    def export(self: Asks, chat: str = "") -> AsyncGenerator[dict[str, Any], None]:
        """Everything of this user, as records for JSON: the profile, each chat, its members, its messages oldest first.

        No keys: neither those of sessions nor those of files. Raises InputError for a chat that is none.
        """
        return export(self.ask, ids.chat_name(chat) if chat else None)
