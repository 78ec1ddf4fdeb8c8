"""The Triple Ratchet: Double Ratchet and SPQR side by side, their keys mixed for every message.

`Ratchet` is an immutable value; `send` and `receive` return the next one beside the message's keys, and
the caller keeps it only when the message turned out genuine (SR-07).

Two departures from the pseudocode, neither visible on the wire. Our next ratchet key is made when we
next send (Double Ratchet 8.5), so that receiving needs no randomness and the old private key is gone at
once. And like libsignal, a turn does not close the chain before it: the last few receiving chains stay,
each bounded by itself, so the header's previous counter is not needed.
"""

from __future__ import annotations

from typing import NamedTuple

from ..crypto.provider import CryptoProvider
from ..errors import DuplicateMessage, NoSession, ProtocolError, TooFarAhead
from ..ids import Rng
from .limits import Limits
from .pqxdh import Secrets
from .spqr import Spqr

__all__ = ["SKIPPED_SIZE", "Ratchet", "ReceivingChain", "SendingChain", "Sent"]

SKIPPED_SIZE = 36
"""One skipped key: counter (4 bytes, big-endian) and seed (32)."""

_ROOT_INFO = b"WhisperRatchet"
_MESSAGE_INFO = b"WhisperMessageKeys"
_COUNTER_END = 0xFFFFFFFF


class SendingChain(NamedTuple):
    """Our current ratchet key and the chain under it; `counter` is that of the next message."""

    private: bytes
    public: bytes
    chain_key: bytes
    counter: int

    def __repr__(self) -> str:
        return f"SendingChain(counter={self.counter})"


class ReceivingChain(NamedTuple):
    """One of the peer's ratchet keys and the chain under it.

    `skipped` holds the seeds of messages that have not come yet as sorted 36-byte entries: one flat
    string costs nothing to copy, to pack or to bound. Seeds, not keys, because the post-quantum key
    that completes a message key is known only when the message is there.
    """

    ratchet_key: bytes
    chain_key: bytes
    counter: int
    skipped: bytes

    def __repr__(self) -> str:
        return f"ReceivingChain(counter={self.counter}, skipped={len(self.skipped) // SKIPPED_SIZE})"


class Sent(NamedTuple):
    """The ratchet after a send, the message's header, and its keys: cipher (32), MAC (32), IV (16)."""

    ratchet: Ratchet
    ratchet_key: bytes
    counter: int
    previous_counter: int
    pq_message: bytes
    keys: bytes

    def __repr__(self) -> str:
        return f"Sent(counter={self.counter})"


