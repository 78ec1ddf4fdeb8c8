"""MLS groups in memory, as many as there is room for: the states of those used last, and the trees of some of them.

A tree costs memory as the group is large, a state little; what is not here is read again from the database.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from .logic import OrderedGroup
from .state import GroupState

__all__ = ["KeptGroups"]


@dataclass(slots=True)
class _Kept:
    """`state` None: the conference has no group. `group` None: its tree is not in memory."""

    state: GroupState | None
    group: OrderedGroup | None
    leaves: int


class KeptGroups:
    """By the name of the conference."""

    def __init__(self, *, max_states: int, max_leaves: int) -> None:
        self._max_states = max_states
        self._max_leaves = max_leaves
        self._leaves = 0
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def __contains__(self, name: str) -> bool:
        return name in self._kept

    def state(self, name: str) -> GroupState | None:
        """Raises KeyError for one that is not here."""
        self._kept.move_to_end(name)
        return self._kept[name].state

    def group(self, name: str) -> OrderedGroup | None:
        """With its tree; None if that is not here."""
        kept = self._kept.get(name)
        if kept is None:
            return None
        self._kept.move_to_end(name)
        return kept.group

    def put(self, name: str, state: GroupState | None, group: OrderedGroup | None) -> None:
        """Keep it, and let go of those used longest ago while there are too many."""
        self.drop(name)
        leaves = 0 if group is None else group.leaves
        self._kept[name] = _Kept(state, group, leaves)
        self._leaves += leaves
        while len(self._kept) > self._max_states:
            self.drop(next(iter(self._kept)))
        for other, kept in list(self._kept.items()):
            if self._leaves <= self._max_leaves or other == name:
                break
            self._leaves -= kept.leaves
            kept.group, kept.leaves = None, 0

    def drop(self, name: str) -> None:
        """What is in memory may be wrong."""
        kept = self._kept.pop(name, None)
        if kept is not None:
            self._leaves -= kept.leaves
