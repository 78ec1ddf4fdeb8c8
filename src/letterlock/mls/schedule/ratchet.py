"""One sender ratchet (RFC 9420 section 9.1) and the keys that come out of it.

A ratchet holds the secret of its next generation only; older ones are gone, but for the keys of generations
that were jumped over and whose messages may still arrive.
"""

from __future__ import annotations

from enum import IntEnum
from itertools import islice
from typing import Final

from ...errors import InputError
from ..suites import CipherSuite

__all__ = ["MAX_GENERATION", "MessageKey", "Ratchet", "RatchetKind", "StagedKey"]

MAX_GENERATION: Final = 0xFFFFFFFF


class RatchetKind(IntEnum):
    """Which of a member's two ratchets: the content type of a message decides."""

    HANDSHAKE = 0
    APPLICATION = 1


class MessageKey:
    """Key and nonce of one generation, for one message. The nonce still lacks the reuse guard."""

    __slots__ = ("generation", "key", "nonce")

    def __init__(self, generation: int, key: bytes, nonce: bytes) -> None:
        self.generation = generation
        self.key = key
        self.nonce = nonce


class StagedKey(MessageKey):
    """The key of a received message that nobody has authenticated yet: derived, and nothing deleted for it.

    `SecretTree.consume` empties it.
    """

    __slots__ = ("chain", "kind", "leaf", "max_skipped", "path")

    def __init__(
        self,
        leaf: int,
        kind: RatchetKind,
        generation: int,
        key: bytes,
        nonce: bytes,
        max_skipped: int,
        chain: tuple[bytes, ...] = (),
        path: dict[int, bytes] | None = None,
    ) -> None:
        self.leaf = leaf
        self.kind = kind
        self.generation = generation
        self.key = key
        self.nonce = nonce
        self.max_skipped = max_skipped
        self.chain = chain
        """Ratchet secrets up to that of `generation`; only the last ones, whose skipped keys will be kept."""
        self.path = path
        """Node secrets down to the leaf, if its ratchets did not exist yet."""

    def empty(self) -> None:
        """Let go of everything secret (section 9.2)."""
        self.key = self.nonce = b""
        self.chain = ()
        self.path = None


class Ratchet:
    """The state of one ratchet. `skipped` maps a generation, in rising order, to its key and nonce."""

    __slots__ = ("generation", "secret", "skipped")

    def __init__(self, generation: int, secret: bytes) -> None:
        self.generation = generation
        self.secret = secret
        self.skipped: dict[int, bytes] = {}

    def next_key(self, suite: CipherSuite) -> MessageKey:
        """The key of the next generation; the secret that it came from is replaced by the one after it.

        Raises InputError after the last generation: the counter never wraps (section 9.1).
        """
        generation = self.generation
        if generation > MAX_GENERATION:
            raise InputError(
                "every message key of this epoch is used",
                code="mls.generation",
                hint="commit: a new epoch has new keys",
            )
        derive, secret = suite.derive_tree_secret, self.secret
        key = MessageKey(
            generation,
            derive(secret, "key", generation, suite.key_length),
            derive(secret, "nonce", generation, suite.nonce_length),
        )
        self._advance(suite, generation, secret)
        return key

    def jump(self, suite: CipherSuite, staged: StagedKey) -> tuple[list[int], list[int]]:
        """Go past the generation of `staged`; gives the generations now kept as skipped, and those let go for them."""
        generation, chain, skipped = staged.generation, staged.chain, self.skipped
        derive = suite.derive_tree_secret
        # Another message may have moved the ratchet since this key was staged: then only the rest is missing.
        kept = list(range(max(self.generation, generation - len(chain) + 1), generation))
        for missed, secret in zip(kept, chain[-1 - len(kept) :], strict=False):
            key = derive(secret, "key", missed, suite.key_length)
            skipped[missed] = key + derive(secret, "nonce", missed, suite.nonce_length)
        self._advance(suite, generation, chain[-1])
        oldest = list(islice(skipped, max(0, len(skipped) - staged.max_skipped)))
        for missed in oldest:
            del skipped[missed]
        return kept, oldest

    def _advance(self, suite: CipherSuite, generation: int, secret: bytes) -> None:
        last = generation == MAX_GENERATION
        self.secret = b"" if last else suite.derive_tree_secret(secret, "secret", generation, suite.hash_length)
        self.generation = generation + 1