class Ratchet(NamedTuple):
    """Both ratchets of one session. `sending` is None until we answer the peer's newest ratchet key.

    `receiving` has the newest chain first.
    """

    root_key: bytes
    sending: SendingChain | None
    receiving: tuple[ReceivingChain, ...]
    previous_counter: int
    spqr: Spqr

    def __repr__(self) -> str:
        return f"Ratchet({self.sending}, {self.receiving}, {self.spqr})"

    @classmethod
    def initiator(cls, crypto: CryptoProvider, secrets: Secrets, their_signed_key: bytes) -> Ratchet:
        """Alice's start: Bob's signed pre-key is his first ratchet key, and the derived chain his."""
        chain = ReceivingChain(their_signed_key, secrets.chain_key, 0, b"")
        return cls(secrets.root_key, None, (chain,), 0, Spqr.initiate(crypto, secrets.pq_key, True))

    @classmethod
    def responder(
        cls, crypto: CryptoProvider, secrets: Secrets, signed_private: bytes, signed_public: bytes
    ) -> Ratchet:
        """Bob's start: his signed pre-key is his first ratchet key, and the derived chain the one under it."""
        sending = SendingChain(signed_private, signed_public, secrets.chain_key, 0)
        return cls(secrets.root_key, sending, (), 0, Spqr.initiate(crypto, secrets.pq_key, False))

    def send(self, crypto: CryptoProvider, rng: Rng) -> Sent:
        """Keys and header for one outgoing message."""
        root_key, sending, receiving, previous_counter, spqr = self
        if sending is None:
            private, public = crypto.x25519_generate(rng)
            root_key, chain_key = _turn(crypto, root_key, private, receiving[0].ratchet_key)
            counter = 0
        else:
            private, public, chain_key, counter = sending
            if counter >= _COUNTER_END:
                raise ProtocolError("the sending chain is used up", code="protocol.counter")
        spqr, pq_message, pq_key = spqr.send(rng)
        hmac = crypto.hmac_sha256
        # KDF_HYBRID of Double Ratchet 6.3: the post-quantum key is the salt, the classical seed the input.
        keys = crypto.hkdf_sha256(hmac(chain_key, b"\x01"), pq_key, _MESSAGE_INFO, 80)
        after = SendingChain(private, public, hmac(chain_key, b"\x02"), counter + 1)
        return Sent(
            Ratchet(root_key, after, receiving, previous_counter, spqr),
            public,
            counter,
            previous_counter,
            pq_message,
            keys,
        )

    def receive(
        self, crypto: CryptoProvider, ratchet_key: bytes, counter: int, pq_message: bytes, limits: Limits
    ) -> tuple[Ratchet, bytes]:
        """The ratchet after one incoming message, and the message's keys. Nothing is authenticated yet.

        Raises DuplicateMessage, TooFarAhead, NoSession (a ratchet key that cannot be the peer's next),
        BadPublicKey, or what `Spqr.receive` raises.
        """
        root_key, sending, receiving, previous_counter, spqr = self
        position = 0
        for chain in receiving:
            if chain.ratchet_key == ratchet_key:
                break
            position += 1
        else:
            if sending is None:
                # The peer turns only after it saw a new key of ours, and we have sent none since its last turn.
                raise NoSession("a new ratchet key out of turn", code="protocol.no_session.turn")
            root_key, chain_key = _turn(crypto, root_key, sending.private, ratchet_key)
            chain = ReceivingChain(ratchet_key, chain_key, 0, b"")
            receiving = (chain, *receiving[: limits.max_receiving_chains - 1])
            position = 0
            previous_counter = max(sending.counter - 1, 0)  # libsignal's value; no receiver reads it
            sending = None
        # Cheap refusals come before the post-quantum ratchet spends time.
        ahead = counter - chain.counter
        if ahead < 0:
            seed, chain = _take_skipped(chain, counter)
        elif ahead > limits.max_forward_jump:
            raise TooFarAhead(f"{ahead} messages ahead, at most {limits.max_forward_jump} allowed")
        spqr, pq_key = spqr.receive(pq_message)
        if ahead == 0:
            hmac = crypto.hmac_sha256
            chain_key = chain.chain_key
            seed = hmac(chain_key, b"\x01")
            chain = ReceivingChain(ratchet_key, hmac(chain_key, b"\x02"), counter + 1, chain.skipped)
        elif ahead > 0:
            seed, chain = _skip_to(crypto, chain, counter, limits.max_message_keys)
        if len(receiving) == 1:
            receiving = (chain,)
        else:
            receiving = (*receiving[:position], chain, *receiving[position + 1 :])
        keys = crypto.hkdf_sha256(seed, pq_key, _MESSAGE_INFO, 80)
        return Ratchet(root_key, sending, receiving, previous_counter, spqr), keys


def _turn(crypto: CryptoProvider, root_key: bytes, private: bytes, public: bytes) -> tuple[bytes, bytes]:
    """KDF_RK over a new agreement: (root key, chain key)."""
    okm = crypto.hkdf_sha256(crypto.x25519(private, public), root_key, _ROOT_INFO, 64)
    return okm[:32], okm[32:]


def _skip_to(
    crypto: CryptoProvider, chain: ReceivingChain, counter: int, max_keys: int
) -> tuple[bytes, ReceivingChain]:
    """Run the chain forward to `counter`, keeping at most `max_keys` seeds of what lies between (SR-08)."""
    hmac = crypto.hmac_sha256
    chain_key = chain.chain_key
    entries = [chain.skipped]
    first_kept = counter - max_keys
    for index in range(chain.counter, counter):
        if index >= first_kept:
            entries.append(index.to_bytes(4, "big") + hmac(chain_key, b"\x01"))
        chain_key = hmac(chain_key, b"\x02")
    skipped = b"".join(entries)
    excess = len(skipped) - max_keys * SKIPPED_SIZE
    if excess > 0:
        skipped = skipped[excess:]
    seed = hmac(chain_key, b"\x01")
    return seed, ReceivingChain(chain.ratchet_key, hmac(chain_key, b"\x02"), counter + 1, skipped)


def _take_skipped(chain: ReceivingChain, counter: int) -> tuple[bytes, ReceivingChain]:
    """Take one skipped seed out. Raises DuplicateMessage when it is not there (any more)."""
    skipped = chain.skipped
    wanted = counter.to_bytes(4, "big")
    low, high = 0, len(skipped) // SKIPPED_SIZE
    while low < high:
        middle = (low + high) // 2
        at = middle * SKIPPED_SIZE
        if skipped[at : at + 4] < wanted:
            low = middle + 1
        else:
            high = middle
    at = low * SKIPPED_SIZE
    if skipped[at : at + 4] != wanted:
        raise DuplicateMessage(f"message {counter} of its chain was read before, or is too old")
    after = skipped[:at] + skipped[at + SKIPPED_SIZE :]
    return skipped[at + 4 : at + SKIPPED_SIZE], chain._replace(skipped=after)
