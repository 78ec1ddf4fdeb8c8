"""PQXDH: the first secret of a session, from identity keys, pre-keys and one KEM encapsulation.

X25519, SHA-256 and Kyber1024 with libsignal's labels. The secret is authenticated by both identity keys
and survives a quantum computer that recorded everything; the identity binding itself does not claim to.
"""

from __future__ import annotations

from typing import NamedTuple

from ..crypto.kyber import kyber1024_decapsulate, kyber1024_encapsulate
from ..crypto.provider import CryptoProvider
from ..ids import Rng
from .keys import IdentityKeyPair, VerifiedBundle

__all__ = ["Initiation", "Secrets", "initiate", "respond"]

_INFO = b"WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024"
# PQXDH 2.2: keeps the KDF's input from ever beginning like a scalar or a point.
_DISCONTINUITY = b"\xff" * 32


class Secrets(NamedTuple):
    """What both ends derive: the first root key, the first chain key, and the key of the post-quantum ratchet."""

    root_key: bytes
    chain_key: bytes
    pq_key: bytes

    def __repr__(self) -> str:
        return "Secrets(<redacted>)"


class Initiation(NamedTuple):
    """The initiator's result: secrets, and what the first messages must carry."""

    secrets: Secrets
    base_key: bytes
    kem_ciphertext: bytes

    def __repr__(self) -> str:
        return "Initiation(<redacted>)"


def initiate(crypto: CryptoProvider, identity: IdentityKeyPair, bundle: VerifiedBundle, rng: Rng) -> Initiation:
    """Alice's half. Raises BadPublicKey when an agreement is all zero or a key does not fit (SR-12)."""
    base_private, base_key = crypto.x25519_generate(rng)
    agree = crypto.x25519
    agreements = [
        agree(identity.private, bundle.signed_key),
        agree(base_private, bundle.identity_key),
        agree(base_private, bundle.signed_key),
    ]
    if bundle.one_time_key is not None:
        agreements.append(agree(base_private, bundle.one_time_key))
    kem_secret, kem_ciphertext = kyber1024_encapsulate(crypto, bundle.kem_key, rng)
    return Initiation(_derive(crypto, agreements, kem_secret), base_key, kem_ciphertext)


def respond(
    crypto: CryptoProvider,
    identity: IdentityKeyPair,
    *,
    signed_private: bytes,
    one_time_private: bytes | None,
    kem_seed: bytes,
    their_identity_key: bytes,
    base_key: bytes,
    kem_ciphertext: bytes,
) -> Secrets:
    """Bob's half, with raw public keys from the message. Raises BadPublicKey (SR-12) or BadMac (a KEM ciphertext of wrong length)."""
    # SR-12: the base key names the session, here and in the memory of last-resort keys. A second spelling of the same
    # point, by its encoding or by torsion, would make one message begin two sessions.
    crypto.x25519_check(base_key)
    agree = crypto.x25519
    agreements = [
        agree(signed_private, their_identity_key),
        agree(identity.private, base_key),
        agree(signed_private, base_key),
    ]
    if one_time_private is not None:
        agreements.append(agree(one_time_private, base_key))
    return _derive(crypto, agreements, kyber1024_decapsulate(crypto, kem_seed, kem_ciphertext))


def _derive(crypto: CryptoProvider, agreements: list[bytes], kem_secret: bytes) -> Secrets:
    okm = crypto.hkdf_sha256(b"".join((_DISCONTINUITY, *agreements, kem_secret)), b"", _INFO, 96)
    return Secrets(okm[:32], okm[32:64], okm[64:])
