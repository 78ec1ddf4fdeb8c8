"""Update paths among members that keep their own keys: adds, removes, updates, commits, external joins."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letterlock.crypto.pyca import Pyca
from letterlock.errors import CryptoError, InvalidGroupMessage
from letterlock.mls.suites import CipherSuite, cipher_suite
from letterlock.mls.tree.ratchet_tree import RatchetTree
from letterlock.mls.tree.tree_math import common_ancestor
from letterlock.mls.tree.update_path import (
    OwnPath,
    check_joiner_keys,
    create_path,
    decrypt_path,
    encrypt_path,
    keys_still_valid,
    merge_path,
    path_secrets_from,
)
from letterlock.mls.tree.validation import check_tree
from letterlock.mls.wire.commit import HPKECiphertext, UpdatePath, UpdatePathNode
from letterlock.mls.wire.leaf_node import LeafNode, LeafNodeSource
from mls.array_tree import plain_leaf
from mls.populated import populated

CRYPTO = Pyca()
CONTEXT = b"provisional group context"


class Group:
    """All members of a group; `keys[leaf]` are the private keys that this member holds."""

    def __init__(self, suite: CipherSuite, seed: int) -> None:
        self.suite = suite
        self.rng = random.Random(seed).randbytes
        self.numbers = 0
        private, leaf = self.new_leaf()
        self.tree = RatchetTree.single(suite, leaf)
        self.keys: dict[int, dict[int, bytes]] = {0: {0: private}}

    def new_leaf(self) -> tuple[bytes, LeafNode]:
        private, public = self.suite.generate_key_pair(self.rng)
        return private, self.leaf(public, None)

    def leaf(self, public: bytes, parent_hash: bytes | None) -> LeafNode:
        self.numbers += 1
        like = plain_leaf(self.numbers, parent_hash)
        return LeafNode.build(
            encryption_key=public,
            signature_key=like.signature_key,
            credential=like.credential,
            capabilities=like.capabilities,
            leaf_node_source=like.leaf_node_source,
            extensions=(),
            sign=lambda tbs: b"signature",
            lifetime=like.lifetime,
            parent_hash=parent_hash,
        )

    def commit(self, sender: int, adds: int, removes: list[int], updates: list[int], with_path: bool = True) -> None:
        """What the group layer does with a tree, all members at once."""
        old = tree = self.tree
        updated = {}
        for index in updates:
            private, public = self.suite.generate_key_pair(self.rng)
            tree = tree.update(index, self.leaf(public, None))
            updated[index] = private
        for index in removes:
            tree = tree.remove(index)
            del self.keys[index]
        joiners = [self.new_leaf() for _ in range(adds)]
        tree, new = tree.add_all([leaf for _, leaf in joiners])
        # A joiner starts with its own key; everybody else drops the keys of nodes that changed.
        for index, keys in self.keys.items():
            self.keys[index] = keys_still_valid(old, tree, keys)
            if index in updated:
                self.keys[index][2 * index] = updated[index]
        for index, (private, _) in zip(new, joiners, strict=True):
            self.keys[index] = {2 * index: private}
        if with_path:
            self.path(tree, sender, frozenset(new))
        else:
            self.tree = tree
        self.compare()

    def path(self, before: RatchetTree, sender: int, new: frozenset[int]) -> None:
        after, own = create_path(before, sender, self.leaf, self.rng)
        path = encrypt_path(after, own, sender, CONTEXT, new, self.rng)
        merged = merge_path(before, sender, UpdatePath.decode(path.encode()), new)
        assert merged.tree_hash() == after.tree_hash()
        secret_keys: set[bytes] = set()
        for index, keys in self.keys.items():
            kept = keys_still_valid(before, after, keys)
            if index == sender:
                self.keys[index] = kept | own.private_keys
                continue
            if index in new:
                node = common_ancestor(index, sender)
                commit_secret, opened = path_secrets_from(after, own.path_secrets[node], node)
                kept = {2 * index: keys[2 * index]}
            else:
                commit_secret, opened = decrypt_path(merged, sender, index, keys, path, CONTEXT, new)
            assert commit_secret == own.commit_secret
            assert opened.items() <= own.private_keys.items()
            self.keys[index] = kept | opened
            secret_keys.update(opened.values())
        assert secret_keys <= set(own.private_keys.values())
        self.tree = after

    def join_from_outside(self) -> None:
        index = self.tree.first_blank_leaf()
        self.keys[index] = {}
        self.path(self.tree, index, frozenset())
        self.compare()

    def compare(self) -> None:
        """Each member holds exactly the keys that section 4.2 says, and they fit."""
        tree = self.tree
        assert self.keys.keys() == {index for index, _ in tree.leaves()}
        for index, keys in self.keys.items():
            check_joiner_keys(tree, index, keys)
            for node, private in keys.items():
                assert self.suite.public_of(private) == tree.public_key(node)
                value = tree.parent(node)
                assert value is None or index not in value.unmerged_leaves


@pytest.mark.parametrize("number", [1, 2])
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_group_lives(number: int, seed: int) -> None:
    group = Group(cipher_suite(number, CRYPTO), seed)
    choose = random.Random(seed)
    for _ in range(choose.randrange(2, 9)):
        members = list(group.keys)
        sender = choose.choice(members)
        others = [index for index in members if index != sender]
        choose.shuffle(others)
        removes = others[: choose.choice([0, 0, 1, 2])]
        updates = others[len(removes) :][: choose.choice([0, 0, 1, 2])]
        if choose.random() < 0.2:
            group.join_from_outside()
        elif choose.random() < 0.3:
            group.commit(sender, choose.randrange(1, 6), [], [], with_path=False)
        else:
            group.commit(sender, choose.choice([0, 0, 1, 4]), removes, updates)
    check_tree(group.tree)


def test_members_added_by_the_same_commit_are_left_out() -> None:
    suite = cipher_suite(1, CRYPTO)
    group = Group(suite, 1)
    group.commit(0, 3, [], [])
    tree, new = group.tree.add_all([group.new_leaf()[1] for _ in range(2)])
    after, own = create_path(tree, 0, group.leaf, group.rng)
    path = encrypt_path(after, own, 0, CONTEXT, frozenset(new), group.rng)
    # The new members are alone on the other side of the root: its key is sealed to nobody.
    assert [len(node.encrypted_path_secret) for node in path.nodes] == [1, 2, 0]
    with pytest.raises(InvalidGroupMessage) as refused:
        merge_path(tree, 0, path, frozenset())
    assert refused.value.rule == "MLS-7.6-20"
    merge_path(tree, 0, path, frozenset(new))


def test_a_group_of_one_has_an_empty_path() -> None:
    suite = cipher_suite(1, CRYPTO)
    group = Group(suite, 2)
    group.commit(0, 0, [], [])
    leaf = group.tree.leaf(0)
    assert leaf is not None
    assert leaf.leaf_node_source == LeafNodeSource.COMMIT
    assert leaf.parent_hash == b""


def test_secrets_are_not_printed() -> None:
    suite = cipher_suite(1, CRYPTO)
    group = populated(suite, 4)
    _, own = create_path(group.tree, 1, group.build_leaf(1), random.Random(3).randbytes)
    assert isinstance(own, OwnPath)
    for secret in (own.leaf_private, own.commit_secret, *own.path_secrets.values(), *own.private_keys.values()):
        assert repr(secret) not in repr(own)
        assert secret.hex() not in repr(own)


class Received:
    """A path of member 5 in a group of eight, to be spoilt."""

    def __init__(self) -> None:
        self.suite = cipher_suite(1, CRYPTO)
        self.group = populated(self.suite, 8)
        self.rng = random.Random(5).randbytes
        self.tree = self.group.tree
        self.after, self.own = create_path(self.tree, 5, self.group.build_leaf(5), self.rng)
        self.path = encrypt_path(self.after, self.own, 5, CONTEXT, frozenset(), self.rng)

    def with_nodes(self, change: Callable[[list[UpdatePathNode]], object]) -> UpdatePath:
        nodes = list(self.path.nodes)
        change(nodes)
        return UpdatePath(self.path.leaf_node, tuple(nodes))

    def opened(self, path: UpdatePath, own_leaf: int = 2, context: bytes = CONTEXT) -> bytes:
        keys = self.group.keys_of(own_leaf)
        return decrypt_path(self.after, 5, own_leaf, keys, path, context, frozenset())[0]


def test_what_does_not_open() -> None:
    received = Received()
    assert received.opened(received.path) == received.own.commit_secret
    with pytest.raises(CryptoError):
        received.opened(received.path, context=b"another")
    for change in (
        lambda sealed: HPKECiphertext(sealed.kem_output, sealed.ciphertext[:-1] + b"\x00"),
        lambda sealed: HPKECiphertext(sealed.kem_output, b""),
        lambda sealed: HPKECiphertext(sealed.kem_output[:-1], sealed.ciphertext),
        lambda sealed: HPKECiphertext(b"", sealed.ciphertext),
    ):
        root = received.path.nodes[2]
        spoilt = UpdatePathNode(root.encryption_key, tuple([change(s) for s in root.encrypted_path_secret]))
        path = received.with_nodes(lambda nodes, spoilt=spoilt: nodes.__setitem__(2, spoilt))
        with pytest.raises(CryptoError):
            received.opened(path)
