"""UpdatePath: new keys for a committer's leaf and what is above it (RFC 9420 sections 7.4 to 7.6).

The committer calls `create_path`, computes the provisional GroupContext from the tree that it gives, and calls
`encrypt_path`. Everybody else calls `merge_path`, which needs no secret, and members then `decrypt_path`.
Private keys are kept by the caller in one mapping from node index; `keys_still_valid` says which to delete.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from ...errors import BadPublicKey
from ...ids import Rng
from ..rules import Rule, rule
from ..suites import CipherSuite
from ..wire.commit import HPKECiphertext, UpdatePath, UpdatePathNode
from ..wire.leaf_node import LeafNode
from . import tree_math
from .parent_hash import path_nodes
from .ratchet_tree import RatchetTree

__all__ = [
    "OwnPath",
    "check_joiner_keys",
    "create_path",
    "decrypt_path",
    "encrypt_path",
    "keys_still_valid",
    "merge_path",
    "path_secrets_from",
]

_NODES = rule(
    "MLS-7.5-20", "RFC 9420 section 7.5", "an UpdatePath has one node for each of the filtered path", module=__name__
)
_CIPHERTEXTS = rule(
    "MLS-7.6-20", "RFC 9420 section 7.6", "a path secret is sealed to each node of the resolution", module=__name__
)
_KEYS = rule("MLS-7.6-21", "RFC 9420 section 7.6", "keys of an UpdatePath are of the cipher suite", module=__name__)
_LEAF_PARENT_HASH = rule(
    "MLS-7.9-21", "RFC 9420 sections 7.5 and 7.9.2", "the committer's leaf carries the parent hash", module=__name__
)
_RECIPIENT = rule(
    "MLS-7.5-21", "RFC 9420 section 7.5", "the recipient has a private key to which the path is sealed", module=__name__
)
_SECRET_LENGTH = rule("MLS-7.4-20", "RFC 9420 section 7.4", "a path secret has KDF.Nh bytes", module=__name__)
_DERIVED = rule(
    "MLS-7.5-22", "RFC 9420 section 7.5", "path secrets lead to the public keys of the UpdatePath", module=__name__
)
_JOINER_DERIVED = rule(
    "MLS-7.4-21", "RFC 9420 section 12.4.3.1", "a joiner's path secret leads to the keys in the tree", module=__name__
)
_JOINER_KEYS = rule(
    "MLS-7.4-22", "RFC 9420 sections 4.2 and 12.4.3.1", "a joiner gets the key of each parent it is merged at",
    module=__name__,
)  # fmt: skip

_LABEL = "UpdatePathNode"


@dataclass(frozen=True, slots=True)
class OwnPath:
    """The secrets of a path that we made. Nodes are array indices; `private_keys` has the leaf's as well."""

    public_keys: tuple[bytes, ...]
    leaf_private: bytes = field(repr=False)
    path_secrets: dict[int, bytes] = field(repr=False)
    private_keys: dict[int, bytes] = field(repr=False)
    commit_secret: bytes = field(repr=False)


def create_path(
    tree: RatchetTree, leaf_index: int, build_leaf: Callable[[bytes, bytes], LeafNode], rng: Rng
) -> tuple[RatchetTree, OwnPath]:
    """Fresh keys for a leaf and its filtered direct path, in a tree to which the proposals were applied.

    `build_leaf` gets (encryption_key, parent_hash) and signs. The leaf may be the tree's next blank one.
    """
    suite = tree.suite
    tree = tree.room_for(leaf_index)
    leaf_private, leaf_public = suite.generate_key_pair(rng)
    secret = rng(suite.hash_length)
    path_secrets: dict[int, bytes] = {}
    private_keys = {2 * leaf_index: leaf_private}
    public_keys: list[bytes] = []
    for step in tree.filtered_direct_path(leaf_index):
        path_secrets[step.node] = secret
        private_keys[step.node], public = _key_pair(suite, secret)
        public_keys.append(public)
        secret = suite.derive_secret(secret, "path")
    parent_hash, nodes = path_nodes(tree, leaf_index, public_keys)
    leaf = build_leaf(leaf_public, parent_hash)
    own = OwnPath(tuple(public_keys), leaf_private, path_secrets, private_keys, secret)
    return tree.with_path(leaf_index, leaf, nodes), own


def encrypt_path(
    tree_after: RatchetTree,
    own: OwnPath,
    leaf_index: int,
    group_context: bytes,
    new_leaves: AbstractSet[int],
    rng: Rng,
) -> UpdatePath:
    """Seal each path secret to the other side of its node, but not to members that the same commit adds."""
    suite = tree_after.suite
    info = suite.encryption_context(_LABEL, group_context)
    nodes: list[UpdatePathNode] = []
    for step, public in zip(tree_after.filtered_direct_path(leaf_index), own.public_keys, strict=True):
        secret = own.path_secrets[step.node]
        sealed = [
            HPKECiphertext(*suite.encrypt_with_label(tree_after.public_key(node), info, secret, rng))
            for node in tree_after.resolution(step.copath, new_leaves)
        ]
        nodes.append(UpdatePathNode(public, tuple(sealed)))
    leaf = tree_after.leaf(leaf_index)
    assert leaf is not None
    return UpdatePath(leaf, tuple(nodes))


