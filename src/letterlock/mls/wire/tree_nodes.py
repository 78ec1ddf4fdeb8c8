"""ParentNode and the `ratchet_tree` extension: a whole tree as a list of nodes (RFC 9420 sections 7.1, 12.4.3.3).

Only what can be seen node by node is checked here: a leaf stands at an even place, a parent at an odd one,
and the last node is not blank. Whether the nodes make a valid tree is for `mls.tree`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from ...codec.tls import Reader, opaque, u32_vector, whole
from ...errors import DecodeError, LimitExceeded
from .leaf_node import LeafNode

__all__ = ["NodeType", "ParentNode", "decode_ratchet_tree", "encode_ratchet_tree"]


class NodeType(IntEnum):
    """What a node of the tree is, on the wire and in its tree hash."""

    LEAF = 1
    PARENT = 2


@dataclass(frozen=True, slots=True)
class ParentNode:
    """A key that the members below share, but for the `unmerged_leaves`."""

    encryption_key: bytes
    parent_hash: bytes
    unmerged_leaves: tuple[int, ...]

    def encode(self) -> bytes:
        return opaque(self.encryption_key) + opaque(self.parent_hash) + u32_vector(self.unmerged_leaves)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.vector(), reader.vector(), reader.u32_vector())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return whole(data, cls.read)


def encode_ratchet_tree(nodes: Iterable[LeafNode | ParentNode | None]) -> bytes:
    """The data of a `ratchet_tree` extension; blank nodes at the end are left out."""
    parts: list[bytes] = []
    used = 0
    for node in nodes:
        if node is None:
            parts.append(b"\x00")
            continue
        parts.append((b"\x01\x01" if isinstance(node, LeafNode) else b"\x01\x02") + node.encode())
        used = len(parts)
    del parts[used:]
    return opaque(b"".join(parts))


def decode_ratchet_tree(data: bytes, limit: int) -> list[LeafNode | ParentNode | None]:
    """The nodes in array order, exactly as sent: a node may be missing on the right. `limit` is in bytes."""
    if len(data) > limit:
        raise LimitExceeded(f"ratchet tree of {len(data)} bytes, at most {limit} allowed", code="mls.limit")
    reader = Reader(data)
    inner = reader.sub()
    reader.end()
    nodes: list[LeafNode | ParentNode | None] = []
    while inner.more():
        if not inner.optional():
            nodes.append(None)
            continue
        node_type = inner.u8()
        if node_type != (NodeType.PARENT if len(nodes) & 1 else NodeType.LEAF):
            raise DecodeError(f"node {len(nodes)} has type {node_type}", code="mls.ratchet_tree")
        nodes.append(LeafNode.read(inner) if node_type == NodeType.LEAF else ParentNode.read(inner))
    if not nodes or nodes[-1] is None:
        raise DecodeError("the last node is blank", code="mls.ratchet_tree")
    return nodes
