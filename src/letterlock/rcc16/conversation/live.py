"""MLS groups in memory: a bounded cache, of which only what equals the store is ever used (SR-06).

A step takes a group out and puts it back under the stamp that it writes with the group's rows. A step that fails, or
whose writes are not committed, leaves either nothing here or a group whose stamp is not that of the record: the next
step then loads the rows. So no key of a lost step is used again, and none is skipped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ...conversation_seam import Conversation
from ...errors import DecodeError
from ...mls.client import Client
from ...mls.group.group import Group
from ...seam import State
from .chat import HeldGroup
from .records import ROWS, chat_text

__all__ = ["LiveGroups"]

_Name = tuple[str, int]


class LiveGroups:
    """At most `limit` groups, the least recently used forgotten first."""

    def __init__(self, limit: int) -> None:
        self._limit: Final = limit
        self._groups: dict[_Name, tuple[bytes, Group]] = {}

    def take(self, state: State, client: Client, conversation: Conversation, held: HeldGroup) -> Group:
        """The group as it is stored. Raises DecodeError if its rows are damaged or gone."""
        name = (chat_text(conversation), held.number)
        stamp, group = self._groups.pop(name, (b"", None))
        if group is not None and stamp == held.stamp:
            return group
        return Group.load(client, rows_of(state, conversation, held.number))

    def put(self, conversation: Conversation, held: HeldGroup, group: Group) -> None:
        """Keep a group that is stored under this stamp, once the step is committed."""
        self._groups[chat_text(conversation), held.number] = (held.stamp, group)
        while len(self._groups) > self._limit:
            del self._groups[next(iter(self._groups))]

    def clear(self) -> None:
        """Our certificate changed: groups are loaded again as the client that we are now."""
        self._groups.clear()


def rows_of(state: State, conversation: Conversation, number: int) -> dict[str, bytes]:
    """All rows of one group, by the key that `mls` knows them under."""
    prefix = f"{chat_text(conversation)}/{number:08d}/"
    cut = len(ROWS.name) + 1 + len(prefix)
    found: dict[str, bytes] = {}
    for key in state.scan(ROWS, prefix):
        row = state.get(key)
        if row is not None:
            found[key.name[cut:]] = row
    if not found:
        raise DecodeError("the rows of a group are gone", code="mls.row")
    return found


def row_names(state: State, conversation: Conversation, number: int) -> Iterable[str]:
    """The keys of all rows of one group."""
    prefix = f"{chat_text(conversation)}/{number:08d}/"
    cut = len(ROWS.name) + 1 + len(prefix)
    return [key.name[cut:] for key in state.scan(ROWS, prefix)]
