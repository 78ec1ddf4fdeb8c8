"""Numbering of the nodes of a perfect binary tree (RFC 9420 appendix C).

Leaf i is node 2i; a parent stands between its two subtrees, so that a node of level k ends in k one bits.
`leaf_count` is a power of two. Arguments must fit the tree: these functions are for indices that were checked.
"""

from __future__ import annotations

__all__ = [
    "common_ancestor",
    "direct_path",
    "first_leaf",
    "left",
    "level",
    "node_width",
    "parent",
    "right",
    "root",
    "sibling",
]


def level(node: int) -> int:
    """Height above the leaves."""
    return (~node & (node + 1)).bit_length() - 1


def node_width(leaf_count: int) -> int:
    """The number of nodes over `leaf_count` leaves."""
    return 2 * leaf_count - 1


def root(leaf_count: int) -> int:
    return leaf_count - 1


def left(node: int) -> int:
    """Of a parent."""
    return node ^ (1 << (level(node) - 1))


def right(node: int) -> int:
    """Of a parent."""
    return node ^ (3 << (level(node) - 1))


def parent(node: int) -> int:
    """Of a node that is not the root: the same in trees of every size."""
    bit = 1 << level(node)
    return (node | bit) & ~(bit << 1)


def sibling(node: int) -> int:
    """Of a node that is not the root."""
    return node ^ (2 << level(node))


def first_leaf(node: int) -> int:
    """The index of the leftmost leaf below; there are `1 << level(node)` of them."""
    height = level(node)
    return node >> (height + 1) << height


def direct_path(node: int, leaf_count: int) -> list[int]:
    """From the parent up to the root; empty for the root itself."""
    top = leaf_count - 1
    path: list[int] = []
    while node != top:
        node = parent(node)
        path.append(node)
    return path


def common_ancestor(leaf_a: int, leaf_b: int) -> int:
    """The lowest node above or at both leaves, given by leaf index."""
    height = (leaf_a ^ leaf_b).bit_length()
    return (leaf_a >> height << (height + 1)) + (1 << height) - 1
