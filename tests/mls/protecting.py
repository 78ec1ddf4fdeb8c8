"""A member that signs and protects messages, for the tests of message protection."""

from __future__ import annotations

import random
from collections.abc import Callable

from letterlock.crypto.pyca import Pyca
from letterlock.mls.protect.content import sign_content
from letterlock.mls.protect.private_message import open_private, open_sender_data, ratchet_kind, seal_private
from letterlock.mls.registries import PRIVATE_MESSAGE
from letterlock.mls.schedule.secret_tree import SecretTree, StagedKey
from letterlock.mls.suites import CipherSuite, cipher_suite
from letterlock.mls.wire.commit import Commit
from letterlock.mls.wire.framing import (
    AuthenticatedContent,
    FramedContent,
    FramedContentAuthData,
    PrivateMessage,
    Sender,
)
from letterlock.mls.wire.proposals import RFC_PROPOSALS, Proposal
from letterlock.mls.wire.welcome import GroupContext

__all__ = ["CRYPTO", "Epoch", "Member"]

CRYPTO = Pyca()


class Epoch:
    """What all members of an epoch share; each takes its own copy of the secret tree."""

    def __init__(self, suite_number: int = 1, leaf_count: int = 4, group_id: bytes = b"group", epoch: int = 7) -> None:
        self.suite: CipherSuite = cipher_suite(suite_number, CRYPTO)
        length = self.suite.hash_length
        self.leaf_count = leaf_count
        self.context = GroupContext(suite_number, group_id, epoch, b"t" * length, b"c" * length, ()).encoded
        self.group_id, self.epoch = group_id, epoch
        self.encryption_secret = b"e" * length
        self.sender_data_secret = b"s" * length
        self.membership_key = b"m" * length

    def tree(self) -> SecretTree:
        return SecretTree(self.suite, self.encryption_secret, self.leaf_count)


class Member:
    """One leaf with its own signature key."""

    def __init__(self, epoch: Epoch, leaf: int, seed: int = 1) -> None:
        self.of = epoch
        self.leaf = leaf
        self.rng = random.Random(f"{seed} {leaf}").randbytes
        private, self.public = epoch.suite.generate_signature_key(self.rng)
        self.sign: Callable[[bytes], bytes] = epoch.suite.signer(private)
        self.tree = epoch.tree()

    def authenticate(
        self,
        content: bytes | Proposal | Commit,
        wire_format: int = PRIVATE_MESSAGE,
        authenticated_data: bytes = b"",
        sender: Sender | None = None,
    ) -> AuthenticatedContent:
        of = self.of
        framed = FramedContent.build(
            group_id=of.group_id,
            epoch=of.epoch,
            sender=sender or Sender.member(self.leaf),
            authenticated_data=authenticated_data,
            content=content,
        )
        tag = b"T" * of.suite.hash_length if isinstance(content, Commit) else None
        signature = sign_content(of.suite, self.sign, wire_format, framed, of.context)
        return AuthenticatedContent(wire_format, framed, FramedContentAuthData(signature, tag))

    def seal(self, content: AuthenticatedContent, padding: int = 0) -> PrivateMessage:
        key = self.tree.next_key(self.leaf, ratchet_kind(content.content.content_type))
        return seal_private(self.of.suite, content, key, self.of.sender_data_secret, padding, self.rng)

    def open(self, message: PrivateMessage) -> tuple[AuthenticatedContent, StagedKey]:
        """Without the signature, and without consuming the key."""
        of = self.of
        sender_data = open_sender_data(of.suite, of.sender_data_secret, message)
        kind = ratchet_kind(message.content_type)
        key = self.tree.stage(sender_data.leaf_index, kind, sender_data.generation, 20, 20)
        return open_private(of.suite, message, sender_data, key, RFC_PROPOSALS).claimed, key
