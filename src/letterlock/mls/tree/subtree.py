"""What a ratchet tree is made of: immutable subtrees that trees of different epochs share.

A subtree does not know its place; whoever walks down knows `level` and `start` (its leftmost leaf), which
never change for a node: trees grow and shrink on the right. The tree hash of a subtree (RFC 9420 section 7.8)
is kept with it once it was asked for; it is the only thing written after construction.

Where all nodes are blank there is one `Blank` for all of them, so that an empty half of a tree costs nothing,
and "has an empty resolution" (section 4.1.1) is the question whether a subtree is a `Blank`.
"""

from __future__ import annotations

from typing import Final, TypeAlias, final

from ...codec.tls import opaque, u32
from ..suites import CipherSuite
from ..wire.leaf_node import LeafNode
from ..wire.tree_nodes import ParentNode

__all__ = ["Blank", "Fork", "Leaf", "Subtree", "blank_leaf_hash", "fork", "halves", "parent_tree_hash", "tree_hash"]


@final
class Leaf:
    """A leaf with a member."""

    __slots__ = ("hash", "node")

    members: Final = 1

    def __init__(self, node: LeafNode) -> None:
        self.node = node
        self.hash: bytes | None = None


@final
class Fork:
    """A parent, blank or not, with something below or in it. Made by `fork`."""

    __slots__ = ("hash", "left", "members", "node", "right")

    def __init__(self, node: ParentNode | None, left: Subtree, right: Subtree) -> None:
        self.node = node
        self.left = left
        self.right = right
        self.members: int = left.members + right.members
        self.hash: bytes | None = None


@final
class Blank:
    """Blank nodes only, over `1 << level` blank leaves."""

    __slots__ = ("_halves", "hash", "level")

    members: Final = 0
    node: Final = None

    def __init__(self, level: int) -> None:
        self.level = level
        self.hash: bytes | None = None
        self._halves: tuple[Blank, Blank] | None = None

    def halves(self) -> tuple[Blank, Blank]:
        """The two subtrees below. Kept, for their hashes, but where making them again is cheaper than memory."""
        made = self._halves
        if made is None:
            below = self.level - 1
            made = (Blank(below), Blank(below))
            if self.level > _LEVELS_NOT_KEPT:
                self._halves = made
        return made


Subtree: TypeAlias = Leaf | Fork | Blank

_LEVELS_NOT_KEPT: Final = 4
"""After a tree of 2**16 leaves has doubled, its blank half is hashed once and then filled from the left: without
kept halves each step of that would hash blank leaves again; keeping all of them would take 30 MB."""


def fork(node: ParentNode | None, left: Subtree, right: Subtree) -> Subtree:
    """A parent over two subtrees: a `Blank` if there is nothing in it."""
    if node is None and type(left) is Blank and type(right) is Blank:
        return Blank(left.level + 1)
    return Fork(node, left, right)


def halves(subtree: Fork | Blank) -> tuple[Subtree, Subtree]:
    """The left and the right side of a subtree that is no leaf."""
    if type(subtree) is Fork:
        return subtree.left, subtree.right
    return subtree.halves()


def tree_hash(suite: CipherSuite, subtree: Subtree, level: int, start: int) -> bytes:
    """Section 7.8. Kept in each subtree, so that after a change it costs as much as the path above it."""
    known = subtree.hash
    if known is not None:
        return known
    if type(subtree) is Leaf:
        made = suite.hash(b"\x01" + u32(start) + b"\x01" + subtree.node.encoded)
    elif level == 0:
        made = blank_leaf_hash(suite, start)
    else:
        left, right = halves(subtree)
        below = level - 1
        made = parent_tree_hash(
            suite,
            subtree.node,
            tree_hash(suite, left, below, start),
            tree_hash(suite, right, below, start + (1 << below)),
        )
    subtree.hash = made
    return made


def blank_leaf_hash(suite: CipherSuite, leaf_index: int) -> bytes:
    """TreeHashInput of a LeafNodeHashInput without a leaf."""
    return suite.hash(b"\x01" + u32(leaf_index) + b"\x00")


def parent_tree_hash(suite: CipherSuite, node: ParentNode | None, left: bytes, right: bytes) -> bytes:
    """TreeHashInput of a ParentNodeHashInput."""
    content = b"\x02\x00" if node is None else b"\x02\x01" + node.encode()
    return suite.hash(content + opaque(left) + opaque(right))