def merge_path(tree: RatchetTree, leaf_index: int, path: UpdatePath, new_leaves: AbstractSet[int]) -> RatchetTree:
    """The tree with the committer's path in it. Raises InvalidGroupMessage if the path does not fit the tree.

    The leaf itself was validated before; here only its parent hash is.
    """
    tree = tree.room_for(leaf_index)
    steps = tree.filtered_direct_path(leaf_index)
    if len(path.nodes) != len(steps):
        _NODES.fail(f"{len(path.nodes)} nodes in the UpdatePath for {len(steps)} of the filtered direct path")
        return tree
    for step, sent in zip(steps, path.nodes, strict=True):
        wanted = len(tree.resolution(step.copath, new_leaves))
        if len(sent.encrypted_path_secret) != wanted:
            _CIPHERTEXTS.fail(f"{len(sent.encrypted_path_secret)} ciphertexts for a resolution of {wanted} nodes")
        try:
            tree.suite.check_public_key(sent.encryption_key)
        except BadPublicKey:
            _KEYS.fail("a key of the UpdatePath is not one of this cipher suite")
    parent_hash, nodes = path_nodes(tree, leaf_index, [sent.encryption_key for sent in path.nodes])
    if path.leaf_node.parent_hash != parent_hash:
        _LEAF_PARENT_HASH.fail("the leaf of the UpdatePath has another parent hash")
    return tree.with_path(leaf_index, path.leaf_node, nodes)


def decrypt_path(
    tree_after: RatchetTree,
    sender_leaf: int,
    own_leaf: int,
    private_keys: Mapping[int, bytes],
    path: UpdatePath,
    group_context: bytes,
    new_leaves: AbstractSet[int],
) -> tuple[bytes, dict[int, bytes]]:
    """(commit_secret, private keys of the nodes above us that are new), from the path that `merge_path` accepted.

    Raises InvalidGroupMessage, or CryptoError where the ciphertext does not open.
    """
    suite = tree_after.suite
    steps = tree_after.filtered_direct_path(sender_leaf)
    meeting = tree_math.common_ancestor(sender_leaf, own_leaf)
    place = next((i for i, step in enumerate(steps) if step.node == meeting), None)
    if place is None:
        _RECIPIENT.fail("no node of the path is above us")
        return suite.zero, {}
    resolution = tree_after.resolution(steps[place].copath, new_leaves)
    found = next((i for i, node in enumerate(resolution) if node in private_keys), None)
    if found is None:
        _RECIPIENT.fail("the path is sealed to no key of ours")
        return suite.zero, {}
    private = private_keys[resolution[found]]
    sealed = path.nodes[place].encrypted_path_secret[found]
    info = suite.encryption_context(_LABEL, group_context)
    secret = suite.decrypt_with_label(private, info, sealed.kem_output, sealed.ciphertext)
    return _keys_upwards(tree_after, [step.node for step in steps[place:]], secret, _DERIVED)


def path_secrets_from(tree: RatchetTree, path_secret: bytes, node: int) -> tuple[bytes, dict[int, bytes]]:
    """What a joiner derives from the path secret of a Welcome: (commit_secret, private keys from `node` upwards).

    `node` is the common ancestor of the joiner and of the committer, just after whose commit `tree` is.
    """
    nodes = [index for index in (node, *tree_math.direct_path(node, tree.leaf_count)) if tree.node(index) is not None]
    if nodes[:1] != [node]:
        _JOINER_DERIVED.fail("a path secret for a blank node")
    return _keys_upwards(tree, nodes, path_secret, _JOINER_DERIVED)


def check_joiner_keys(tree: RatchetTree, leaf_index: int, private_keys: Mapping[int, bytes]) -> None:
    """A joiner must have the key of each parent above it where it is not unmerged, or it could not follow commits."""
    for node in tree_math.direct_path(2 * leaf_index, tree.leaf_count):
        parent = tree.parent(node)
        if parent is not None and node not in private_keys and leaf_index not in parent.unmerged_leaves:
            _JOINER_KEYS.fail(f"the Welcome gives no private key for node {node}")


def keys_still_valid(older: RatchetTree, newer: RatchetTree, private_keys: Mapping[int, bytes]) -> dict[int, bytes]:
    """Those of a member's `private_keys` in `older` whose node is the same in `newer`; the others must be deleted."""
    kept: dict[int, bytes] = {}
    for node, private in private_keys.items():
        before, after = older.node(node), newer.node(node)
        if before is not None and after is not None and before.encryption_key == after.encryption_key:
            kept[node] = private
    return kept


def _key_pair(suite: CipherSuite, path_secret: bytes) -> tuple[bytes, bytes]:
    return suite.derive_key_pair(suite.derive_secret(path_secret, "node"))


def _keys_upwards(
    tree: RatchetTree, nodes: Sequence[int], path_secret: bytes, mismatch: Rule
) -> tuple[bytes, dict[int, bytes]]:
    """From the path secret of the first node: the commit_secret, and the private keys of all."""
    suite = tree.suite
    if len(path_secret) != suite.hash_length:
        _SECRET_LENGTH.fail(f"a path secret of {len(path_secret)} bytes")
    private_keys: dict[int, bytes] = {}
    for node in nodes:
        private_keys[node], public = _key_pair(suite, path_secret)
        if public != tree.public_key(node):
            mismatch.fail(f"the path secret leads to another key for node {node}")
        path_secret = suite.derive_secret(path_secret, "path")
    return path_secret, private_keys
