"""A group of any size with every parent filled, made in one pass instead of by thousands of commits.

Each parent was "set" by the rightmost member below it: left subtrees are made first, with a stale parent hash at
their top as after other members' commits, then the right one is chained to the parent. So the tree is one that a
joiner accepts. Member n-1 is the last committer: the keys of its path come from one path secret, and a Welcome of
that commit gives member n-2 (for even n) every private key above it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from letterlock.mls.suites import CipherSuite
from letterlock.mls.tree import tree_math
from letterlock.mls.tree.parent_hash import parent_hash
from letterlock.mls.tree.ratchet_tree import RatchetTree
from letterlock.mls.tree.subtree import Blank, Leaf, Subtree, fork, tree_hash
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.leaf_node import Capabilities, LeafNode, LeafNodeSource, Lifetime
from letterlock.mls.wire.tree_nodes import ParentNode

__all__ = ["Populated", "check_leaf_signatures", "populated"]

EVERY_SUITE = Capabilities((1,), (1, 2, 3, 5, 7), (), (), (1,))
ALWAYS = Lifetime(0, 84 * 86_400)
"""From 1970 for 84 days: give a `lifetime` of your own where the clock matters."""


@dataclass
class Populated:
    """The group; `private_keys` by node, `signature_keys` by leaf index, of those members that were kept."""

    suite: CipherSuite
    group_id: bytes
    tree: RatchetTree
    private_keys: dict[int, bytes]
    signature_keys: dict[int, bytes]
    path_secrets: dict[int, bytes]
    """Of the last commit, by node: what goes into a Welcome is the one of the common ancestor."""
    commit_secret: bytes
    next_leaf: Callable[[int, bytes, bytes], LeafNode] = field(repr=False)

    @property
    def committer(self) -> int:
        return self.tree.member_count - 1

    @property
    def joiner(self) -> int:
        return self.tree.member_count - 2

    @property
    def welcome_path_secret(self) -> bytes:
        """For the joiner."""
        return self.path_secrets[tree_math.common_ancestor(self.joiner, self.committer)]

    def keys_of(self, leaf_index: int) -> dict[int, bytes]:
        """All private keys of one member that was kept, its leaf's included."""
        path = tree_math.direct_path(2 * leaf_index, self.tree.leaf_count)
        filled = [node for node in (2 * leaf_index, *path) if self.tree.node(node) is not None]
        return {node: self.private_keys[node] for node in filled}

    def build_leaf(self, leaf_index: int) -> Callable[[bytes, bytes], LeafNode]:
        """For `create_path`: signs the member's next leaf, everything else unchanged."""
        return lambda encryption_key, parent_hash: self.next_leaf(leaf_index, encryption_key, parent_hash)


def populated(
    suite: CipherSuite,
    members: int,
    *,
    seed: int = 0,
    group_id: bytes = b"populated group",
    credential: Callable[[int], Credential] = lambda index: Credential.basic(b"member %d" % index),
    capabilities: Capabilities = EVERY_SUITE,
    lifetime: Lifetime = ALWAYS,
    keep: Collection[int] | None = None,
    given: Mapping[int, LeafNode] | None = None,
) -> Populated:
    """A group of `members`. With `keep` a skeleton: private keys only of these leaves, the committer and the joiner.

    The members keep their signature keys in any case where they are kept; leaves are really signed. `given` has
    leaves of key packages, of a peer for instance, for members with an even index; their keys stay their own.
    """
    return _Maker(suite, members, seed, group_id, credential, capabilities, lifetime, keep, given or {}).make()


def check_leaf_signatures(tree: RatchetTree, group_id: bytes) -> None:
    """Raises BadSignature unless every leaf of a tree is signed."""
    suite = tree.suite
    for index, leaf in tree.leaves():
        suite.verify_with_label(leaf.signature_key, "LeafNodeTBS", leaf.tbs(group_id, index), leaf.signature)


