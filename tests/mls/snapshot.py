"""All that a group remembers, as a value: two snapshots are equal if and only if nothing has changed in between.

It looks into every slot of every object, so that a new field is covered without a word here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from letterlock.mls.client import Client
from letterlock.mls.group.group import Group
from letterlock.mls.suites import CipherSuite
from letterlock.mls.tree.ratchet_tree import RatchetTree
from letterlock.mls.wire.leaf_node import LeafNode

__all__ = ["snapshot"]


def snapshot(group: Group) -> Any:
    """Deep: secrets, ratchets, proposals, held messages, past epochs, the log of rows to write."""
    return _value(group._member, {})


def _value(thing: Any, known: dict[int, Any]) -> Any:
    if thing is None or isinstance(thing, (bytes, str, int, Enum)):
        return thing
    if isinstance(thing, (CipherSuite, Client)) or callable(thing):
        return id(thing)
    if isinstance(thing, LeafNode):
        return thing.encoded
    if id(thing) in known:
        return known[id(thing)]
    known[id(thing)] = type(thing).__name__  # for what refers to itself
    value: Any
    if isinstance(thing, RatchetTree):
        value = ("tree", thing.encode())
    elif isinstance(thing, Mapping):
        value = tuple((_value(k, known), _value(v, known)) for k, v in thing.items())
    elif isinstance(thing, (tuple, list)):
        value = tuple([_value(v, known) for v in thing])
    elif isinstance(thing, (set, frozenset)):
        value = frozenset(thing)
    else:
        value = (type(thing).__name__, *((name, _value(getattr(thing, name), known)) for name in _names(thing)))
    known[id(thing)] = value
    return value


def _names(thing: Any) -> list[str]:
    names = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    names.extend(getattr(thing, "__dict__", ()))
    return [name for name in names if not name.startswith("__") and hasattr(thing, name)]
