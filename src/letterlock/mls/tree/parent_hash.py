"""Parent hashes (RFC 9420 section 7.9): made along the path of a commit, verified in a whole tree.

A parent hash ties a parent to its key, to what is above it, and to the subtree beside the path that set it,
as that subtree was then. A joiner verifies with them that each parent was set by somebody below it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from ...codec.tls import opaque
from ..rules import rule
from ..suites import CipherSuite
from ..wire.tree_nodes import ParentNode
from .ratchet_tree import RatchetTree
from .subtree import Blank, Fork, Leaf, Subtree, blank_leaf_hash, parent_tree_hash, tree_hash

__all__ = ["parent_hash", "path_nodes", "verify_parent_hashes"]

_CHAINED = rule(
    "MLS-7.9-20", "RFC 9420 section 7.9.2", "every parent is chained to a leaf by parent hashes", module=__name__
)


def parent_hash(suite: CipherSuite, node: ParentNode, original_sibling_tree_hash: bytes) -> bytes:
    """The parent hash of `node` with the copath child whose hash is given."""
    return suite.hash(opaque(node.encryption_key) + opaque(node.parent_hash) + opaque(original_sibling_tree_hash))


def path_nodes(tree: RatchetTree, leaf_index: int, keys: Sequence[bytes]) -> tuple[bytes, list[ParentNode]]:
    """The parent_hash of the leaf, and the nodes of its filtered direct path from the bottom, for new `keys`.

    From the root down, because each hash covers the one above. The sibling's tree hash is the present one:
    a commit resets the unmerged leaves of its path.
    """
    nodes: list[ParentNode] = []
    above = b""
    for step, key in zip(reversed(tree.filtered_direct_path(leaf_index)), reversed(keys), strict=True):
        node = ParentNode(key, above, ())
        nodes.append(node)
        above = parent_hash(tree.suite, node, tree.subtree_hash(step.copath))
    nodes.reverse()
    return above, nodes


def verify_parent_hashes(tree: RatchetTree) -> None:
    """Every parent must be parent-hash valid. Raises InvalidGroupMessage. Relies on `validation.check_unmerged_leaves`.

    Top down: for each parent P some D below must carry P's parent hash. It must do so "exactly once"; a second
    D would be on the other side of P, and then each of the two would be hashed into the value that the other
    carries, which nobody can make. So the first is enough.

    The time is about linear, whoever made the tree: the blank nodes below P that are searched for D have no
    other parent next above them, and `_OriginalHashes` hashes no subtree again for the same missing leaves.
    """
    originals = _OriginalHashes(tree.suite)
    stack = [(tree.top, tree.height, 0)]
    while stack:
        subtree, height, start = stack.pop()
        if type(subtree) is not Fork:
            continue
        below = height - 1
        middle = start + (1 << below)
        stack.append((subtree.right, below, middle))
        stack.append((subtree.left, below, start))
        node = subtree.node
        if node is not None and not _chained(originals, subtree, node, below, start, middle):
            _CHAINED.fail(f"the parent over leaf {start} at height {height} was not set by a member below it")


def _chained(originals: _OriginalHashes, subtree: Fork, node: ParentNode, below: int, start: int, middle: int) -> bool:
    suite, unmerged = originals.suite, node.unmerged_leaves
    cut = bisect_left(unmerged, middle)
    on_left, on_right = unmerged[:cut], unmerged[cut:]
    left, right = subtree.left, subtree.right
    found = _carried(left, below, start, on_left)
    if found and found == parent_hash(suite, node, originals.of(right, below, middle, on_right)):
        return True
    found = _carried(right, below, middle, on_right)
    return bool(found) and found == parent_hash(suite, node, originals.of(left, below, start, on_left))


def _carried(child: Subtree, height: int, start: int, unmerged: tuple[int, ...]) -> bytes | None:
    """The parent_hash field of the one node D in the resolution of `child` that is not in `unmerged`.

    None unless there is exactly one and all of `unmerged`, P's unmerged leaves below this child, are in it.
    """
    if type(child) is Leaf:
        return None if unmerged else child.node.parent_hash
    node = child.node
    if node is not None:
        return node.parent_hash if node.unmerged_leaves == unmerged else None
    expected = frozenset(unmerged)
    found: bytes | None = None
    seen = 0
    stack: list[tuple[Subtree, int, int]] = [(child, height, start)]
    while stack:
        subtree, height, start = stack.pop()
        if type(subtree) is Blank:
            continue
        if type(subtree) is Leaf:
            if start in expected:
                seen += 1
                continue
            carried = subtree.node.parent_hash
        elif subtree.node is None:
            below = height - 1
            stack.append((subtree.left, below, start))
            stack.append((subtree.right, below, start + (1 << below)))
            continue
        else:
            if not expected.issuperset(subtree.node.unmerged_leaves):
                return None
            seen += len(subtree.node.unmerged_leaves)
            carried = subtree.node.parent_hash
        if found is not None or carried is None:
            return None
        found = carried
    return found if seen == len(expected) else None


class _OriginalHashes:
    """Tree hashes of siblings as they were before the unmerged leaves of the parent were added (section 7.9)."""

    __slots__ = ("_known", "suite")

    def __init__(self, suite: CipherSuite) -> None:
        self.suite = suite
        # Of each subtree the last answer. A list can only become shorter from a parent to the one above it, so
        # that a node which covers k leaves is hashed for at most k different lists on the way to the root.
        self._known: dict[int, tuple[tuple[int, ...], bytes]] = {}

    def of(self, subtree: Subtree, height: int, start: int, gone: tuple[int, ...]) -> bytes:
        """Without the leaves `gone`, which are all below this subtree and in increasing order."""
        suite = self.suite
        if not gone or type(subtree) is Blank:
            return tree_hash(suite, subtree, height, start)
        if type(subtree) is Leaf:
            return blank_leaf_hash(suite, start)
        known = self._known.get(id(subtree))
        if known is not None and known[0] == gone:
            return known[1]
        below = height - 1
        middle = start + (1 << below)
        cut = bisect_left(gone, middle)
        node = subtree.node
        if node is not None:
            missing = frozenset(gone)
            unmerged = tuple([leaf for leaf in node.unmerged_leaves if leaf not in missing])
            node = ParentNode(node.encryption_key, node.parent_hash, unmerged)
        made = parent_tree_hash(
            suite,
            node,
            self.of(subtree.left, below, start, gone[:cut]),
            self.of(subtree.right, below, middle, gone[cut:]),
        )
        self._known[id(subtree)] = gone, made
        return made
