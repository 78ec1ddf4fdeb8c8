"""Kyber1024 of round 3, the KEM in libsignal's pre-key messages, built from ML-KEM-1024.

Keys and ciphertexts are the same bytes; the two differ in the last hash. With K the secret that
ML-KEM gives, round 3's secret is SHAKE256(K || SHA3-256(ciphertext)), 32 bytes. For a ciphertext that
was tampered with both reject implicitly: the secrets differ from each other, but either is
unrelated to the sender's, which is all that PQXDH needs.

Raw forms only; the type byte 0x08 in front of them belongs to the Signal codec.
"""

from __future__ import annotations

import hashlib
from typing import Final

from ..ids import Rng
from .provider import CryptoProvider

__all__ = ["CIPHERTEXT_BYTES", "PUBLIC_KEY_BYTES", "SEED_BYTES", "kyber1024_decapsulate", "kyber1024_encapsulate"]

PUBLIC_KEY_BYTES: Final = 1568
CIPHERTEXT_BYTES: Final = 1568
SEED_BYTES: Final = 64


def kyber1024_encapsulate(provider: CryptoProvider, public: bytes, rng: Rng) -> tuple[bytes, bytes]:
    """(shared secret 32, ciphertext 1568). Raises BadPublicKey on a malformed key (SR-12)."""
    secret, ciphertext = provider.mlkem1024_encapsulate(public, rng)
    return _round3(secret, ciphertext), ciphertext


def kyber1024_decapsulate(provider: CryptoProvider, seed: bytes, ciphertext: bytes) -> bytes:
    """Shared secret, 32 bytes. Raises BadMac on a wrong length; a forged ciphertext gives an unrelated secret."""
    return _round3(provider.mlkem1024_decapsulate(seed, ciphertext), ciphertext)


def _round3(secret: bytes, ciphertext: bytes) -> bytes:
    return hashlib.shake_256(secret + hashlib.sha3_256(ciphertext).digest()).digest(32)
