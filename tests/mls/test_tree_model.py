"""The tree against a plain array implementation, over random histories of a group."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letterlock.crypto.pyca import Pyca
from letterlock.errors import InputError, InvalidGroupMessage
from letterlock.mls.suites import cipher_suite
from letterlock.mls.tree import tree_math
from letterlock.mls.tree.member_index import MemberIndex
from letterlock.mls.tree.parent_hash import path_nodes, verify_parent_hashes
from letterlock.mls.tree.ratchet_tree import RatchetTree
from letterlock.mls.tree.validation import check_keys, check_shape, check_tree, check_unmerged_leaves
from letterlock.mls.wire.leaf_node import LeafNode
from letterlock.mls.wire.tree_nodes import ParentNode, decode_ratchet_tree
from mls.array_tree import ArrayTree, Node, key, plain_leaf

SUITE = cipher_suite(1, Pyca())

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "add many", "update", "remove", "path", "path", "join"]), st.integers(0, 31)
    ),
    min_size=4,
    max_size=24,
)


class History:
    """One group in both implementations; every step is compared in full."""

    def __init__(self) -> None:
        self.fresh = 0
        leaf = plain_leaf(self.number())
        self.tree = RatchetTree.single(SUITE, leaf)
        self.array = ArrayTree([leaf])
        self.index = MemberIndex.of(self.tree)
        self.past: list[tuple[RatchetTree, list[Node], bytes]] = []

    def number(self) -> int:
        self.fresh += 1
        return self.fresh

    def step(self, what: str, choice: int) -> None:
        before, array_before = self.tree, self.array.copy()
        self.past.append((before, list(before.nodes()), before.tree_hash()))
        members = self.array.members()
        if what == "add":
            leaf = plain_leaf(self.number())
            self.tree, index = before.add(leaf)
            assert index == before.first_blank_leaf() == self.array.add(leaf)
        elif what == "add many":
            leaves = [plain_leaf(self.number()) for _ in range(choice % 14)]
            self.tree, indices = before.add_all(leaves)
            assert indices == [self.array.add(leaf) for leaf in leaves]
        elif what == "update" and members:
            leaf = plain_leaf(self.number())
            index = members[choice % len(members)]
            self.tree = before.update(index, leaf)
            self.array.update(index, leaf)
        elif what == "remove" and members:
            index = members[choice % len(members)]
            self.tree = before.remove(index)
            self.array.remove(index)
        elif (what == "path" and members) or what == "join":
            index = before.first_blank_leaf() if what == "join" else members[choice % len(members)]
            self.path(index)
        self.compare(before, array_before)

    def path(self, index: int) -> None:
        before = self.tree.room_for(index)
        keys = [key(self.number()) for _ in before.filtered_direct_path(index)]
        number = self.number()
        self.array.set_path(index, keys, lambda parent_hash: plain_leaf(number, parent_hash))
        leaf = self.array.nodes[2 * index]
        assert isinstance(leaf, LeafNode)
        carried, nodes = path_nodes(before, index, keys)
        assert carried == leaf.parent_hash
        self.tree = before.with_path(index, leaf, nodes)

    def compare(self, before: RatchetTree, array_before: ArrayTree) -> None:
        tree, array = self.tree, self.array
        assert list(tree.nodes()) == array.nodes
        assert tree.leaf_count == array.leaf_count
        assert tree.root == array.root
        assert [index for index, _ in tree.leaves()] == array.members()
        assert tree.member_count == len(array.members())
        assert tree.tree_hash() == array.tree_hash(array.root)
        every = max(1, len(array.nodes) // 40)
        for node in range(0, len(array.nodes), every):
            assert tree.resolution(node) == array.resolution(node)
            assert tree.node(node) == array.nodes[node]
            assert tree.subtree_hash(node) == array.tree_hash(node)
        for leaf in range(0, array.leaf_count, every):
            assert tree.leaf(leaf) == array.nodes[2 * leaf]
            assert [tuple(step) for step in tree.filtered_direct_path(leaf)] == array.filtered_direct_path(leaf)
        assert tree.leaf(array.leaf_count) is None
        changed = tree.changed_nodes(before)
        assert changed == array.changed(array_before)
        assert before.changed_nodes(tree) == array_before.changed(array)
        staged = self.index.stage({node: (before.node(node), value) for node, value in changed.items()})
        compare_index(staged, tree)
        assert staged.apply() is self.index
        compare_index(self.index, tree)

    def check(self) -> None:
        """The tree is one that a joiner accepts, and no older one has changed."""
        assert self.array.parent_hash_valid()
        if self.tree.member_count:
            check_tree(self.tree)
            encoded = self.tree.encode()
            again = RatchetTree.from_nodes(SUITE, decode_ratchet_tree(encoded, len(encoded)))
            assert list(again.nodes()) == self.array.nodes
            assert again.tree_hash() == self.tree.tree_hash()
            assert again.changed_nodes(self.tree) == {}
        for tree, nodes, tree_hash in self.past:
            assert list(tree.nodes()) == nodes
            assert tree.tree_hash() == tree_hash


def compare_index(index: object, tree: RatchetTree) -> None:
    fresh = MemberIndex.of(tree)
    for name in ("member_count",):
        assert getattr(index, name) == getattr(fresh, name)
    for ask in (index, fresh):
        for node, value in tree.filled_nodes():
            assert ask.encryption_key_holder(value.encryption_key) == node  # type: ignore[attr-defined]
        for leaf, node in tree.leaves():
            assert ask.signature_key_holder(node.signature_key) == leaf  # type: ignore[attr-defined]
        assert ask.credential_types() == {leaf.credential.credential_type for _, leaf in tree.leaves()}  # type: ignore[attr-defined]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 13), STEPS)
def test_random_histories(members: int, steps: list[tuple[str, int]]) -> None:
    history = History()
    history.step("add many", members)
    for what, choice in steps:
        history.step(what, choice)
    history.check()


def test_a_long_history() -> None:
    """Deeper than Hypothesis goes: about sixty members come and go."""
    rng = random.Random(7)
    history = History()
    for _ in range(12):
        history.step("add many", 6)
    for _ in range(100):
        history.step(rng.choice(["add", "path", "path", "path", "update", "remove", "add many"]), rng.randrange(1000))
    history.check()
    while history.tree.member_count:
        history.step("remove", rng.randrange(1000))
    assert history.tree.leaf_count == 1
    history.step("join", 0)
    history.check()


@settings(max_examples=120, deadline=None)
@given(STEPS, st.randoms(use_true_random=False))
def test_parent_hash_verdicts(steps: list[tuple[str, int]], rng: random.Random) -> None:
    """A tree with one thing wrong: the same verdict as by the letter of section 7.9.2."""
    history = History()
    history.step("add many", 9)
    history.step("path", 4)
    for what, choice in steps:
        history.step(what, choice)
    nodes = list(history.array.nodes)
    place = rng.choice([node for node, value in enumerate(nodes) if value is not None] or [0])
    value = nodes[place]
    if isinstance(value, ParentNode):
        nodes[place] = rng.choice(
            [
                None,
                ParentNode(key(0), value.parent_hash, value.unmerged_leaves),
                ParentNode(value.encryption_key, b"", value.unmerged_leaves),
                ParentNode(value.encryption_key, value.parent_hash, ()),
                ParentNode(value.encryption_key, value.parent_hash, value.unmerged_leaves[1:]),
            ]
        )
    elif value is not None:
        nodes[place] = rng.choice([plain_leaf(0), plain_leaf(0, value.parent_hash or b""), None])
    array = ArrayTree(nodes)
    tree = RatchetTree.from_nodes(SUITE, nodes)
    try:
        check_unmerged_leaves(tree)
    except InvalidGroupMessage:
        return
    try:
        verify_parent_hashes(tree)
        accepted = True
    except InvalidGroupMessage as error:
        assert error.rule == "MLS-7.9-20"
        accepted = False
    assert accepted == array.parent_hash_valid()


@pytest.mark.parametrize("committer", [0, 1])
def test_nobody_below_a_blank_node_is_forgotten(committer: int) -> None:
    """The root was set by one of two leaves below a blank parent; the other must be unmerged at it."""
    array = ArrayTree([None] * 7)
    array.nodes[4] = plain_leaf(3)
    array.set_path(committer, [key(8)], lambda parent_hash: plain_leaf(committer, parent_hash))
    root = array.nodes[3]
    assert isinstance(root, ParentNode)
    for other in (plain_leaf(9), plain_leaf(9, b"stale")):
        array.nodes[2 - 2 * committer] = other
        for unmerged, good in (((), False), ((1 - committer,), True), ((0, 1), False), ((committer,), False)):
            array.nodes[3] = ParentNode(root.encryption_key, root.parent_hash, unmerged)
            tree = RatchetTree.from_nodes(SUITE, array.nodes)
            check_unmerged_leaves(tree)
            assert array.parent_hash_valid() == good
            if good:
                verify_parent_hashes(tree)
            else:
                with pytest.raises(InvalidGroupMessage):
                    verify_parent_hashes(tree)


@settings(max_examples=80, deadline=None)
@given(STEPS, st.randoms(use_true_random=False))
def test_unmerged_leaves_verdicts(steps: list[tuple[str, int]], rng: random.Random) -> None:
    """Lists of unmerged leaves with an entry more or less: as a check of each entry by itself says."""
    history = History()
    history.step("add many", 9)
    history.step("path", 4)
    for what, choice in steps:
        history.step(what, choice)
    nodes = list(history.array.nodes)
    parents = [node for node, value in enumerate(nodes) if isinstance(value, ParentNode)]
    if not parents:
        return
    for _ in range(rng.randrange(1, 3)):
        place = rng.choice(parents)
        value = nodes[place]
        assert isinstance(value, ParentNode)
        start, level = tree_math.first_leaf(place), tree_math.level(place)
        leaf = rng.randrange(history.array.leaf_count) if rng.random() < 0.3 else start + rng.randrange(1 << level)
        unmerged = set(value.unmerged_leaves) ^ {leaf}
        nodes[place] = ParentNode(value.encryption_key, value.parent_hash, tuple(sorted(unmerged)))
    array = ArrayTree(nodes)
    tree = RatchetTree.from_nodes(SUITE, nodes)
    good = True
    for node in parents:
        value = nodes[node]
        assert isinstance(value, ParentNode)
        for leaf in value.unmerged_leaves:
            between = set(array.direct_path(leaf)) & set(array.below(node))
            good &= 2 * leaf in array.below(node) and array.nodes[2 * leaf] is not None
            for other in between & set(parents):
                lower = nodes[other]
                assert isinstance(lower, ParentNode)
                good &= leaf in lower.unmerged_leaves
    try:
        check_unmerged_leaves(tree)
        accepted = True
    except InvalidGroupMessage:
        accepted = False
    assert accepted == good


def test_tree_math_against_the_definitions() -> None:
    array = ArrayTree([None] * 63)
    for leaf in range(32):
        path = array.direct_path(leaf)
        assert tree_math.direct_path(2 * leaf, 32) == path
        below = (2 * leaf, *path[:-1])
        assert [tree_math.sibling(node) for node in below] == [array.copath_child(node, leaf) for node in path]
        for other in range(32):
            common = [node for node in (2 * leaf, *path) if node in (2 * other, *array.direct_path(other))]
            assert tree_math.common_ancestor(leaf, other) == common[0]
    for node in range(63):
        leaves = [n // 2 for n in (node, *array.below(node)) if not n & 1]
        assert tree_math.first_leaf(node) == min(leaves)
        assert tree_math.level(node) == len(leaves).bit_length() - 1


def test_wrong_arguments_are_the_callers() -> None:
    tree, _ = RatchetTree.single(SUITE, plain_leaf(1)).add_all([plain_leaf(n) for n in (2, 3)])
    assert tree.leaf(3) is None
    assert tree.leaf(-1) is None
    assert tree.leaf(4) is None
    assert tree.node(7) is None
    assert tree.node(-1) is None
    assert tree.parent(0) is None
    for wrong in (
        lambda: tree.update(3, plain_leaf(9)),
        lambda: tree.remove(4),
        lambda: tree.remove(3),
        lambda: tree.resolution(7),
        lambda: tree.resolution(-2),
        lambda: tree.filtered_direct_path(4),
        lambda: tree.public_key(3),
        lambda: tree.subtree_hash(99),
        lambda: RatchetTree.from_nodes(SUITE, []),
        lambda: RatchetTree.from_nodes(SUITE, [ParentNode(b"", b"", ())]),
        lambda: RatchetTree.from_nodes(SUITE, [plain_leaf(1), plain_leaf(2)]),
    ):
        with pytest.raises(InputError):
            wrong()


def test_unmerged_leaves_stay_sorted() -> None:
    """Nobody who keeps to the rules makes a tree with a blank leaf left of an unmerged one, but we may be given it."""
    array = ArrayTree([plain_leaf(1), None, None, ParentNode(key(9), b"", (3,)), plain_leaf(2), None, plain_leaf(3)])
    tree, index = RatchetTree.from_nodes(SUITE, array.nodes).add(plain_leaf(4))
    assert index == array.add(plain_leaf(4)) == 1
    assert list(tree.nodes()) == array.nodes
    assert tree.parent(3) == ParentNode(key(9), b"", (1, 3))


def test_the_empty_tree() -> None:
    """Its only member removed: an external joiner takes the place in the same commit."""
    tree = RatchetTree.single(SUITE, plain_leaf(1)).remove(0)
    assert (tree.leaf_count, tree.member_count, tree.first_blank_leaf()) == (1, 0, 0)
    assert list(tree.nodes()) == [None]
    with pytest.raises(InvalidGroupMessage):
        check_shape(tree)
    again = tree.with_path(0, plain_leaf(2, b""), [])
    assert list(again.nodes()) == [plain_leaf(2, b"")]
    check_shape(again)
    check_keys(again)
