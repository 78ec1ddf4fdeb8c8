"""The factory of large groups makes what it says: trees that a joiner accepts, with the keys that belong to them."""

from __future__ import annotations

import pytest

from letterlock.crypto.pyca import Pyca
from letterlock.mls.suites import cipher_suite
from letterlock.mls.tree import tree_math
from letterlock.mls.tree.ratchet_tree import RatchetTree
from letterlock.mls.tree.update_path import check_joiner_keys, path_secrets_from
from letterlock.mls.tree.validation import check_tree
from letterlock.mls.wire.tree_nodes import decode_ratchet_tree
from mls.populated import check_leaf_signatures, populated

CRYPTO = Pyca()


@pytest.mark.parametrize("members", [1, 2, 3, 5, 6, 8, 10, 13, 32, 100])
@pytest.mark.parametrize("number", [1, 2])
def test_the_tree_is_valid_and_full(members: int, number: int) -> None:
    suite = cipher_suite(number, CRYPTO)
    group = populated(suite, members)
    encoded = group.tree.encode()
    tree = RatchetTree.from_nodes(suite, decode_ratchet_tree(encoded, len(encoded)))
    assert tree.tree_hash() == group.tree.tree_hash()
    assert tree.member_count == members
    check_tree(tree)
    check_leaf_signatures(tree, group.group_id)
    for node in range(1, tree_math.node_width(tree.leaf_count), 2):
        both_sides = bool(tree.resolution(tree_math.left(node))) and bool(tree.resolution(tree_math.right(node)))
        assert (tree.parent(node) is not None) == both_sides
    for node, private in group.private_keys.items():
        assert suite.public_of(private) == tree.public_key(node)
    for index in range(members):
        keys = group.keys_of(index)
        assert keys.keys() >= {step.node for step in tree.filtered_direct_path(index)}


@pytest.mark.parametrize("keep", [None, (), (0, 5)])
def test_the_joiner_gets_all_keys_by_one_path_secret(keep: tuple[int, ...] | None) -> None:
    group = populated(cipher_suite(1, CRYPTO), 22, keep=keep)
    meeting = tree_math.common_ancestor(group.joiner, group.committer)
    commit_secret, keys = path_secrets_from(group.tree, group.welcome_path_secret, meeting)
    assert commit_secret == group.commit_secret
    keys[2 * group.joiner] = group.private_keys[2 * group.joiner]
    assert keys == group.keys_of(group.joiner)
    check_joiner_keys(group.tree, group.joiner, keys)
    check_leaf_signatures(group.tree, group.group_id)


def test_a_skeleton_keeps_the_keys_of_those_named() -> None:
    group = populated(cipher_suite(1, CRYPTO), 40, keep=(3,))
    assert group.signature_keys.keys() == {3, 38, 39}
    for index in (3, 38, 39):
        assert group.tree.suite.public_of(group.keys_of(index)[2 * index]) == group.tree.public_key(2 * index)
    with pytest.raises(KeyError):
        group.keys_of(20)
    with pytest.raises(ValueError, match="not kept"):
        group.build_leaf(20)(b"", b"")


def test_the_same_seed_gives_the_same_group() -> None:
    suite = cipher_suite(1, CRYPTO)
    assert populated(suite, 9, seed=4).tree.encode() == populated(suite, 9, seed=4).tree.encode()
    assert populated(suite, 9, seed=4).tree.encode() != populated(suite, 9, seed=5).tree.encode()
