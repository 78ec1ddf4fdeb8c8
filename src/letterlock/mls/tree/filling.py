"""Adding members to a tree: new leaves go into the blank places, from the left (RFC 9420 section 12.1.1)."""

from __future__ import annotations

from collections.abc import Sequence

from ..wire.leaf_node import LeafNode
from ..wire.tree_nodes import ParentNode
from .subtree import Fork, Leaf, Subtree, halves

__all__ = ["Filling"]


class Filling:
    """Puts new leaves into the blank places of a tree, all in one walk: a commit may add thousands."""

    __slots__ = ("_leaves", "indices")

    def __init__(self, leaves: Sequence[LeafNode]) -> None:
        self._leaves = leaves
        self.indices: list[int] = []

    def fill(self, subtree: Subtree, height: int, start: int) -> Subtree:
        """The subtree with as many of the leaves that are left as have room in it."""
        done = len(self.indices)
        if done == len(self._leaves) or subtree.members >> height:
            return subtree
        if type(subtree) is Leaf:
            return subtree
        if not height:
            self.indices.append(start)
            return Leaf(self._leaves[done])
        below = height - 1
        left, right = halves(subtree)
        left = self.fill(left, below, start)
        right = self.fill(right, below, start + (1 << below))
        node = subtree.node
        if node is not None:
            unmerged = sorted((*node.unmerged_leaves, *self.indices[done:]))
            node = ParentNode(node.encryption_key, node.parent_hash, tuple(unmerged))
        return Fork(node, left, right)
