"""Answers about all members at once, each in constant time: who holds a key, and what everybody supports.

RFC 9420 asks of a commit that keys stay unique (section 7.3) and that all members understand the credentials,
extensions and proposals in use (sections 7.3, 12.1.7, 12.2). Walking the tree for that would make each commit
cost as much as the group is large; `stage` costs as much as what changes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import TypeAlias

from ...errors import InputError
from ..wire.leaf_node import Capabilities, LeafNode
from .ratchet_tree import Node, RatchetTree

__all__ = ["MemberIndex", "StagedIndex"]

_Holders: TypeAlias = AbstractSet[int]
"""Nodes or leaves that have a key: one, but for a moment more, until that is seen and refused."""

_Counts: TypeAlias = dict[tuple[int, int], int]

_IN_USE, _CREDENTIAL, _EXTENSION, _PROPOSAL = range(4)
"""What is counted, in leaves: credentials of a type; capabilities that list a credential, extension, proposal."""


class _Answers(ABC):
    """The questions: for the index of a tree, and for the one that a change would lead to."""

    __slots__ = ()

    member_count: int

    @abstractmethod
    def _encryption(self, key: bytes) -> _Holders:
        """The nodes with this HPKE key."""

    @abstractmethod
    def _signature(self, key: bytes) -> _Holders:
        """The leaves with this signature key."""

    @abstractmethod
    def _count(self, what: int, value: int) -> int:
        """In how many leaves it stands."""

    def encryption_key_holder(self, key: bytes) -> int | None:
        """The node (an array index) with this HPKE key."""
        holders = self._encryption(key)
        return min(holders, default=None)

    def encryption_key_shared(self, key: bytes) -> bool:
        """Whether more than one node has it."""
        return len(self._encryption(key)) > 1

    def signature_key_holder(self, key: bytes) -> int | None:
        """The leaf index of the member with this signature key."""
        holders = self._signature(key)
        return min(holders, default=None)

    def signature_key_shared(self, key: bytes) -> bool:
        """Whether more than one leaf has it."""
        return len(self._signature(key)) > 1

    def all_support_credential(self, credential_type: int) -> bool:
        return self._count(_CREDENTIAL, credential_type) == self.member_count

    def all_support_extension(self, extension_type: int) -> bool:
        """Whether every leaf lists it. Default types are never listed: do not ask for them."""
        return self._count(_EXTENSION, extension_type) == self.member_count

    def all_support_proposal(self, proposal_type: int) -> bool:
        """As `all_support_extension`."""
        return self._count(_PROPOSAL, proposal_type) == self.member_count


class MemberIndex(_Answers):
    """The index of one tree. Only `StagedIndex.apply` changes it, when the tree gives way to the next one."""

    __slots__ = ("_counts", "_encryption_keys", "_signature_keys", "member_count", "version")

    def __init__(self) -> None:
        """Of nothing; see `of`."""
        self._encryption_keys: dict[bytes, int | set[int]] = {}
        self._signature_keys: dict[bytes, int | set[int]] = {}
        self._counts: _Counts = {}
        self.member_count = 0
        self.version = 0

    @classmethod
    def of(cls, tree: RatchetTree) -> MemberIndex:
        """The index of a tree, in one walk over it."""
        index = cls()
        leaves: list[tuple[LeafNode, int]] = []
        for node_index, node in tree.filled_nodes():
            _hold(index._encryption_keys, node.encryption_key, node_index)
            if isinstance(node, LeafNode):
                _hold(index._signature_keys, node.signature_key, node_index >> 1)
                leaves.append((node, 1))
        _count_leaves(index._counts, leaves)
        index.member_count = tree.member_count
        return index

    def credential_types(self) -> frozenset[int]:
        """The types of the members' credentials."""
        return frozenset([value for what, value in self._counts if what == _IN_USE])

    def stage(self, changes: Mapping[int, tuple[Node, Node]]) -> StagedIndex:
        """The index after `changes`: for a node its old and its new content, as `changed_nodes` names them."""
        return StagedIndex(self, changes)

    def _encryption(self, key: bytes) -> _Holders:
        return _as_set(self._encryption_keys.get(key))

    def _signature(self, key: bytes) -> _Holders:
        return _as_set(self._signature_keys.get(key))

    def _count(self, what: int, value: int) -> int:
        return self._counts.get((what, value), 0)


