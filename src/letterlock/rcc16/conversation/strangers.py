"""Conversations that nobody here has wished for and that we were never in (SR-08).

A letter that cannot be read is often ahead of its Welcome, or from somebody whom we knew before we lost everything. So
it is kept, and its sender asked. But whom the network names as a sender is its own word: of such conversations there
are only so many, each keeps a few letters, no group is made for one, and what comes to nothing is forgotten.
"""

from __future__ import annotations

from .chat import Chat
from .records import CHATS
from .step import Work

__all__ = ["is_stranger", "may_begin"]


def is_stranger(chat: Chat) -> bool:
    """By the record alone, without its people."""
    begun = chat.group is not None or chat.operation is not None or chat.mls_id or chat.rejoin or chat.left
    return not (begun or chat.wants or chat.blocked or chat.ended)


def may_begin(work: Work) -> bool:
    """Whether there is room for one more. Looked at once for each, so that it may cost a look at every conversation."""
    if work.known:
        return True
    found = (work.state.get(key) for key in work.state.scan(CHATS))
    return sum(chat is not None and is_stranger(chat) for chat in found) < work.core.settings.max_strangers
