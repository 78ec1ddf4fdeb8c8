"""Whether a ratchet tree that came from outside is one that members could have made (RFC 9420 section 12.4.3.1).

What a single leaf says, and its signature, are judged in `evolution.leaf_rules`. A hostile tree of N bytes costs at
most about N log N.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise

from ...errors import BadPublicKey
from ..rules import rule
from ..wire.leaf_node import LeafNode
from .parent_hash import verify_parent_hashes
from .ratchet_tree import RatchetTree
from .subtree import Blank, Fork, Leaf, Subtree

__all__ = ["check_keys", "check_shape", "check_tree", "check_unmerged_leaves"]

_RIGHT_HALF = rule(
    "MLS-7.7-20", "RFC 9420 sections 7.7 and 12.1.3", "a tree without members in its right half is cut", module=__name__
)
_SORTED = rule("MLS-7.1-20", "RFC 9420 section 7.1", "unmerged_leaves are in increasing order", module=__name__)
_DESCENDANT = rule(
    "MLS-7.1-21", "RFC 9420 section 12.4.3.1", "an unmerged leaf is a descendant of the parent", module=__name__
)
_NOT_BLANK = rule("MLS-7.1-22", "RFC 9420 section 12.4.3.1", "an unmerged leaf is not blank", module=__name__)
_BETWEEN = rule(
    "MLS-7.1-23", "RFC 9420 section 12.4.3.1", "parents below list an unmerged leaf as well", module=__name__
)
_PARENT_KEY = rule("MLS-7.1-24", "RFC 9420 section 7.1", "a parent's key is one of the cipher suite", module=__name__)
_PARENT_KEY_ONCE = rule(
    "MLS-7.1-25", "RFC 9420 section 12.4.3.1", "a parent's encryption_key is in no other node", module=__name__
)
_LEAF_KEY_ONCE = rule(
    "MLS-7.3-20", "RFC 9420 section 7.3", "an encryption_key is in one leaf of the tree", module=__name__
)
_SIGNATURE_KEY_ONCE = rule(
    "MLS-7.3-21", "RFC 9420 section 7.3", "a signature_key is in one leaf of the tree", module=__name__
)


def check_tree(tree: RatchetTree) -> None:
    """All that can be said of a whole tree. Raises InvalidGroupMessage.

    From the cheap to the dear; parent hashes come last because they rely on the order of unmerged leaves.
    """
    check_shape(tree)
    check_keys(tree)
    check_unmerged_leaves(tree)
    verify_parent_hashes(tree)


def check_shape(tree: RatchetTree) -> None:
    """The tree is no larger than its members need, as it is after every Remove."""
    top = tree.top
    if not top.members if type(top) is not Fork else not top.right.members:
        _RIGHT_HALF.fail("there is no member in the right half of the tree")


def check_keys(tree: RatchetTree) -> None:
    """No key stands at two nodes, and those of parents have the form of the cipher suite (leaves: section 7.3)."""
    leaf_keys: set[bytes] = set()
    signature_keys: set[bytes] = set()
    parents: list[bytes] = []
    for _, node in tree.filled_nodes():
        if isinstance(node, LeafNode):
            leaf_keys.add(node.encryption_key)
            signature_keys.add(node.signature_key)
        else:
            parents.append(node.encryption_key)
    if len(leaf_keys) != tree.member_count:
        _LEAF_KEY_ONCE.fail("two leaves have the same encryption_key")
    if len(signature_keys) != tree.member_count:
        _SIGNATURE_KEY_ONCE.fail("two leaves have the same signature_key")
    if len(leaf_keys.union(parents)) != len(leaf_keys) + len(parents):
        _PARENT_KEY_ONCE.fail("the encryption_key of a parent occurs twice")
    check = tree.suite.check_public_key
    try:
        for key in parents:
            check(key)
    except BadPublicKey:
        _PARENT_KEY.fail("the encryption_key of a parent is not a key of this cipher suite")


def check_unmerged_leaves(tree: RatchetTree) -> None:
    """Each entry names a member below, and all parents between know of it.

    It is enough to compare each parent with the next parent above it, so that the time is linear.
    """
    nothing: tuple[int, ...] = ()
    stack: list[tuple[Subtree, int, int, tuple[int, ...], int, int]] = [(tree.top, tree.height, 0, nothing, 0, 0)]
    while stack:
        # `above[first:last]`: entries of the next parent above that are below this subtree.
        subtree, height, start, above, first, last = stack.pop()
        if type(subtree) is Leaf:
            continue
        if type(subtree) is Blank:
            if first < last:
                _NOT_BLANK.fail(f"leaf {above[first]} is unmerged, and blank")
            continue
        node = subtree.node
        if node is not None:
            own = node.unmerged_leaves
            if own:
                if any(a >= b for a, b in pairwise(own)):
                    _SORTED.fail(f"unmerged_leaves of the parent over leaf {start} at height {height}")
                if own[0] < start or own[-1] >= start + (1 << height):
                    _DESCENDANT.fail(f"an unmerged leaf is not below the parent over leaf {start} at height {height}")
            if first < last and not set(own).issuperset(above[first:last]):
                _BETWEEN.fail(f"the parent over leaf {start} at height {height} lacks an unmerged leaf")
            above, first, last = own, 0, len(own)
        below = height - 1
        middle = start + (1 << below)
        cut = bisect_left(above, middle, first, last) if first < last else first
        stack.append((subtree.right, below, middle, above, cut, last))
        stack.append((subtree.left, below, start, above, first, cut))
