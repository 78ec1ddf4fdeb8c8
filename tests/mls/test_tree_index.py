"""The member index against the same questions asked of every leaf."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letterlock.crypto.pyca import Pyca
from letterlock.errors import InputError
from letterlock.mls.suites import cipher_suite
from letterlock.mls.tree.member_index import MemberIndex, StagedIndex
from letterlock.mls.tree.ratchet_tree import Node, RatchetTree
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.leaf_node import Capabilities, LeafNode
from letterlock.mls.wire.tree_nodes import ParentNode
from mls.array_tree import key, plain_leaf

SUITE = cipher_suite(1, Pyca())
TYPES = (1, 2, 3)

LISTED = st.lists(st.sampled_from(TYPES), max_size=4).map(tuple)
"""A type may be listed twice, as a peer might do."""
CAPABILITIES = st.builds(Capabilities, st.just((1,)), st.just((1,)), LISTED, LISTED, LISTED)
CREDENTIALS = st.sampled_from((Credential.basic(b"somebody"), Credential.x509((b"certificate",))))
KEYS = st.integers(0, 5).map(key)
LEAVES = st.builds(
    lambda encryption, signature, capabilities, credential: replace(
        plain_leaf(0),
        encryption_key=encryption,
        signature_key=signature,
        capabilities=capabilities,
        credential=credential,
        encoded=repr((encryption, signature, capabilities, credential)).encode(),
    ),
    KEYS,
    KEYS,
    CAPABILITIES,
    CREDENTIALS,
)
PARENTS = st.builds(ParentNode, KEYS, st.just(b""), st.just(()))
TREES = st.tuples(*[st.none() | (PARENTS if index & 1 else LEAVES) for index in range(7)]).map(list)


def changes(old: list[Node], new: list[Node]) -> dict[int, tuple[Node, Node]]:
    return {index: (old[index], new[index]) for index in range(7) if old[index] != new[index]}


def compare(index: MemberIndex | StagedIndex, nodes: list[Node]) -> None:
    leaves = {place // 2: node for place, node in enumerate(nodes) if isinstance(node, LeafNode)}
    assert index.member_count == len(leaves)
    for number in range(7):
        wanted = key(number)
        holders = [place for place, node in enumerate(nodes) if node is not None and node.encryption_key == wanted]
        assert index.encryption_key_holder(wanted) == min(holders, default=None)
        assert index.encryption_key_shared(wanted) == (len(holders) > 1)
        signers = [leaf for leaf, node in leaves.items() if node.signature_key == wanted]
        assert index.signature_key_holder(wanted) == min(signers, default=None)
        assert index.signature_key_shared(wanted) == (len(signers) > 1)
    assert index.credential_types() == {leaf.credential.credential_type for leaf in leaves.values()}
    listed = [leaf.capabilities for leaf in leaves.values()]
    for kind in (*TYPES, 4):
        assert index.all_support_credential(kind) == all(kind in each.credentials for each in listed)
        assert index.all_support_extension(kind) == all(kind in each.extensions for each in listed)
        assert index.all_support_proposal(kind) == all(kind in each.proposals for each in listed)


@settings(max_examples=200, deadline=None)
@given(TREES, TREES)
def test_every_answer(first: list[Node], second: list[Node]) -> None:
    index = MemberIndex.of(RatchetTree.from_nodes(SUITE, first))
    compare(index, first)
    staged = index.stage(changes(first, second))
    compare(staged, second)
    # Staging does not change the index.
    compare(index, first)
    assert staged.apply() is index
    compare(index, second)
    compare(index.stage(changes(second, first)).apply(), first)


def test_what_was_staged_on_an_older_index_cannot_be_applied() -> None:
    tree = RatchetTree.from_nodes(SUITE, [plain_leaf(1), None, plain_leaf(2)])
    index = MemberIndex.of(tree)
    one = index.stage({0: (tree.leaf(0), plain_leaf(3))})
    two = index.stage({0: (tree.leaf(0), plain_leaf(4))})
    one.apply()
    for late in (one, two):
        with pytest.raises(InputError):
            late.apply()
    assert index.signature_key_holder(key(3, "signature")) == 0
    assert index.signature_key_holder(key(4, "signature")) is None


def test_a_type_listed_twice_counts_once() -> None:
    """Otherwise one leaf could stand in for another that lacks it."""
    twice = replace(plain_leaf(1), capabilities=Capabilities((1,), (1,), (7, 7), (8, 8), (1, 1)))
    index = MemberIndex.of(RatchetTree.from_nodes(SUITE, [twice, None, plain_leaf(2)]))
    assert not index.all_support_extension(7)
    assert not index.all_support_proposal(8)
    assert index.all_support_credential(1)
