"""LeafNode: all that a group sees of one member, signed by it (RFC 9420 section 7.2).

A leaf is read once and then hashed, signed over and compared by its bytes, so it keeps them. Reading is
tuned: joining a group reads a leaf for each member.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Self

from ...codec.tls import Reader, opaque, u8, u16_vector, u32, u64, whole
from ...errors import DecodeError, InputError
from .credential import Credential
from .extensions import Extension, encode_extensions, read_extensions

__all__ = ["Capabilities", "LeafNode", "LeafNodeSource", "Lifetime"]


class LeafNodeSource(IntEnum):
    """How the leaf came into the tree; it decides which other fields there are."""

    KEY_PACKAGE = 1
    UPDATE = 2
    COMMIT = 3


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a client supports. Unknown numbers are kept, and mean nothing (section 13.5)."""

    versions: tuple[int, ...]
    cipher_suites: tuple[int, ...]
    extensions: tuple[int, ...]
    proposals: tuple[int, ...]
    credentials: tuple[int, ...]

    def encode(self) -> bytes:
        lists = (self.versions, self.cipher_suites, self.extensions, self.proposals, self.credentials)
        return b"".join([u16_vector(values) for values in lists])

    @staticmethod
    def read(reader: Reader) -> Capabilities:
        """Short equal bytes give the same object: most members of a group run the same program."""
        start = reader.position
        for _ in range(5):
            reader.skip()
        encoded = reader.slice(start)
        return _known_capabilities(encoded) if len(encoded) <= 512 else _capabilities(encoded)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Seconds since 1970-01-01 UTC between which the leaf may be added to a group."""

    not_before: int
    not_after: int

    def encode(self) -> bytes:
        return u64(self.not_before) + u64(self.not_after)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.u64(), reader.u64())


def _capabilities(encoded: bytes) -> Capabilities:
    reader = Reader(encoded)
    lists = [reader.u16_vector() for _ in range(5)]
    return Capabilities(*lists)


# Bounded in number and, by `Capabilities.read`, in size: the bytes are the peer's choice.
_known_capabilities = lru_cache(maxsize=256)(_capabilities)


@dataclass(frozen=True, slots=True, eq=False)
class LeafNode:
    """`read` or `build` makes one. Leaves are equal if their bytes, `encoded`, are.

    `lifetime` is there if the source is KEY_PACKAGE, `parent_hash` if it is COMMIT.
    """

    encryption_key: bytes
    signature_key: bytes
    credential: Credential
    capabilities: Capabilities
    leaf_node_source: LeafNodeSource
    lifetime: Lifetime | None
    parent_hash: bytes | None
    extensions: tuple[Extension, ...]
    signature: bytes
    encoded: bytes = field(repr=False)

    @classmethod
    def build(
        cls,
        *,
        encryption_key: bytes,
        signature_key: bytes,
        credential: Credential,
        capabilities: Capabilities,
        leaf_node_source: LeafNodeSource,
        extensions: tuple[Extension, ...],
        sign: Callable[[bytes], bytes],
        lifetime: Lifetime | None = None,
        parent_hash: bytes | None = None,
        group_id: bytes = b"",
        leaf_index: int = 0,
    ) -> Self:
        """A leaf signed by `sign`, which gets the LeafNodeTBS; the last two are part of it in a group."""
        if (lifetime is not None) != (leaf_node_source == LeafNodeSource.KEY_PACKAGE):
            raise InputError("a lifetime belongs to a leaf of a key package", code="mls.leaf_node")
        if (parent_hash is not None) != (leaf_node_source == LeafNodeSource.COMMIT):
            raise InputError("a parent hash belongs to a leaf of a commit", code="mls.leaf_node")
        fields = b"".join(
            (
                opaque(encryption_key),
                opaque(signature_key),
                credential.encode(),
                capabilities.encode(),
                u8(leaf_node_source),
                b"" if lifetime is None else lifetime.encode(),
                b"" if parent_hash is None else opaque(parent_hash),
                encode_extensions(extensions),
            )
        )
        signature = sign(fields + _group_part(leaf_node_source, group_id, leaf_index))
        return cls(
            encryption_key,
            signature_key,
            credential,
            capabilities,
            leaf_node_source,
            lifetime,
            parent_hash,
            extensions,
            signature,
            fields + opaque(signature),
        )

    def tbs(self, group_id: bytes, leaf_index: int) -> bytes:
        """LeafNodeTBS. The signature is the last field, so that what it covers is all before it."""
        fields = self.encoded[: -len(opaque(self.signature))]
        return fields + _group_part(self.leaf_node_source, group_id, leaf_index)

    def encode(self) -> bytes:
        return self.encoded

    @classmethod
    def read(cls, reader: Reader) -> Self:
        start = reader.position
        encryption_key = reader.vector()
        signature_key = reader.vector()
        credential = Credential.read(reader)
        capabilities = Capabilities.read(reader)
        source = reader.u8()
        lifetime: Lifetime | None = None
        parent_hash: bytes | None = None
        if source == 3:
            parent_hash = reader.vector()
        elif source == 1:
            lifetime = Lifetime(reader.u64(), reader.u64())
        elif source != 2:
            raise DecodeError(f"leaf_node_source {source}", code="mls.leaf_node_source")
        extensions = read_extensions(reader)
        signature = reader.vector()
        return cls(
            encryption_key,
            signature_key,
            credential,
            capabilities,
            _SOURCES[source],
            lifetime,
            parent_hash,
            extensions,
            signature,
            reader.slice(start),
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return whole(data, cls.read)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LeafNode) and self.encoded == other.encoded

    def __hash__(self) -> int:
        return hash(self.encoded)


_SOURCES = (LeafNodeSource.KEY_PACKAGE, *LeafNodeSource)
"""By number; 0 does not get this far."""


def _group_part(source: LeafNodeSource, group_id: bytes, leaf_index: int) -> bytes:
    """A key package is made before its group is known, so that its signature cannot name one."""
    return b"" if source == LeafNodeSource.KEY_PACKAGE else opaque(group_id) + u32(leaf_index)
