"""Commit: a list of proposals, and the new keys of the committer's path (RFC 9420 sections 7.6 and 12.4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Self, TypeAlias

from ...codec.tls import Reader, opaque, optional, u8, whole
from ...errors import DecodeError
from .leaf_node import LeafNode
from .proposals import RFC_PROPOSALS, Proposal, ProposalRef, ProposalTypes, encode_proposal, read_proposal

__all__ = [
    "Commit",
    "HPKECiphertext",
    "ProposalOrRef",
    "ProposalOrRefType",
    "ProposalRef",
    "UpdatePath",
    "UpdatePathNode",
]


class ProposalOrRefType(IntEnum):
    """Whether a proposal is in the commit, or was sent before."""

    PROPOSAL = 1
    REFERENCE = 2


ProposalOrRef: TypeAlias = Proposal | ProposalRef


@dataclass(frozen=True, slots=True)
class HPKECiphertext:
    """Something sealed to one public key."""

    kem_output: bytes
    ciphertext: bytes

    def encode(self) -> bytes:
        return opaque(self.kem_output) + opaque(self.ciphertext)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.vector(), reader.vector())


@dataclass(frozen=True, slots=True)
class UpdatePathNode:
    """A parent's new key, and its path secret sealed to every node of the copath's resolution."""

    encryption_key: bytes
    encrypted_path_secret: tuple[HPKECiphertext, ...]

    def encode(self) -> bytes:
        sealed = b"".join([ciphertext.encode() for ciphertext in self.encrypted_path_secret])
        return opaque(self.encryption_key) + opaque(sealed)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        encryption_key = reader.vector()
        inner = reader.sub()
        sealed: list[HPKECiphertext] = []
        while inner.more():
            sealed.append(HPKECiphertext(inner.vector(), inner.vector()))
        return cls(encryption_key, tuple(sealed))


@dataclass(frozen=True, slots=True)
class UpdatePath:
    """The committer's new leaf and the nodes above it, from the bottom."""

    leaf_node: LeafNode
    nodes: tuple[UpdatePathNode, ...]

    def encode(self) -> bytes:
        return self.leaf_node.encoded + opaque(b"".join([node.encode() for node in self.nodes]))

    @classmethod
    def read(cls, reader: Reader) -> Self:
        leaf_node = LeafNode.read(reader)
        inner = reader.sub()
        nodes: list[UpdatePathNode] = []
        while inner.more():
            nodes.append(UpdatePathNode.read(inner))
        return cls(leaf_node, tuple(nodes))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return whole(data, cls.read)


@dataclass(frozen=True, slots=True)
class Commit:
    """The step from one epoch to the next."""

    proposals: tuple[ProposalOrRef, ...]
    path: UpdatePath | None

    def encode(self, types: ProposalTypes = RFC_PROPOSALS) -> bytes:
        proposals = b"".join([_encode_proposal_or_ref(proposal, types) for proposal in self.proposals])
        return opaque(proposals) + optional(None if self.path is None else self.path.encode())

    @classmethod
    def read(cls, reader: Reader, types: ProposalTypes) -> Self:
        inner = reader.sub()
        proposals: list[ProposalOrRef] = []
        while inner.more():
            proposals.append(_read_proposal_or_ref(inner, types))
        path = UpdatePath.read(reader) if reader.optional() else None
        return cls(tuple(proposals), path)

    @classmethod
    def decode(cls, data: bytes, types: ProposalTypes) -> Self:
        return whole(data, lambda reader: cls.read(reader, types))


def _encode_proposal_or_ref(value: ProposalOrRef, types: ProposalTypes) -> bytes:
    if isinstance(value, ProposalRef):
        return u8(ProposalOrRefType.REFERENCE) + opaque(value.reference)
    return u8(ProposalOrRefType.PROPOSAL) + encode_proposal(value, types)


def _read_proposal_or_ref(reader: Reader, types: ProposalTypes) -> ProposalOrRef:
    kind = reader.u8()
    if kind == ProposalOrRefType.PROPOSAL:
        return read_proposal(reader, types)
    if kind == ProposalOrRefType.REFERENCE:
        return ProposalRef(reader.vector())
    raise DecodeError(f"neither a proposal nor a reference: {kind}", code="mls.proposal_or_ref")
