"""Proposals: the changes that a commit makes (RFC 9420 section 12.1), and the types an application adds.

A proposal has no length on the wire. So a type that is not known cannot be passed over, and the decoders
take the registry of the types to know, `ProposalTypes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from ...codec.tls import Reader, opaque, u16, u32
from ...errors import DecodeError, InputError
from .. import registries
from .extensions import Extension, encode_extensions, read_extensions
from .key_package import KeyPackage
from .leaf_node import LeafNode
from .psk import PreSharedKeyID

__all__ = [
    "RFC_PROPOSALS",
    "Add",
    "CustomProposal",
    "CustomProposalType",
    "ExternalInit",
    "GroupContextExtensions",
    "PreSharedKey",
    "Proposal",
    "ProposalRef",
    "ProposalTypes",
    "ReInit",
    "Remove",
    "SelfRemove",
    "Update",
    "encode_proposal",
    "proposal_type_of",
    "read_proposal",
]


@dataclass(frozen=True, slots=True)
class Add:
    """Add the owner of this key package."""

    key_package: KeyPackage


@dataclass(frozen=True, slots=True)
class Update:
    """Replace the sender's leaf."""

    leaf_node: LeafNode


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the member at this leaf index."""

    removed: int


@dataclass(frozen=True, slots=True)
class PreSharedKey:
    """Mix this key into the next epoch."""

    psk: PreSharedKeyID


@dataclass(frozen=True, slots=True)
class ReInit:
    """Close the group and go on in a new one with these parameters."""

    group_id: bytes
    version: int
    cipher_suite: int
    extensions: tuple[Extension, ...]


@dataclass(frozen=True, slots=True)
class ExternalInit:
    """The sender joins by itself; the next epoch starts from what this opens to."""

    kem_output: bytes


@dataclass(frozen=True, slots=True)
class GroupContextExtensions:
    """Replace the extensions of the group."""

    extensions: tuple[Extension, ...]


@dataclass(frozen=True, slots=True)
class SelfRemove:
    """Remove the sender (draft-ietf-mls-extensions section 6.3)."""


@dataclass(frozen=True, slots=True)
class CustomProposal:
    """A proposal of a type that the application registered; `body` has the form its type says."""

    proposal_type: int
    body: bytes


Proposal: TypeAlias = (
    Add | Update | Remove | PreSharedKey | ReInit | ExternalInit | GroupContextExtensions | SelfRemove | CustomProposal
)


@dataclass(frozen=True, slots=True)
class ProposalRef:
    """The hash of the AuthenticatedContent in which a proposal was sent: a commit may give it instead."""

    reference: bytes


@dataclass(frozen=True, slots=True)
class CustomProposalType:
    """An application's own type: how to read it, and where it may occur (the columns of section 17.4).

    Without `read_body` the body is `opaque<V>`, and `CustomProposal.body` what is inside. With it the body
    is bare: the function reads it and returns exactly what it read. It must not fail except by what the
    reader raises, or DecodeError.
    """

    proposal_type: int
    name: str
    read_body: Callable[[Reader], bytes] | None
    path_required: bool
    external_senders: bool
    external_commit: bool
    removes: Callable[[bytes], int] | None = None
    """For a type that removes a member: the leaf that a body names. Like `read_body` it must not fail on what that
    has read. A commit applies it as it does a Remove, under the same rules."""


@dataclass(frozen=True, slots=True)
class ProposalTypes:
    """The types a decoder knows beside those of RFC 9420, which are always there."""

    self_remove: int = registries.SELF_REMOVE
    custom: Mapping[int, CustomProposalType] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        taken = {0, *registries.DEFAULT_PROPOSALS}
        if self.self_remove in taken:
            raise InputError("number of self_remove is taken", code="mls.proposal_type")
        for number, kind in self.custom.items():
            if number in taken or number == self.self_remove or number != kind.proposal_type:
                raise InputError(f"{kind.name} cannot have number {number:#06x}", code="mls.proposal_type")


RFC_PROPOSALS = ProposalTypes()
"""The types of RFC 9420, and self_remove."""


def proposal_type_of(proposal: Proposal, types: ProposalTypes) -> int:
    """The number of its type on the wire."""
    if isinstance(proposal, CustomProposal):
        return proposal.proposal_type
    return types.self_remove if isinstance(proposal, SelfRemove) else _NUMBERS[type(proposal)]


def encode_proposal(proposal: Proposal, types: ProposalTypes) -> bytes:
    """Type and body."""
    return u16(proposal_type_of(proposal, types)) + _encode_body(proposal, types)


def read_proposal(reader: Reader, types: ProposalTypes) -> Proposal:
    """Type and body. A type that nobody registered is a DecodeError."""
    number = reader.u16()
    if (read := _READERS.get(number)) is not None:
        return read(reader)
    if number == types.self_remove:
        return SelfRemove()
    if (custom := types.custom.get(number)) is None:
        raise DecodeError(f"proposal of unknown type {number:#06x}", code="mls.proposal_type")
    if custom.read_body is None:
        return CustomProposal(number, reader.vector())
    start = reader.position
    body = custom.read_body(reader)
    if body != reader.slice(start):
        raise InputError(f"read_body of {custom.name} does not return what it read", code="mls.proposal_type")
    return CustomProposal(number, body)


_NUMBERS: Mapping[type, int] = {
    Add: registries.ADD,
    Update: registries.UPDATE,
    Remove: registries.REMOVE,
    PreSharedKey: registries.PRE_SHARED_KEY,
    ReInit: registries.REINIT,
    ExternalInit: registries.EXTERNAL_INIT,
    GroupContextExtensions: registries.GROUP_CONTEXT_EXTENSIONS,
}

_READERS: Mapping[int, Callable[[Reader], Proposal]] = {
    registries.ADD: lambda reader: Add(KeyPackage.read(reader)),
    registries.UPDATE: lambda reader: Update(LeafNode.read(reader)),
    registries.REMOVE: lambda reader: Remove(reader.u32()),
    registries.PRE_SHARED_KEY: lambda reader: PreSharedKey(PreSharedKeyID.read(reader)),
    registries.REINIT: lambda reader: ReInit(reader.vector(), reader.u16(), reader.u16(), read_extensions(reader)),
    registries.EXTERNAL_INIT: lambda reader: ExternalInit(reader.vector()),
    registries.GROUP_CONTEXT_EXTENSIONS: lambda reader: GroupContextExtensions(read_extensions(reader)),
}


def _encode_body(proposal: Proposal, types: ProposalTypes) -> bytes:
    match proposal:
        case Add(key_package):
            return key_package.encoded
        case Update(leaf_node):
            return leaf_node.encoded
        case Remove(removed):
            return u32(removed)
        case PreSharedKey(psk):
            return psk.encode()
        case ReInit(group_id, version, cipher_suite, extensions):
            return opaque(group_id) + u16(version) + u16(cipher_suite) + encode_extensions(extensions)
        case ExternalInit(kem_output):
            return opaque(kem_output)
        case GroupContextExtensions(extensions):
            return encode_extensions(extensions)
        case SelfRemove():
            return b""
        case CustomProposal(number, body):
            if (custom := types.custom.get(number)) is None:
                raise InputError(f"proposal type {number:#06x} is not registered", code="mls.proposal_type")
            return opaque(body) if custom.read_body is None else body
