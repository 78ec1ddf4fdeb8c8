"""The ratchet tree of one epoch (RFC 9420 sections 4.1, 7.7, 7.8 and 12.1.1 to 12.1.3): an immutable value.

Every step gives a new tree that shares with the old one all that did not change, so that a step costs as much
as the path from a leaf to the root, and the tree of a past epoch stays readable at no cost.

Nodes are named by their index in the array of appendix C, leaves also by their leaf index. Nothing here judges
whether a change is allowed: that was decided before, and an argument that does not fit raises InputError.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, TypeAlias

from ...errors import InputError
from ..suites import CipherSuite
from ..wire.leaf_node import LeafNode
from ..wire.tree_nodes import ParentNode, encode_ratchet_tree
from . import tree_math
from .filling import Filling
from .subtree import Blank, Fork, Leaf, Subtree, fork, halves, tree_hash

__all__ = ["Node", "PathStep", "RatchetTree"]

Node: TypeAlias = LeafNode | ParentNode | None
"""What stands at a node; None if it is blank."""


class PathStep(NamedTuple):
    """One node of a filtered direct path, and its child on the copath, to which its path secret is sealed."""

    node: int
    copath: int


class RatchetTree:
    """A perfect binary tree over `leaf_count` leaves, some of them blank. Not to be changed after construction."""

    __slots__ = ("height", "suite", "top")

    def __init__(self, suite: CipherSuite, top: Subtree, height: int) -> None:
        """From a whole subtree. Elsewhere use `single` or `from_nodes`; `top` and `height` are for this package."""
        self.suite = suite
        self.top = top
        self.height = height

    @classmethod
    def single(cls, suite: CipherSuite, leaf: LeafNode) -> RatchetTree:
        """The tree of a new group: its creator alone."""
        return cls(suite, Leaf(leaf), 0)

    @classmethod
    def from_nodes(cls, suite: CipherSuite, nodes: Sequence[Node]) -> RatchetTree:
        """The tree of an array of nodes, to which blank nodes are added on the right (section 12.4.3.3)."""
        if not nodes:
            raise InputError("a tree has at least one node", code="mls.tree.nodes")
        row: list[Subtree] = []
        for index, node in enumerate(nodes[::2]):
            if node is None:
                row.append(Blank(0))
            elif isinstance(node, LeafNode):
                row.append(Leaf(node))
            else:
                raise InputError(f"node {2 * index} is not a leaf", code="mls.tree.nodes")
        height = 0
        while 1 << (height + 1) <= len(nodes):
            height += 1
            if len(row) & 1:
                row.append(Blank(height - 1))
            first, stride = (1 << height) - 1, 2 << height
            above: list[Subtree] = []
            for place in range(len(row) >> 1):
                index = first + place * stride
                node = nodes[index] if index < len(nodes) else None
                if isinstance(node, LeafNode):
                    raise InputError(f"node {index} is not a parent", code="mls.tree.nodes")
                above.append(fork(node, row[2 * place], row[2 * place + 1]))
            row = above
        return cls(suite, row[0], height)

    # --- reading -----------------------------------------------------------------------------------
    @property
    def leaf_count(self) -> int:
        """The width: a power of two. Blank leaves count."""
        return 1 << self.height

    @property
    def member_count(self) -> int:
        return self.top.members

    @property
    def root(self) -> int:
        return (1 << self.height) - 1

    def leaf(self, leaf_index: int) -> LeafNode | None:
        """None for a blank leaf and for an index that is not in the tree."""
        if leaf_index < 0 or leaf_index >> self.height:
            return None
        subtree = self.top
        below = self.height
        while type(subtree) is Fork:
            below -= 1
            subtree = subtree.right if leaf_index >> below & 1 else subtree.left
        return subtree.node if type(subtree) is Leaf else None

    def parent(self, node_index: int) -> ParentNode | None:
        """None for a blank parent and for an index that is not a parent's in this tree."""
        node = self.node(node_index)
        return node if isinstance(node, ParentNode) else None

    def node(self, node_index: int) -> Node:
        """A leaf or a parent; None if blank or not in the tree."""
        if node_index < 0 or node_index > 2 * self.root:
            return None
        return self._subtree(node_index).node

    def public_key(self, node_index: int) -> bytes:
        """The HPKE key of a node that is not blank."""
        node = self.node(node_index)
        if node is None:
            raise InputError(f"node {node_index} is blank", code="mls.tree.blank")
        return node.encryption_key

    def leaves(self) -> Iterator[tuple[int, LeafNode]]:
        """The members with their leaf index, from the left."""
        stack = [(self.top, self.height, 0)]
        while stack:
            subtree, height, start = stack.pop()
            if type(subtree) is Fork:
                below = height - 1
                stack.append((subtree.right, below, start + (1 << below)))
                stack.append((subtree.left, below, start))
            elif type(subtree) is Leaf:
                yield start, subtree.node

    def nodes(self) -> Iterator[Node]:
        """All nodes of the tree in array order, blank ones as None."""
        array: list[Node] = [None] * tree_math.node_width(self.leaf_count)
        for index, node in self.filled_nodes():
            array[index] = node
        return iter(array)

    def filled_nodes(self) -> Iterator[tuple[int, LeafNode | ParentNode]]:
        """All nodes that are not blank with their index, a parent before what is below it."""
        stack = [(self.top, self.height, self.root)]
        while stack:
            subtree, height, index = stack.pop()
            node = subtree.node
            if node is not None:
                yield index, node
            if type(subtree) is Fork:
                half = 1 << (height - 1)
                stack.append((subtree.right, height - 1, index + half))
                stack.append((subtree.left, height - 1, index - half))

    def first_blank_leaf(self) -> int:
        """The leaf that the next member gets (section 12.1.1); `leaf_count` if the tree must grow for it."""
        subtree, height, start = self.top, self.height, 0
        if subtree.members >> height:
            return 1 << height
        while type(subtree) is Fork:
            height -= 1
            if subtree.left.members >> height:
                start += 1 << height
                subtree = subtree.right
            else:
                subtree = subtree.left
        return start

    def resolution(self, node_index: int, excluding: AbstractSet[int] = frozenset()) -> list[int]:
        """The nodes that cover all members below (section 4.1.1), without the leaves in `excluding`."""
        found: list[int] = []
        stack = [(self._subtree(node_index), tree_math.level(node_index), node_index)]
        while stack:
            subtree, height, index = stack.pop()
            if type(subtree) is Leaf:
                if index >> 1 not in excluding:
                    found.append(index)
            elif type(subtree) is Fork:
                node = subtree.node
                if node is None:
                    half = 1 << (height - 1)
                    stack.append((subtree.right, height - 1, index + half))
                    stack.append((subtree.left, height - 1, index - half))
                else:
                    found.append(index)
                    found.extend([2 * leaf for leaf in node.unmerged_leaves if leaf not in excluding])
        return found

    def filtered_direct_path(self, leaf_index: int) -> tuple[PathStep, ...]:
        """The parents above a leaf whose other child has a resolution (section 4.1.2), from the bottom."""
        steps: list[PathStep] = []
        for below, sibling in enumerate(self._siblings(leaf_index)):
            if type(sibling) is not Blank:
                place = leaf_index >> below
                half = 1 << below
                node = (place >> 1 << (below + 2)) + 2 * half - 1
                steps.append(PathStep(node, node - half if place & 1 else node + half))
        return tuple(steps)

    def tree_hash(self) -> bytes:
        """Of the whole tree (section 7.8). What was hashed before, in whichever tree, is not hashed again."""
        return tree_hash(self.suite, self.top, self.height, 0)

    def subtree_hash(self, node_index: int) -> bytes:
        """The tree hash of one node."""
        return tree_hash(
            self.suite, self._subtree(node_index), tree_math.level(node_index), tree_math.first_leaf(node_index)
        )

    def encode(self) -> bytes:
        """The data of a `ratchet_tree` extension."""
        return encode_ratchet_tree(self.nodes())

    # --- steps -------------------------------------------------------------------------------------
    def add(self, leaf: LeafNode) -> tuple[RatchetTree, int]:
        """The tree with one more member, and its leaf index (section 12.1.1)."""
        tree, indices = self.add_all((leaf,))
        return tree, indices[0]

    def add_all(self, leaves: Sequence[LeafNode]) -> tuple[RatchetTree, list[int]]:
        """As `add` one after the other, in one pass."""
        height = self.height
        while self.top.members + len(leaves) > 1 << height:
            height += 1
        filling = Filling(leaves)
        top = filling.fill(self._top_at(height), height, 0)
        return RatchetTree(self.suite, top, height), filling.indices

    def update(self, leaf_index: int, leaf: LeafNode) -> RatchetTree:
        """Another leaf for a member; what is above becomes blank (section 12.1.2)."""
        self._member(leaf_index)
        return RatchetTree(self.suite, self._replace(leaf_index, Leaf(leaf), {}), self.height)

    def remove(self, leaf_index: int) -> RatchetTree:
        """Without that member; what was above is blank, and a right half without members is gone (12.1.3)."""
        self._member(leaf_index)
        top = self._replace(leaf_index, Blank(0), {})
        height = self.height
        if not top.members:
            # The last member: an external joiner may take the place of its own former self in the same commit.
            return RatchetTree(self.suite, Blank(0), 0)
        while type(top) is Fork and not top.right.members:
            top = top.left
            height -= 1
        return RatchetTree(self.suite, top, height)

    def room_for(self, leaf_index: int) -> RatchetTree:
        """This tree; doubled if the leaf would be the first one beyond it (an external joiner, section 12.4.2)."""
        if leaf_index == self.leaf_count:
            return RatchetTree(self.suite, self._top_at(self.height + 1), self.height + 1)
        return self

    def with_path(self, leaf_index: int, leaf: LeafNode, nodes: Sequence[ParentNode]) -> RatchetTree:
        """A committer's new leaf, and the nodes of its filtered direct path that `parent_hash.path_nodes` made (7.5).

        The rest of the direct path becomes blank. The leaf may be a new one. Its parent_hash is not looked at.
        """
        steps = self.filtered_direct_path(leaf_index)
        parents = {tree_math.level(step.node): node for step, node in zip(steps, nodes, strict=True)}
        return RatchetTree(self.suite, self._replace(leaf_index, Leaf(leaf), parents), self.height)

    # --- differences -------------------------------------------------------------------------------
    def changed_nodes(self, older: RatchetTree) -> dict[int, Node]:
        """What stands in this tree wherever `older` has something else; None for blank or cut off.

        Costs as much as what changed between the two, however large they are.
        """
        height = max(self.height, older.height)
        found: dict[int, Node] = {}
        stack = [(self._top_at(height), older._top_at(height), height, (1 << height) - 1)]
        while stack:
            new, old, above, index = stack.pop()
            if new is old or (type(new) is Blank and type(old) is Blank):
                continue
            if new.node is not old.node and new.node != old.node:
                found[index] = new.node
            if not above:
                continue
            # Below a Blank all is blank: it stands for its own halves.
            new_left, new_right = (new.left, new.right) if type(new) is Fork else (new, new)
            old_left, old_right = (old.left, old.right) if type(old) is Fork else (old, old)
            half = 1 << (above - 1)
            stack.append((new_right, old_right, above - 1, index + half))
            stack.append((new_left, old_left, above - 1, index - half))
        return found

    # --- inside ------------------------------------------------------------------------------------
    def _subtree(self, node_index: int) -> Subtree:
        if node_index < 0 or node_index > 2 * self.root:
            raise InputError(f"node {node_index} is not in the tree", code="mls.tree.index")
        height = tree_math.level(node_index)
        subtree = self.top
        for below in range(self.height, height, -1):
            if type(subtree) is Fork:
                subtree = subtree.right if node_index >> below & 1 else subtree.left
            elif type(subtree) is Blank:
                subtree = subtree.halves()[node_index >> below & 1]
        return subtree

    def _siblings(self, leaf_index: int) -> list[Subtree]:
        """The copath subtrees of a leaf, from the bottom."""
        if leaf_index < 0 or leaf_index >> self.height:
            raise InputError(f"leaf {leaf_index} is not in the tree", code="mls.tree.index")
        siblings: list[Subtree] = []
        subtree = self.top
        below = self.height
        while type(subtree) is not Leaf and below:
            below -= 1
            left, right = halves(subtree)
            if leaf_index >> below & 1:
                siblings.append(left)
                subtree = right
            else:
                siblings.append(right)
                subtree = left
        siblings.reverse()
        return siblings

    def _replace(self, leaf_index: int, bottom: Leaf | Blank, parents: dict[int, ParentNode]) -> Subtree:
        """The whole tree with another leaf, and above it `parents` (by level) or blank nodes."""
        made: Subtree = bottom
        for below, sibling in enumerate(self._siblings(leaf_index)):
            parent = parents.get(below + 1)
            made = fork(parent, sibling, made) if leaf_index >> below & 1 else fork(parent, made, sibling)
        return made

    def _top_at(self, height: int) -> Subtree:
        """The tree extended on the right to that height (section 7.7)."""
        top = self.top
        for level in range(self.height, height):
            top = fork(None, top, Blank(level))
        return top

    def _member(self, leaf_index: int) -> None:
        if self.leaf(leaf_index) is None:
            raise InputError(f"leaf {leaf_index} has no member", code="mls.tree.blank")
