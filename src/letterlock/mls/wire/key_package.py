"""KeyPackage: what a client publishes so that others can add it to a group (RFC 9420 section 10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from ...codec.tls import Reader, opaque, u16, whole
from ..registries import PROTOCOL_VERSION_MLS10
from .extensions import Extension, encode_extensions, read_extensions
from .leaf_node import LeafNode

__all__ = ["KeyPackage"]


@dataclass(frozen=True, slots=True)
class KeyPackage:
    """`encoded` is the whole structure, which a KeyPackageRef is made of; `read` or `build` makes one.

    `version` may be any number: whether it is ours is for the check of a key package (section 10.1).
    """

    version: int
    cipher_suite: int
    init_key: bytes
    leaf_node: LeafNode
    extensions: tuple[Extension, ...]
    signature: bytes
    encoded: bytes = field(repr=False)

    @classmethod
    def build(
        cls,
        *,
        cipher_suite: int,
        init_key: bytes,
        leaf_node: LeafNode,
        extensions: tuple[Extension, ...],
        sign: Callable[[bytes], bytes],
        version: int = PROTOCOL_VERSION_MLS10,
    ) -> Self:
        """A key package signed by `sign`, which gets the KeyPackageTBS."""
        fields = b"".join(
            (u16(version), u16(cipher_suite), opaque(init_key), leaf_node.encoded, encode_extensions(extensions))
        )
        signature = sign(fields)
        return cls(version, cipher_suite, init_key, leaf_node, extensions, signature, fields + opaque(signature))

    def tbs(self) -> bytes:
        """KeyPackageTBS: all before the signature, which is the last field."""
        return self.encoded[: -len(opaque(self.signature))]

    def encode(self) -> bytes:
        return self.encoded

    @classmethod
    def read(cls, reader: Reader) -> Self:
        start = reader.position
        version = reader.u16()
        cipher_suite = reader.u16()
        init_key = reader.vector()
        leaf_node = LeafNode.read(reader)
        extensions = read_extensions(reader)
        signature = reader.vector()
        return cls(version, cipher_suite, init_key, leaf_node, extensions, signature, reader.slice(start))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return whole(data, cls.read)
