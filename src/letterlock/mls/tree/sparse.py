"""A ratchet tree from the nodes that are filled, as a store gives them back: in any order and without the blank ones."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import InputError
from ..suites import CipherSuite
from ..wire.leaf_node import LeafNode
from ..wire.tree_nodes import ParentNode
from .ratchet_tree import RatchetTree
from .subtree import Blank, Leaf, Subtree, fork

__all__ = ["tree_of"]


def tree_of(suite: CipherSuite, height: int, nodes: Mapping[int, LeafNode | ParentNode]) -> RatchetTree:
    """The tree whose `filled_nodes` these are. Costs as much as there are nodes, however wide the tree is.

    Raises InputError for nodes that have no place in a tree of that height.
    """
    leaves = {index: node for index, node in nodes.items() if isinstance(node, LeafNode)}
    parents = {index: node for index, node in nodes.items() if isinstance(node, ParentNode)}
    # One level after the other, each as what stands at its places that have something below them.
    row: dict[int, Subtree] = {index >> 1: Leaf(leaf) for index, leaf in leaves.items()}
    for level in range(1, height + 1):
        above: dict[int, Subtree] = {}
        for place in {place >> 1 for place in row}:
            index = (2 * place + 1 << level) - 1
            left, right = row.get(2 * place), row.get(2 * place + 1)
            above[place] = fork(
                parents.pop(index, None),
                Blank(level - 1) if left is None else left,
                Blank(level - 1) if right is None else right,
            )
        row = above
    if list(row) != [0] or parents or any(index & 1 for index in leaves):
        raise InputError("nodes that do not make a tree of this height", code="mls.tree.nodes")
    return RatchetTree(suite, row[0], height)