class StagedIndex(_Answers):
    """What an index will say once `apply` is called: a layer over it that holds what changes."""

    __slots__ = ("_base", "_counts", "_encryption_keys", "_signature_keys", "_version", "member_count")

    def __init__(self, base: MemberIndex, changes: Mapping[int, tuple[Node, Node]]) -> None:
        self._base = base
        self._version = base.version
        # All holders of each key that is touched, and what is to be added to the counts.
        self._encryption_keys: dict[bytes, set[int]] = {}
        self._signature_keys: dict[bytes, set[int]] = {}
        self._counts: _Counts = {}
        self.member_count = base.member_count
        leaves: list[tuple[LeafNode, int]] = []
        # All that goes before all that comes: a key may move from one node to another.
        for index, (old, _) in changes.items():
            if old is not None:
                self._held(self._encryption_keys, old.encryption_key, base._encryption).discard(index)
            if isinstance(old, LeafNode):
                self._held(self._signature_keys, old.signature_key, base._signature).discard(index >> 1)
                leaves.append((old, -1))
                self.member_count -= 1
        for index, (_, new) in changes.items():
            if new is not None:
                self._held(self._encryption_keys, new.encryption_key, base._encryption).add(index)
            if isinstance(new, LeafNode):
                self._held(self._signature_keys, new.signature_key, base._signature).add(index >> 1)
                leaves.append((new, 1))
                self.member_count += 1
        _count_leaves(self._counts, leaves)

    def credential_types(self) -> frozenset[int]:
        """The types of the members' credentials."""
        changed = frozenset([value for what, value in self._counts if what == _IN_USE])
        return frozenset([v for v in self._base.credential_types() | changed if self._count(_IN_USE, v)])

    def apply(self) -> MemberIndex:
        """Make it so: the index itself, changed. Once, and only if nothing else was applied since `stage`."""
        base = self._base
        if base.version != self._version:
            raise InputError("the index has changed since this was staged", code="mls.tree.index_version")
        for keys, changed in (
            (base._encryption_keys, self._encryption_keys),
            (base._signature_keys, self._signature_keys),
        ):
            for key, holders in changed.items():
                if holders:
                    keys[key] = set(holders) if len(holders) > 1 else min(holders)
                else:
                    keys.pop(key, None)
        for entry, more in self._counts.items():
            _add(base._counts, entry, more)
        base.member_count = self.member_count
        base.version += 1
        return base

    @staticmethod
    def _held(layer: dict[bytes, set[int]], key: bytes, below: Callable[[bytes], _Holders]) -> set[int]:
        """The holders in this layer, copied from the index below at the first touch."""
        found = layer.get(key)
        if found is None:
            found = layer[key] = set(below(key))
        return found

    def _encryption(self, key: bytes) -> _Holders:
        found = self._encryption_keys.get(key)
        return self._base._encryption(key) if found is None else found

    def _signature(self, key: bytes) -> _Holders:
        found = self._signature_keys.get(key)
        return self._base._signature(key) if found is None else found

    def _count(self, what: int, value: int) -> int:
        return self._base._count(what, value) + self._counts.get((what, value), 0)


def _as_set(holders: int | set[int] | None) -> _Holders:
    if holders is None:
        return frozenset()
    return {holders} if isinstance(holders, int) else holders


def _hold(keys: dict[bytes, int | set[int]], key: bytes, holder: int) -> None:
    before = keys.setdefault(key, holder)
    if isinstance(before, set):
        before.add(holder)
    elif before != holder:
        keys[key] = {before, holder}


def _count_leaves(counts: _Counts, leaves: Iterable[tuple[LeafNode, int]]) -> None:
    """Add what each leaf lists and uses, `more` times (1 or -1).

    Members mostly run the same program and share one Capabilities object, so that equal ones are added up first.
    """
    listed: dict[int, tuple[Capabilities, int]] = {}
    used: dict[int, int] = {}
    for leaf, more in leaves:
        capabilities = leaf.capabilities
        known = listed.get(id(capabilities))
        listed[id(capabilities)] = (capabilities, more if known is None else known[1] + more)
        kind = leaf.credential.credential_type
        used[kind] = used.get(kind, 0) + more
    for kind, more in used.items():
        _add(counts, (_IN_USE, kind), more)
    for capabilities, more in listed.values():
        # As sets: a type that one leaf lists twice must not stand in for another leaf that lacks it.
        for what, values in (
            (_CREDENTIAL, capabilities.credentials),
            (_EXTENSION, capabilities.extensions),
            (_PROPOSAL, capabilities.proposals),
        ):
            for value in set(values):
                _add(counts, (what, value), more)


def _add(counts: _Counts, entry: tuple[int, int], more: int) -> None:
    total = counts.get(entry, 0) + more
    if total:
        counts[entry] = total
    else:
        counts.pop(entry, None)
