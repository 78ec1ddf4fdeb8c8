"""A ratchet tree as RFC 9420 writes it down, with no regard for speed: an array of nodes (appendix C).

The tests compare `letterlock.mls.tree` with it. Every definition is spelt out as in the text; nothing is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from letterlock.codec.tls import opaque, u32
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.leaf_node import Capabilities, LeafNode, LeafNodeSource, Lifetime
from letterlock.mls.wire.tree_nodes import ParentNode

__all__ = ["ArrayTree", "Node", "key", "plain_leaf"]

Node = LeafNode | ParentNode | None

_CAPABILITIES = Capabilities((1,), (1, 2, 3, 5, 7), (), (), (1,))


def key(number: int, kind: str = "key") -> bytes:
    """32 bytes that X25519 would take for a public key, different for each number."""
    drawn = hashlib.sha256(f"{kind} {number}".encode()).digest()
    return drawn[:31] + bytes((drawn[31] & 0x3F,))


def plain_leaf(number: int, parent_hash: bytes | None = None, signature: bytes = b"signature") -> LeafNode:
    """A leaf with a made-up signature; of a commit if it has a parent hash, else of a key package."""
    return LeafNode.build(
        encryption_key=key(number),
        signature_key=key(number, "signature"),
        credential=Credential.basic(b"member %d" % number),
        capabilities=_CAPABILITIES,
        leaf_node_source=LeafNodeSource.KEY_PACKAGE if parent_hash is None else LeafNodeSource.COMMIT,
        extensions=(),
        sign=lambda tbs: signature,
        lifetime=Lifetime(0, 1 << 40) if parent_hash is None else None,
        parent_hash=parent_hash,
    )


class ArrayTree:
    """Of cipher suite 1. Changed in place; `copy` first where the old one is wanted."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = list(nodes)
        width = 1
        while width < len(self.nodes):
            width = 2 * width + 1
        self.nodes += [None] * (width - len(self.nodes))

    def copy(self) -> ArrayTree:
        return ArrayTree(self.nodes)

    # --- appendix C -----------------------------------------------------------------------------------
    @property
    def leaf_count(self) -> int:
        return (len(self.nodes) + 1) // 2

    @property
    def root(self) -> int:
        return self.leaf_count - 1

    def children(self, node: int) -> tuple[int, int]:
        level = self.level(node)
        return node ^ (1 << (level - 1)), node ^ (3 << (level - 1))

    @staticmethod
    def level(node: int) -> int:
        level = 0
        while node >> level & 1:
            level += 1
        return level

    def below(self, node: int) -> list[int]:
        """The subtree of a node, without the node."""
        if not self.level(node):
            return []
        left, right = self.children(node)
        return [*self.below(left), left, *self.below(right), right]

    def direct_path(self, leaf: int) -> list[int]:
        """Down from the root; left of a parent are smaller indices, right of it larger ones."""
        node, path = self.root, []
        while node != 2 * leaf:
            path.append(node)
            left, right = self.children(node)
            node = left if 2 * leaf < node else right
        return path[::-1]

    def copath_child(self, node: int, leaf: int) -> int:
        left, right = self.children(node)
        return right if 2 * leaf < node else left

    # --- section 4.1 ------------------------------------------------------------------------------------
    def resolution(self, node: int) -> list[int]:
        value = self.nodes[node]
        if isinstance(value, ParentNode):
            return [node, *(2 * leaf for leaf in value.unmerged_leaves)]
        if value is not None:
            return [node]
        if not self.level(node):
            return []
        left, right = self.children(node)
        return self.resolution(left) + self.resolution(right)

    def filtered_direct_path(self, leaf: int) -> list[tuple[int, int]]:
        steps = [(node, self.copath_child(node, leaf)) for node in self.direct_path(leaf)]
        return [(node, child) for node, child in steps if self.resolution(child)]

    # --- sections 7.7 and 12.1 --------------------------------------------------------------------------
    def extend(self) -> None:
        self.nodes += [None] * (len(self.nodes) + 1)

    def members(self) -> list[int]:
        return [index // 2 for index in range(0, len(self.nodes), 2) if self.nodes[index] is not None]

    def add(self, leaf: LeafNode) -> int:
        free = [index for index in range(self.leaf_count) if self.nodes[2 * index] is None]
        if not free:
            free = [self.leaf_count]
            self.extend()
        for node in self.direct_path(free[0]):
            value = self.nodes[node]
            if isinstance(value, ParentNode):
                unmerged = tuple(sorted({*value.unmerged_leaves, free[0]}))
                self.nodes[node] = ParentNode(value.encryption_key, value.parent_hash, unmerged)
        self.nodes[2 * free[0]] = leaf
        return free[0]

    def update(self, index: int, leaf: LeafNode | None) -> None:
        self.nodes[2 * index] = leaf
        for node in self.direct_path(index):
            self.nodes[node] = None

    def remove(self, index: int) -> None:
        self.update(index, None)
        while len(self.nodes) > 1 and not any(self.nodes[len(self.nodes) // 2 + 1 :: 2]):
            del self.nodes[len(self.nodes) // 2 :]

    # --- sections 7.5, 7.8 and 7.9 ----------------------------------------------------------------------
    def set_path(self, index: int, keys: Sequence[bytes], build: Callable[[bytes], LeafNode]) -> None:
        """A commit of the member at `index`; `build` makes its leaf for a parent hash."""
        if index == self.leaf_count:
            self.extend()
        self.update(index, None)
        parent_hash = b""
        for (node, child), public in reversed(list(zip(self.filtered_direct_path(index), keys, strict=True))):
            value = self.nodes[node] = ParentNode(public, parent_hash, ())
            parent_hash = self.parent_hash(value, self.tree_hash(child))
        self.nodes[2 * index] = build(parent_hash)

    @staticmethod
    def parent_hash(parent: ParentNode, original_sibling_tree_hash: bytes) -> bytes:
        fields = (parent.encryption_key, parent.parent_hash, original_sibling_tree_hash)
        return hashlib.sha256(b"".join([opaque(field) for field in fields])).digest()

    def tree_hash(self, node: int) -> bytes:
        value = self.nodes[node]
        content = b"\x00" if value is None else b"\x01" + value.encode()
        if not self.level(node):
            return hashlib.sha256(b"\x01" + u32(node // 2) + content).digest()
        left, right = self.children(node)
        return hashlib.sha256(b"\x02" + content + opaque(self.tree_hash(left)) + opaque(self.tree_hash(right))).digest()

    def without(self, leaves: Sequence[int]) -> ArrayTree:
        """The tree with those leaves blanked and in no list of unmerged leaves: the "original" one of section 7.9."""
        original = self.copy()
        for leaf in leaves:
            original.nodes[2 * leaf] = None
        for node, value in enumerate(original.nodes):
            if isinstance(value, ParentNode):
                unmerged = tuple(leaf for leaf in value.unmerged_leaves if leaf not in leaves)
                original.nodes[node] = ParentNode(value.encryption_key, value.parent_hash, unmerged)
        return original

    def valid_links(self, parent: int) -> list[int]:
        """The nodes D whose parent hash is valid with respect to that parent (section 7.9.2)."""
        value = self.nodes[parent]
        assert isinstance(value, ParentNode)
        found = []
        left, right = self.children(parent)
        original = self.without(value.unmerged_leaves)
        for child, sibling in ((left, right), (right, left)):
            subtree = {child, *self.below(child)}
            unmerged = {2 * leaf for leaf in value.unmerged_leaves} & subtree
            expected = self.parent_hash(value, original.tree_hash(sibling))
            for node in self.resolution(child):
                carried = getattr(self.nodes[node], "parent_hash", None)
                if carried == expected and unmerged == set(self.resolution(child)) - {node}:
                    found.append(node)
        return found

    def parent_hash_valid(self) -> bool:
        """Whether every parent has exactly one link below it."""
        parents = [node for node, value in enumerate(self.nodes) if isinstance(value, ParentNode)]
        return all(len(self.valid_links(node)) == 1 for node in parents)

    def changed(self, older: ArrayTree) -> dict[int, Node]:
        length = max(len(self.nodes), len(older.nodes))
        new, old = ([*nodes, *[None] * (length - len(nodes))] for nodes in (self.nodes, older.nodes))
        return {node: new[node] for node in range(length) if new[node] != old[node]}
