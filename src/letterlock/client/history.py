"""What a page, the daemon and the command line ask of the history: values, and the calls that give them.

The list of chats, a window of one chat, hits of the local search, what is known of a contact's code. `Client` and
`Conversation` have these calls in the form for people (`histories.py`, `reading.py`); these are those of a profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ..engine.policy import PlainOption
from ..engine.security import Security
from ..engine.view import MessageView
from ..ids import ChatName, Instant, MessageId, Number
from ..trust import SecurityCode

__all__ = ["MOST_HITS", "ChatSummary", "FreshCode", "HistoryApi", "Hit", "Hits", "Window"]

MOST_HITS = 200
"""Of a search at once."""


@dataclass(frozen=True, slots=True)
class ChatSummary:
    """A chat as its line in the list shows it."""

    chat: ChatName
    security: Security
    cursor: int
    """Of the newest event when this was read."""
    name: str = ""
    """What the user calls the contact, fit to be shown; empty if nothing was set."""
    subject: str = ""
    """Of a group."""
    unread: int = 0
    """Received messages that the user has not seen, without those that were deleted."""
    last: MessageView | None = None
    """The newest message, or change of the group."""
    at: Instant = 0
    """When something came or was written last; 0 in an empty chat."""
    joined: bool = True
    members: int = 0
    """Of a group, with ourselves."""
    transition: int = 0
    """Counts how often the kind of protection changed. The user is asked once for each (SR-01)."""
    waiting: int = 0
    """Messages of ours that wait for keys."""
    waiting_since: Instant = 0
    """When the first of them was written; 0 if none waits."""
    verified_at: Instant = 0
    """When the user compared codes with the contact; 0 if never for these keys."""
    kept: bool = False
    """The user decided to wait where no keys were found, and what is written waits."""


class Window(NamedTuple):
    """Part of a chat, oldest first, and whether there is more on either side."""

    messages: Sequence[MessageView]
    before: bool
    after: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that has what was looked for. `ranges` are of the characters (code points) of `text`, in order and
    apart from each other: `text[start:end]` matched. `text` is what was searched: the text, or the name of a file,
    or the label of a place."""

    chat: ChatName
    message: MessageView
    text: str = field(repr=False)
    ranges: tuple[tuple[int, int], ...] = ()


class Hits(NamedTuple):
    """Newest first. `before` asks for those that are older; empty: there are none."""

    hits: Sequence[Hit]
    before: str


@dataclass(frozen=True, slots=True)
class FreshCode:
    """The code to compare. `fetched_at` is when the directory last confirmed the key that it is made of, 0 if it never did;
    for a key that no signed list names, when the key distribution server was asked for this code. `fresh`: just now."""

    code: SecurityCode
    fetched_at: Instant
    fresh: bool
    verified_at: Instant = 0


class HistoryApi(Protocol):
    """Part of `api.ProfileApi`."""

    async def summaries(self) -> Sequence[ChatSummary]:
        """All chats, those with the newest message first."""
        ...

    async def summary(self, number: ChatName) -> ChatSummary:
        """One of them."""
        ...

    async def window(self, number: ChatName, limit: int, before: str, after: str, around: str) -> Window:
        """At most `limit` messages: those before an `order`, behind one, or around an `order` or message id. At most
        one of the three is given; without any the newest. Raises InputError for two, or for an id that is not there."""
        ...

    async def search(self, text: str, chat: ChatName | None, limit: int, before: str) -> Hits:
        """Messages with all these words, or beginnings of words; in one chat or in all. Nothing leaves the device."""
        ...

    async def see(self, number: ChatName, message_id: MessageId) -> int:
        """The user has seen this message and those before it, at most a thousand at once; how many they had not seen.
        Raises InputError for an id that is not there."""
        ...

    async def set_name(self, number: ChatName, name: str) -> None:
        """What the user calls a contact, here alone; empty takes it away. Raises InputError for a name that is too long."""
        ...

    async def fresh_code(self, number: Number, patience: float) -> FreshCode:
        """Ask for both sides' keys again, and give the code over what is known then. Raises InputError without keys."""
        ...

    async def withdraw(self, number: Number) -> None:
        """The user no longer vouches for the contact's keys: the chat is encrypted, and not verified."""
        ...

    async def resend(
        self, number: ChatName, message_id: MessageId, allow: PlainOption | None, wait: bool, request: str
    ) -> MessageId:
        """Send a message that failed again, as a new one, by the rules of sending; the old one says which. Raises as
        `send` does, InputError (`input.resend`) for one that has not failed or was sent again."""
        ...
