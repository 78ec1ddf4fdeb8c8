"""The bodies of stored rows, version 1: values of this package to bytes and back.

Written with the same primitives as the wire, but a format of our own. Reading checks the form of each row by
itself; whether rows fit together is asked in `row_loading`. Rows of a version that was once released stay
readable: what changes here needs another version in `stored_row` and a reader for the old one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ...codec.tls import Reader, opaque, optional, u8, u32, u64, whole
from ..stored_row import bad_row
from ..wire.framing import AuthenticatedContent
from ..wire.leaf_node import LeafNode
from ..wire.proposals import ProposalTypes, ReInit, encode_proposal, read_proposal
from ..wire.tree_nodes import ParentNode
from ..wire.welcome import GroupContext
from .epoch import EpochKeys, PastEpochState
from .holding import HeldMessage

__all__ = [
    "Head",
    "StoredPast",
    "decode_head",
    "decode_held",
    "decode_keys",
    "decode_node",
    "decode_past",
    "decode_proposal",
    "decode_update",
    "encode_head",
    "encode_held",
    "encode_keys",
    "encode_node",
    "encode_past",
    "encode_proposal_row",
    "encode_update",
    "read_keys",
]

_SECRETS: Final = (
    "sender_data_secret",
    "exporter_secret",
    "external_secret",
    "confirmation_key",
    "membership_key",
    "resumption_psk",
    "epoch_authenticator",
    "init_secret",
)
_MAX_HEIGHT: Final = 31
"""Of a tree: leaf indices are 32 bits."""


# --- head and keys -----------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Head:
    """What changes with each epoch and never within one."""

    context: GroupContext
    confirmation_tag: bytes
    height: int
    """Of the ratchet tree, whose nodes are rows of their own."""
    own_leaf: int | None
    """None once we are no longer in the group."""
    reinit: ReInit | None


def encode_head(head: Head, types: ProposalTypes) -> bytes:
    return b"".join(
        (
            opaque(head.context.encoded),
            opaque(head.confirmation_tag),
            u8(head.height),
            optional(None if head.own_leaf is None else u32(head.own_leaf)),
            optional(None if head.reinit is None else encode_proposal(head.reinit, types)),
        )
    )


def decode_head(body: bytes, types: ProposalTypes) -> Head:
    reader = Reader(body)
    context = GroupContext.decode(reader.vector())
    confirmation_tag, height = reader.vector(), _height(reader)
    own_leaf = reader.u32() if reader.optional() else None
    reinit = read_proposal(reader, types) if reader.optional() else None
    reader.end()
    if reinit is not None and not isinstance(reinit, ReInit):
        raise bad_row("another proposal where a ReInit should be")
    return Head(context, confirmation_tag, height, own_leaf, reinit)


def encode_keys(keys: EpochKeys) -> bytes:
    return b"".join([opaque(getattr(keys, name)) for name in _SECRETS])


def decode_keys(body: bytes, hash_length: int) -> EpochKeys:
    return whole(body, lambda reader: read_keys(reader, hash_length))


def read_keys(reader: Reader, hash_length: int) -> EpochKeys:
    secrets = {name: reader.vector() for name in _SECRETS}
    if any(len(secret) != hash_length for secret in secrets.values()):
        raise bad_row("a secret has another length than those of the cipher suite")
    return EpochKeys(**secrets)


def _height(reader: Reader) -> int:
    height = reader.u8()
    if height > _MAX_HEIGHT:
        raise bad_row("a tree that is too high")
    return height


# --- tree --------------------------------------------------------------------------------------------
def encode_node(node: LeafNode | ParentNode) -> bytes:
    return node.encode()


def decode_node(index: int, body: bytes) -> LeafNode | ParentNode:
    """A leaf stands at an even index, a parent at an odd one."""
    return ParentNode.decode(body) if index & 1 else LeafNode.decode(body)


# --- what waits --------------------------------------------------------------------------------------
def encode_proposal_row(arrival: int, content: AuthenticatedContent) -> bytes:
    return u32(arrival) + content.encode()


def decode_proposal(body: bytes, types: ProposalTypes) -> tuple[int, AuthenticatedContent]:
    """(place in the order of arrival, the message)."""
    reader = Reader(body)
    arrival, content = reader.u32(), AuthenticatedContent.read(reader, types)
    reader.end()
    return arrival, content


def encode_update(public: bytes, private: bytes) -> bytes:
    return opaque(public) + opaque(private)


def decode_update(body: bytes) -> tuple[bytes, bytes]:
    """(public key, private key)."""
    reader = Reader(body)
    public, private = reader.vector(), reader.vector()
    reader.end()
    return public, private


def encode_held(held: HeldMessage) -> bytes:
    return u64(held.arrival) + u64(held.epoch) + opaque(held.data)


def decode_held(body: bytes) -> HeldMessage:
    reader = Reader(body)
    held = HeldMessage(reader.u64(), reader.u64(), reader.vector())
    reader.end()
    return held


# --- past epochs -------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class StoredPast:
    """A past epoch whose message secrets are still to be added, for a tree of that height; None for no messages."""

    past: PastEpochState = field(repr=False)
    height: int | None


def encode_past(past: PastEpochState) -> bytes:
    reading = None
    if past.messages is not None:
        replaced = b"".join(
            [
                u32(leaf_index) + optional(None if leaf is None else leaf.encoded)
                for leaf_index, leaf in past.replaced.items()
            ]
        )
        reading = b"".join(
            (
                u8(past.messages.leaf_count.bit_length() - 1),
                opaque(past.sender_data_secret),
                opaque(past.context),
                opaque(replaced),
            )
        )
    return b"".join(
        (u64(past.ended_at), u32(past.own_leaf), past.digest, opaque(past.resumption_psk), optional(reading))
    )


def decode_past(epoch: int, body: bytes) -> StoredPast:
    reader = Reader(body)
    past = PastEpochState(
        epoch=epoch,
        ended_at=reader.u64(),
        own_leaf=reader.u32(),
        digest=reader.take(32),
        resumption_psk=reader.vector(),
        sender_data_secret=b"",
        context=b"",
        messages=None,
    )
    height = None
    if reader.optional():
        height = _height(reader)
        past.sender_data_secret, past.context = reader.vector(), reader.vector()
        inner = reader.sub()
        while inner.more():
            leaf_index = inner.u32()
            past.replaced[leaf_index] = LeafNode.read(inner) if inner.optional() else None
    reader.end()
    return StoredPast(past, height)