class _Maker:
    def __init__(
        self,
        suite: CipherSuite,
        members: int,
        seed: int,
        group_id: bytes,
        credential: Callable[[int], Credential],
        capabilities: Capabilities,
        lifetime: Lifetime,
        keep: Collection[int] | None,
        given: Mapping[int, LeafNode],
    ) -> None:
        self.suite = suite
        self.members = members
        self.given = given
        self.rng = random.Random(f"{seed} {members} {suite.number}").randbytes
        self.group_id = group_id
        self.credential = credential
        self.capabilities = capabilities
        self.lifetime = lifetime
        self.kept = None if keep is None else {*keep, members - 1, max(members - 2, 0)}
        self.height = (members - 1).bit_length()
        self.needed: set[int] | None = None
        if self.kept is not None:
            paths = [tree_math.direct_path(2 * leaf, 1 << self.height) for leaf in self.kept]
            self.needed = {*(2 * leaf for leaf in self.kept), *(node for path in paths for node in path)}
        # Any 32 bytes are an X25519 key. Those that nobody will use need no private half.
        self.keys_are_random_bytes = suite.number in (1, 3)
        self.private_keys: dict[int, bytes] = {}
        self.public_keys: dict[int, bytes] = {}
        self.signature_keys: dict[int, bytes] = {}
        self.signature_publics: dict[int, bytes] = {}

    def make(self) -> Populated:
        secret = self.rng(self.suite.hash_length)
        path_secrets: dict[int, bytes] = {}
        for node in tree_math.direct_path(2 * (self.members - 1), 1 << self.height):
            if self.filled(node):
                path_secrets[node] = secret
                derived = self.suite.derive_secret(secret, "node")
                self.private_keys[node], self.public_keys[node] = self.suite.derive_key_pair(derived)
                secret = self.suite.derive_secret(secret, "path")
        top = self.subtree(self.height, 0, b"")
        return Populated(
            self.suite,
            self.group_id,
            RatchetTree(self.suite, top, self.height),
            self.private_keys,
            self.signature_keys,
            path_secrets,
            secret,
            self.committed_leaf,
        )

    def filled(self, node: int) -> bool:
        """Whether both sides of a parent have members."""
        return tree_math.first_leaf(tree_math.right(node)) < self.members

    def subtree(self, height: int, start: int, above: bytes | None) -> Subtree:
        """`above`: the parent hash that this subtree must carry; None for any."""
        if start >= self.members:
            return Blank(height)
        if not height and above is None and start in self.given:
            return Leaf(self.given[start])
        if not height:
            public = self.key(2 * start)
            if above is None:
                return Leaf(self.leaf(start, public, LeafNodeSource.KEY_PACKAGE, None))
            return Leaf(self.leaf(start, public, LeafNodeSource.COMMIT, above))
        below = height - 1
        middle = start + (1 << below)
        if middle >= self.members:
            return fork(None, self.subtree(below, start, above), Blank(below))
        stale = self.rng(self.suite.hash_length) if above is None else above
        node = ParentNode(self.key(2 * middle - 1), stale, ())
        left = self.subtree(below, start, None)
        carried = parent_hash(self.suite, node, tree_hash(self.suite, left, below, start))
        return fork(node, left, self.subtree(below, middle, carried))

    def key(self, node: int) -> bytes:
        if node in self.public_keys:
            return self.public_keys[node]
        needed = self.needed is None or node in self.needed
        if not needed and self.keys_are_random_bytes:
            return self.rng(32)
        private, public = self.suite.generate_key_pair(self.rng)
        if needed:
            self.private_keys[node] = private
        return public

    def leaf(self, index: int, encryption_key: bytes, source: LeafNodeSource, carried: bytes | None) -> LeafNode:
        private = self.signature_keys.get(index)
        if private is None:
            private, public = self.suite.generate_signature_key(self.rng)
            if self.kept is None or index in self.kept:
                self.signature_keys[index] = private
                self.signature_publics[index] = public
        else:
            public = self.signature_publics[index]
        sign = self.suite.signer(private)
        return LeafNode.build(
            encryption_key=encryption_key,
            signature_key=public,
            credential=self.credential(index),
            capabilities=self.capabilities,
            leaf_node_source=source,
            extensions=(),
            sign=lambda tbs: self.suite.sign_with_label(sign, "LeafNodeTBS", tbs),
            lifetime=self.lifetime if carried is None else None,
            parent_hash=carried,
            group_id=self.group_id,
            leaf_index=index,
        )

    def committed_leaf(self, index: int, encryption_key: bytes, carried: bytes) -> LeafNode:
        if index not in self.signature_keys:
            raise ValueError(f"the keys of member {index} were not kept")
        return self.leaf(index, encryption_key, LeafNodeSource.COMMIT, carried)
