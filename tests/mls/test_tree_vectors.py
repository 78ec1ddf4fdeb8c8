"""The published vectors of the ratchet tree: tree-math, tree-operations, tree-validation, treekem."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from letterlock.codec.tls import Reader
from letterlock.crypto.pyca import Pyca
from letterlock.mls.suites import CipherSuite, cipher_suite
from letterlock.mls.tree import tree_math
from letterlock.mls.tree.parent_hash import verify_parent_hashes
from letterlock.mls.tree.ratchet_tree import RatchetTree
from letterlock.mls.tree.update_path import (
    create_path,
    decrypt_path,
    encrypt_path,
    keys_still_valid,
    merge_path,
    path_secrets_from,
)
from letterlock.mls.tree.validation import check_tree
from letterlock.mls.wire.commit import UpdatePath
from letterlock.mls.wire.leaf_node import LeafNode, LeafNodeSource
from letterlock.mls.wire.proposals import RFC_PROPOSALS, Add, Remove, Update, read_proposal
from letterlock.mls.wire.tree_nodes import decode_ratchet_tree
from letterlock.mls.wire.welcome import GroupContext
from mls.populated import check_leaf_signatures
from mls.vectors import SUPPORTED_SUITES, load

CRYPTO = Pyca()


def tree_of(suite: CipherSuite, encoded: str) -> RatchetTree:
    data = bytes.fromhex(encoded)
    return RatchetTree.from_nodes(suite, decode_ratchet_tree(data, len(data)))


def test_tree_math() -> None:
    cases = load("tree-math")
    for case in cases:
        leaves = case["n_leaves"]
        assert tree_math.node_width(leaves) == case["n_nodes"]
        assert tree_math.root(leaves) == case["root"]
        for node in range(case["n_nodes"]):
            if case["left"][node] is None:
                assert tree_math.level(node) == 0
            else:
                assert tree_math.left(node) == case["left"][node]
                assert tree_math.right(node) == case["right"][node]
            if node == case["root"]:
                assert case["parent"][node] is None
                assert case["sibling"][node] is None
            else:
                assert tree_math.parent(node) == case["parent"][node]
                assert tree_math.sibling(node) == case["sibling"][node]
    assert len(cases) == 10


def test_tree_operations() -> None:
    seen = []
    for case in load("tree-operations"):
        suite = cipher_suite(case["cipher_suite"], CRYPTO)
        before = tree_of(suite, case["tree_before"])
        assert before.tree_hash().hex() == case["tree_hash_before"]
        proposal = read_proposal(Reader(bytes.fromhex(case["proposal"])), RFC_PROPOSALS)
        match proposal:
            case Add(key_package=package):
                after, _ = before.add(package.leaf_node)
            case Update(leaf_node=leaf):
                after = before.update(case["proposal_sender"], leaf)
            case Remove(removed=removed):
                after = before.remove(removed)
            case _:
                raise AssertionError(proposal)
        seen.append(type(proposal).__name__)
        assert after.encode().hex() == case["tree_after"]
        assert after.tree_hash().hex() == case["tree_hash_after"]
        assert before.encode().hex() == case["tree_before"]
    assert Counter(seen) == {"Add": 2, "Update": 1, "Remove": 2}


def test_tree_validation() -> None:
    ran: Counter[int] = Counter()
    for case in load("tree-validation"):
        number = case["cipher_suite"]
        if number not in SUPPORTED_SUITES:
            continue
        ran[number] += 1
        tree = tree_of(cipher_suite(number, CRYPTO), case["tree"])
        assert [tree.subtree_hash(node).hex() for node in range(len(case["tree_hashes"]))] == case["tree_hashes"]
        assert [tree.resolution(node) for node in range(len(case["resolutions"]))] == case["resolutions"]
        check_tree(tree)
        verify_parent_hashes(tree)
        check_leaf_signatures(tree, bytes.fromhex(case["group_id"]))
        assert tree.encode().hex() == case["tree"]
    assert ran == dict.fromkeys(SUPPORTED_SUITES, 14)


class Member:
    """The private state of one leaf of a treekem case."""

    def __init__(self, tree: RatchetTree, given: dict[str, Any]) -> None:
        suite = tree.suite
        self.leaf = given["index"]
        self.sign = suite.signer(bytes.fromhex(given["signature_priv"]))
        self.keys = {2 * self.leaf: bytes.fromhex(given["encryption_priv"])}
        for known in given["path_secrets"]:
            secret = suite.derive_secret(bytes.fromhex(known["path_secret"]), "node")
            self.keys[known["node"]], public = suite.derive_key_pair(secret)
            assert public == tree.public_key(known["node"])


@pytest.mark.parametrize("number", sorted(SUPPORTED_SUITES))
def test_treekem(number: int) -> None:
    cases = [case for case in load("treekem") if case["cipher_suite"] == number]
    assert len(cases) == 11
    opened = 0
    for case in cases:
        suite = cipher_suite(number, CRYPTO)
        tree = tree_of(suite, case["ratchet_tree"])
        members = [Member(tree, given) for given in case["leaves_private"]]
        assert [member.leaf for member in members] == [leaf for leaf, _ in tree.leaves()]
        for update in case["update_paths"]:
            path = UpdatePath.decode(bytes.fromhex(update["update_path"]))
            assert path.encode().hex() == update["update_path"]
            after = merge_path(tree, update["sender"], path, frozenset())
            assert after.tree_hash().hex() == update["tree_hash_after"]
            verify_parent_hashes(after)
            context = context_of(case, after)
            for member in members:
                if member.leaf == update["sender"]:
                    assert update["path_secrets"][member.leaf] is None
                    continue
                commit_secret, keys = decrypt_path(
                    after, update["sender"], member.leaf, member.keys, path, context, frozenset()
                )
                assert commit_secret.hex() == update["commit_secret"]
                secret = bytes.fromhex(update["path_secrets"][member.leaf])
                meeting = tree_math.common_ancestor(update["sender"], member.leaf)
                assert path_secrets_from(after, secret, meeting) == (commit_secret, keys)
                opened += 1
        for member in members[:3]:
            opened += own_path(case, tree, members, member)
    assert opened > 300


def own_path(case: dict[str, Any], tree: RatchetTree, members: list[Member], sender: Member) -> int:
    """A path that we make ourselves, opened by everybody, and then one more on top of it."""
    rng = random.Random(sender.leaf).randbytes
    keys = {member.leaf: dict(member.keys) for member in members}
    for leaf_index in (sender.leaf, members[-1].leaf):
        before = tree
        tree, own = create_path(tree, leaf_index, build_leaf(case, tree, members, leaf_index), rng)
        context = context_of(case, tree)
        path = encrypt_path(tree, own, leaf_index, context, frozenset(), rng)
        merged = merge_path(before, leaf_index, UpdatePath.decode(path.encode()), frozenset())
        assert merged.tree_hash() == tree.tree_hash()
        verify_parent_hashes(merged)
        check_leaf_signatures(merged, bytes.fromhex(case["group_id"]))
        for member in members:
            kept = keys_still_valid(before, tree, keys[member.leaf])
            if member.leaf == leaf_index:
                keys[member.leaf] = kept | own.private_keys
            else:
                opened = decrypt_path(tree, leaf_index, member.leaf, keys[member.leaf], path, context, frozenset())
                assert opened[0] == own.commit_secret
                keys[member.leaf] = kept | opened[1]
            for node, private in keys[member.leaf].items():
                assert tree.suite.public_of(private) == tree.public_key(node)
    return 2 * (len(members) - 1)


def context_of(case: dict[str, Any], tree: RatchetTree) -> bytes:
    transcript = bytes.fromhex(case["confirmed_transcript_hash"])
    group_id = bytes.fromhex(case["group_id"])
    return GroupContext(case["cipher_suite"], group_id, case["epoch"], tree.tree_hash(), transcript, ()).encoded


def build_leaf(case: dict[str, Any], tree: RatchetTree, members: list[Member], leaf_index: int) -> Any:
    old = tree.leaf(leaf_index)
    assert old is not None
    sign = next(member.sign for member in members if member.leaf == leaf_index)

    def build(encryption_key: bytes, parent_hash: bytes) -> LeafNode:
        return LeafNode.build(
            encryption_key=encryption_key,
            signature_key=old.signature_key,
            credential=old.credential,
            capabilities=old.capabilities,
            leaf_node_source=LeafNodeSource.COMMIT,
            extensions=old.extensions,
            sign=lambda tbs: tree.suite.sign_with_label(sign, "LeafNodeTBS", tbs),
            parent_hash=parent_hash,
            group_id=bytes.fromhex(case["group_id"]),
            leaf_index=leaf_index,
        )

    return build
