"""What a tree costs: a step as much as one path, and a tree made to be slow no more than about its length."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any, cast

import pytest

from letterlock.crypto.pyca import Pyca
from letterlock.errors import InvalidGroupMessage
from letterlock.mls.suites import CipherSuite, cipher_suite
from letterlock.mls.tree.member_index import MemberIndex
from letterlock.mls.tree.parent_hash import parent_hash, path_nodes, verify_parent_hashes
from letterlock.mls.tree.ratchet_tree import Node, RatchetTree
from letterlock.mls.tree.subtree import Leaf, Subtree, fork
from letterlock.mls.tree.validation import check_keys, check_tree, check_unmerged_leaves
from letterlock.mls.wire.tree_nodes import ParentNode, decode_ratchet_tree
from mls.array_tree import ArrayTree, key, plain_leaf
from mls.populated import populated

SUITE = cipher_suite(1, Pyca())


class Counting:
    """A cipher suite that counts how often it hashes."""

    def __init__(self) -> None:
        self.hashed = 0

    def hash(self, data: bytes) -> bytes:
        self.hashed += 1
        return SUITE.hash(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(SUITE, name)


def counted(tree: RatchetTree) -> tuple[RatchetTree, Counting]:
    """The same tree over a counting suite, nothing hashed yet."""
    counting = Counting()
    return RatchetTree.from_nodes(cast(CipherSuite, counting), list(tree.nodes())), counting


@pytest.fixture(scope="module")
def thousand() -> RatchetTree:
    return populated(SUITE, 1000).tree


def test_hashes_are_those_of_one_path(thousand: RatchetTree) -> None:
    tree, counting = counted(thousand)
    tree.tree_hash()
    assert counting.hashed == 2047

    def cost(step: Callable[[], object]) -> int:
        before = counting.hashed
        step()
        return counting.hashed - before

    assert cost(tree.tree_hash) == 0
    leaf = plain_leaf(5000)
    assert cost(tree.update(500, leaf).tree_hash) == 11
    assert cost(tree.remove(500).tree_hash) == 11
    removed = tree.remove(500)
    removed.tree_hash()
    assert cost(removed.add(leaf)[0].tree_hash) == 11
    keys = [key(n) for n in range(10)]
    assert cost(lambda: tree.with_path(77, leaf, path_nodes(tree, 77, keys)[1]).tree_hash()) == 10 + 11
    assert cost(tree.tree_hash) == 0


def test_a_difference_costs_what_differs(thousand: RatchetTree) -> None:
    newer = thousand.update(300, plain_leaf(5000))
    few = min(seconds(lambda: newer.changed_nodes(thousand)) for _ in range(5))
    every = min(seconds(lambda: newer.changed_nodes(RatchetTree.single(SUITE, plain_leaf(1)))) for _ in range(5))
    assert len(newer.changed_nodes(thousand)) == 11
    assert few < every / 10


def test_parent_hashes_of_a_whole_tree(thousand: RatchetTree) -> None:
    tree, counting = counted(thousand)
    tree.tree_hash()
    before = counting.hashed
    verify_parent_hashes(tree)
    assert counting.hashed - before <= 2 * 999


def test_a_blank_half_is_hashed_once() -> None:
    """A tree of 256 becomes 257: each further member costs one path and nothing for the blank leaves beside it."""
    tree, counting = counted(populated(SUITE, 256).tree)
    tree.tree_hash()
    tree, index = tree.add(plain_leaf(1000))
    before = counting.hashed
    tree.tree_hash()
    assert index == 256
    assert counting.hashed - before <= 2 * 256 + 2
    for number in range(1001, 1040):
        tree, _ = tree.add(plain_leaf(number))
        before = counting.hashed
        tree.tree_hash()
        # Nine levels above the leaf, and blank subtrees of up to sixteen leaves that were not kept.
        assert counting.hashed - before <= 10 + 31


def test_a_blank_half_is_not_kept_leaf_by_leaf() -> None:
    members = 1 << 13
    tree, _ = RatchetTree.single(SUITE, plain_leaf(0)).add_all([plain_leaf(1)] * (members - 1))
    tree.tree_hash()
    tracemalloc.start()
    try:
        for _ in range(2):
            tree, _ = tree.add(plain_leaf(1))
            tree.tree_hash()
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A subtree with its hash takes about 200 bytes; kept are those of sixteen leaves and more.
    assert size < 60 * members


def test_old_trees_cost_little_memory(thousand: RatchetTree) -> None:
    trees = [thousand]
    thousand.tree_hash()
    tracemalloc.start()
    try:
        for step in range(100):
            keys = [key(100 * step + n, "path") for n in range(10)]
            nodes = path_nodes(trees[-1], step * 7, keys)[1]
            trees.append(trees[-1].with_path(step * 7, plain_leaf(step), nodes))
            trees[-1].tree_hash()
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size / 100 < 12_000


def test_ten_thousand_members_fit_in_memory() -> None:
    encoded = populated(SUITE, 10_000, keep=()).tree.encode()
    tracemalloc.start()
    try:
        tree = RatchetTree.from_nodes(SUITE, decode_ratchet_tree(encoded, len(encoded)))
        tree.tree_hash()
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 25_000_000


# --- trees made to be slow ------------------------------------------------------------------------------------
class Unmerging:
    """A tree that is valid in every respect, with as many unmerged leaves as can be.

    Every parent is chained on the right, so that it has the unmerged leaves of its right child; of those of its
    left child it keeps the ones for which `keep(leaf, height)`. At the bottom it is the left leaf.
    """

    def __init__(self, height: int, keep: Callable[[int, int], bool]) -> None:
        self.keep = keep
        self.tree = RatchetTree(SUITE, self.make(height, 0, b""), height)

    def unmerged(self, height: int, start: int) -> tuple[int, ...]:
        if height == 1:
            return (start,)
        left = self.unmerged(height - 1, start)
        right = self.unmerged(height - 1, start + (1 << (height - 1)))
        return (*[leaf for leaf in left if self.keep(leaf, height)], *right)

    def make(self, height: int, start: int, above: bytes | None) -> Subtree:
        if not height:
            return Leaf(plain_leaf(start, above))
        below, middle = height - 1, start + (1 << (height - 1))
        unmerged = self.unmerged(height, start)
        node = ParentNode(key(2 * middle - 1, "parent"), b"stale" if above is None else above, unmerged)
        left = self.make(below, start, None)
        carried = parent_hash(SUITE, node, self.without(left, below, start, frozenset(unmerged)))
        return fork(node, left, self.make(below, middle, carried))

    def without(self, subtree: Subtree, height: int, start: int, gone: frozenset[int]) -> bytes:
        nodes: list[Node] = list(RatchetTree(SUITE, subtree, height).nodes())
        for index, node in enumerate(nodes):
            if isinstance(node, ParentNode):
                left_over = tuple(leaf for leaf in node.unmerged_leaves if leaf not in gone)
                nodes[index] = ParentNode(node.encryption_key, node.parent_hash, left_over)
            elif start + index // 2 in gone:
                nodes[index] = None
        hashes = [
            SUITE.hash(b"\x01" + (start + i).to_bytes(4, "big") + (b"\x00" if n is None else b"\x01" + n.encode()))
            for i, n in enumerate(nodes[::2])
        ]
        for level in range(1, height + 1):
            parents = nodes[(1 << level) - 1 :: 2 << level]
            hashes = [
                SUITE.hash(
                    b"\x02" + (b"\x00" if p is None else b"\x01" + p.encode()) + b"\x20" + left + b"\x20" + right
                )
                for p, left, right in zip(parents, hashes[::2], hashes[1::2], strict=True)
            ]
        return hashes[0]


LISTS: dict[str, Callable[[int, int], bool]] = {
    "every other leaf at every parent": lambda leaf, height: True,
    "a few less at every height": lambda leaf, height: leaf // 2 % 11 != height,
    "less at every height": lambda leaf, height: leaf // 2 % 11 > height,
    "less at every height, in blocks": lambda leaf, height: (leaf >> 4) % 11 > height,
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_unmerged_leaves_do_not_multiply(name: str) -> None:
    """Verifying such a tree of 1,024 takes about four hashes for a leaf, not one for each entry of each list."""
    height = 10
    made = Unmerging(height, LISTS[name]).tree
    listed = sum(len(node.unmerged_leaves) for _, node in made.filled_nodes() if isinstance(node, ParentNode))
    assert listed > 1500
    tree, counting = counted(made)
    tree.tree_hash()
    before = counting.hashed
    check_tree(tree)
    assert counting.hashed - before < 4 << height


def test_long_lists_above_blank_leaves() -> None:
    """One parent over a blank region with all leaves unmerged but one."""
    height = 12
    leaves = [plain_leaf(n) for n in range(1 << height)]
    nodes: list[Node] = [None] * (2 * len(leaves) - 1)
    nodes[::2] = leaves
    nodes[len(leaves) - 1] = ParentNode(key(0, "root"), b"", tuple(range(1, len(leaves))))
    tree = RatchetTree.from_nodes(SUITE, nodes)
    check_unmerged_leaves(tree)
    with pytest.raises(InvalidGroupMessage, match=r"MLS-7\.9-20"):
        verify_parent_hashes(tree)
    tree = RatchetTree.from_nodes(SUITE, [*nodes[:-2], None, nodes[-1]])
    check_tree_refuses(tree)


def seconds(step: Callable[[], object]) -> float:
    start = time.process_time()
    step()
    return time.process_time() - start


def check_tree_refuses(tree: RatchetTree) -> None:
    with pytest.raises(InvalidGroupMessage):
        check_tree(tree)


# Each is judged in well under a second; if the work grew with the square of the length it would take minutes.
WIDE = 1 << 16


def parents_without_members() -> RatchetTree:
    nodes: list[Node] = [None] * (2 * WIDE - 1)
    for index in range(1, len(nodes), 2):
        nodes[index] = ParentNode(index.to_bytes(32, "big"), b"", ())
    nodes[0], nodes[-1] = plain_leaf(1), plain_leaf(2, b"p")
    return RatchetTree.from_nodes(SUITE, nodes)


def one_list_of_everything() -> RatchetTree:
    nodes: list[Node] = [None] * (2 * WIDE - 1)
    nodes[0], nodes[-1] = plain_leaf(1), plain_leaf(2, b"p")
    nodes[WIDE - 1] = ParentNode(key(1), b"", tuple(range(WIDE)))
    return RatchetTree.from_nodes(SUITE, nodes)


def the_same_key_everywhere() -> RatchetTree:
    nodes: list[Node] = [None] * (2 * WIDE - 1)
    for index in range(1, len(nodes), 2):
        nodes[index] = ParentNode(key(1), b"", ())
    leaf = plain_leaf(1, b"p")
    nodes[::2] = [leaf] * WIDE
    return RatchetTree.from_nodes(SUITE, nodes)


def members_far_apart() -> RatchetTree:
    """Every 64th leaf and the root, everything between them blank."""
    nodes: list[Node] = [None] * (2 * WIDE - 1)
    for index in range(0, len(nodes), 128):
        nodes[index] = plain_leaf(index, b"p")
    nodes[-1] = plain_leaf(1, b"p")
    nodes[WIDE - 1] = ParentNode(key(1), b"", tuple(range(64, WIDE, 64)))
    return RatchetTree.from_nodes(SUITE, nodes)


@pytest.mark.parametrize(
    "make", [parents_without_members, one_list_of_everything, the_same_key_everywhere, members_far_apart]
)
def test_wide_trees_are_judged_in_linear_time(make: Callable[[], RatchetTree]) -> None:
    tree = make()
    assert seconds(lambda: check_tree_refuses(tree)) < 5
    assert seconds(lambda: MemberIndex.of(tree)) < 5
    assert seconds(tree.tree_hash) < 5
    assert seconds(tree.encode) < 5
    with pytest.raises(InvalidGroupMessage):
        verify_parent_hashes(tree)


def test_the_index_sees_keys_that_are_shared() -> None:
    tree = the_same_key_everywhere()
    index = MemberIndex.of(tree)
    assert index.encryption_key_shared(key(1))
    with pytest.raises(InvalidGroupMessage):
        check_keys(tree)


def test_a_wide_tree_of_few_members() -> None:
    """A member far to the right: what is blank costs neither time nor memory afterwards."""
    array = ArrayTree([plain_leaf(1)])
    array.nodes += [None] * (2 * WIDE - 2)
    array.nodes[-1] = plain_leaf(2)
    tracemalloc.start()
    try:
        tree = RatchetTree.from_nodes(SUITE, array.nodes)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 50_000
    assert tree.first_blank_leaf() == 1
    assert tree.resolution(tree.root) == [0, 2 * WIDE - 2]
    assert tree.remove(WIDE - 1).leaf_count == 1
