"""All that a group remembers, as a value: two snapshots are equal if and only if nothing has changed in between.

It looks into every slot of every object, so that a new field is covered without a word here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from letterlock.mls.client import Client
from letterlock.mls.group.group import Group
from letterlock.mls.group.holding import HeldMessages
from letterlock.mls.suites import CipherSuite
from letterlock.mls.tree.ratchet_tree import RatchetTree
from letterlock.mls.wire.leaf_node import LeafNode

__all__ = ["snapshot"]


def snapshot(group: Group, *, held: bool = True) -> Any:
    """Deep: secrets, ratchets, proposals, held messages, past epochs, the log of rows to write.

    Without `held` it leaves out what waits for later epochs: anybody may add to that, nobody has judged it.
    """
    return _Walk(held).value(group._member)


class _Walk:
    """One walk. Objects are compared by what is in them; who we are, and algorithms, by being the same object."""

    def __init__(self, held: bool) -> None:
        self._held = held
        self._known: dict[int, Any] = {}

    def value(self, thing: Any) -> Any:
        if thing is None or isinstance(thing, (bytes, str, int, Enum)):
            return thing
        if isinstance(thing, (CipherSuite, Client)) or callable(thing):
            return id(thing)
        if isinstance(thing, LeafNode):
            return thing.encoded
        if id(thing) not in self._known:
            self._known[id(thing)] = type(thing).__name__  # for what refers to itself
            self._known[id(thing)] = self._inside(thing)
        return self._known[id(thing)]

    def _inside(self, thing: Any) -> Any:
        if isinstance(thing, RatchetTree):
            return "tree", thing.encode()
        if isinstance(thing, Mapping):
            return tuple((self.value(k), self.value(v)) for k, v in thing.items())
        if isinstance(thing, (tuple, list)):
            return tuple([self.value(v) for v in thing])
        if isinstance(thing, (set, frozenset)):
            return frozenset(v for v in thing if self._held or not self._row_of_held(v))
        if isinstance(thing, HeldMessages) and not self._held:
            return "held"
        return type(thing).__name__, *((name, self.value(getattr(thing, name))) for name in _names(thing))

    @staticmethod
    def _row_of_held(key: Any) -> bool:
        return isinstance(key, tuple) and key[:1] == ("held",)


def _names(thing: Any) -> list[str]:
    names = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    names.extend(getattr(thing, "__dict__", ()))
    return [name for name in names if not name.startswith("__") and hasattr(thing, name)]
