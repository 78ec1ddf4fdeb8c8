"""Messages of attackers, made from the keys that each of them has.

A network has none: it can only change, cut, join and repeat what it sees. `StolenKeys` are those of a member in one
epoch, for an insider who speaks in the name of others, and for somebody who was removed and goes on with old keys.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from crypto.deterministic import seeded_rng
from letterlock.mls.client import Sign
from letterlock.mls.protect.content import sign_content
from letterlock.mls.protect.private_message import ratchet_kind, seal_private
from letterlock.mls.protect.public_message import protect_public
from letterlock.mls.registries import PRIVATE_MESSAGE, PUBLIC_MESSAGE
from letterlock.mls.schedule.secret_tree import SecretTree
from letterlock.mls.wire.commit import Commit
from letterlock.mls.wire.framing import (
    AuthenticatedContent,
    FramedContent,
    FramedContentAuthData,
    PrivateMessage,
    PublicMessage,
    Sender,
)
from letterlock.mls.wire.message import decode_message, encode_message
from letterlock.mls.wire.proposals import RFC_PROPOSALS, Proposal

from .lab import Person

__all__ = ["StolenKeys", "cut_and_joined", "flipped", "relabelled"]


def flipped(message: bytes, seed: int = 0) -> Iterator[bytes]:
    """One bit of each byte changed, and every bit of the header."""
    rng = random.Random(seed)
    for place in range(len(message)):
        for bit in range(8) if place < 24 else (rng.randrange(8),):
            yield message[:place] + bytes([message[place] ^ 1 << bit]) + message[place + 1 :]


def cut_and_joined(message: bytes, others: list[bytes], seed: int = 0) -> Iterator[bytes]:
    """Shortened, lengthened, with parts of other messages, and with parts of itself moved."""
    rng = random.Random(seed)
    for _ in range(40):
        yield message[: rng.randrange(len(message))]
        yield message + rng.randbytes(rng.randrange(1, 20))
        other = rng.choice(others)
        at = rng.randrange(1, min(len(message), len(other)))
        yield message[:at] + other[at:]
        yield other[:at] + message[at:]
        a, b, c = sorted(rng.sample(range(len(message) + 1), 3))
        yield message[:a] + message[b:c] + message[a:b] + message[c:]


def relabelled(message: bytes, *, group_id: bytes | None = None, epoch: int | None = None) -> bytes:
    """The same message with another header."""
    value = decode_message(message, RFC_PROPOSALS, 1 << 20)
    if isinstance(value, PrivateMessage):
        value = replace(
            value,
            group_id=value.group_id if group_id is None else group_id,
            epoch=value.epoch if epoch is None else epoch,
        )
        return encode_message(value)
    assert isinstance(value, PublicMessage)
    content = value.content
    framed = FramedContent.build(
        group_id=content.group_id if group_id is None else group_id,
        epoch=content.epoch if epoch is None else epoch,
        sender=content.sender,
        authenticated_data=content.authenticated_data,
        content=content.content,
    )
    return encode_message(replace(value, content=framed))


class StolenKeys:
    """All that a member knows of the epoch it is in, copied, and its signature key."""

    def __init__(self, person: Person) -> None:
        epoch = person.g._member.active()
        self.state = person.g.state
        self.own_leaf = epoch.own_leaf
        self.sign = person.client.sign
        self.keys = epoch.keys
        self._messages = epoch.messages.rows()
        self._rng = seeded_rng(f"stolen from {person.name}")

    def public(
        self,
        content: Proposal | Commit,
        *,
        leaf: int | None = None,
        sign: Sign | None = None,
        epoch: int | None = None,
        group_id: bytes | None = None,
        confirmation_tag: bytes | None = None,
        signature: bytes | None = None,
    ) -> bytes:
        """A PublicMessage in the name of `leaf` (ours if None) with the membership tag of these keys."""
        framed = self._framed(content, leaf, epoch, group_id)
        signed = self._signed(PUBLIC_MESSAGE, framed, sign, confirmation_tag, signature)
        context = self.state.context.encoded
        return encode_message(protect_public(self.state.suite, signed, context, self.keys.membership_key))

    def private(
        self,
        content: bytes | Proposal | Commit,
        *,
        leaf: int | None = None,
        generation: int = 0,
        sign: Sign | None = None,
        epoch: int | None = None,
        group_id: bytes | None = None,
        confirmation_tag: bytes | None = None,
        signature: bytes | None = None,
    ) -> bytes:
        """A PrivateMessage encrypted with the key of `leaf` and `generation`, which every member can derive."""
        framed = self._framed(content, leaf, epoch, group_id)
        signed = self._signed(PRIVATE_MESSAGE, framed, sign, confirmation_tag, signature)
        suite = self.state.suite
        tree = SecretTree.from_rows(suite, self.state.tree.leaf_count, self._messages)
        kind = ratchet_kind(framed.content_type)
        key = tree.stage(framed.sender.index, kind, generation, 1 << 20, 1 << 20)
        return encode_message(seal_private(suite, signed, key, self.keys.sender_data_secret, 0, self._rng))

    def resealed(self, message: bytes, *, leaf: int | None = None) -> bytes:
        """A public message of somebody with its content in the name of `leaf`, and a new membership tag."""
        value = decode_message(message, RFC_PROPOSALS, 1 << 20)
        assert isinstance(value, PublicMessage)
        content = value.content.content
        assert not isinstance(content, bytes)
        return self.public(
            content, leaf=leaf, signature=value.auth.signature, confirmation_tag=value.auth.confirmation_tag
        )

    def _framed(
        self, content: bytes | Proposal | Commit, leaf: int | None, epoch: int | None, group_id: bytes | None
    ) -> FramedContent:
        return FramedContent.build(
            group_id=self.state.group_id if group_id is None else group_id,
            epoch=self.state.epoch if epoch is None else epoch,
            sender=Sender.member(self.own_leaf if leaf is None else leaf),
            authenticated_data=b"",
            content=content,
        )

    def _signed(
        self,
        wire_format: int,
        framed: FramedContent,
        sign: Sign | None,
        confirmation_tag: bytes | None,
        signature: bytes | None,
    ) -> AuthenticatedContent:
        if signature is None:
            suite, context = self.state.suite, self.state.context.encoded
            signature = sign_content(suite, sign or self.sign, wire_format, framed, context)
        if isinstance(framed.content, Commit) and confirmation_tag is None:
            confirmation_tag = bytes(self.state.suite.hash_length)
        return AuthenticatedContent(wire_format, framed, FramedContentAuthData(signature, confirmation_tag))
