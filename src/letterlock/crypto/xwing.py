"""X-Wing: ML-KEM-768 and X25519 in one key encapsulation mechanism, secure while either of them is.

draft-connolly-cfrg-xwing-kem; in HPKE it is KEM 0x647a. draft-ietf-hpke-pq calls the same mechanism
MLKEM768-X25519 and differs in one place, how a key pair is derived from a secret, so that is a choice here.
Stricter than the draft: an all-zero X25519 agreement is refused (SR-12).
"""

from __future__ import annotations

from hashlib import sha3_256, shake_256
from typing import Final

from ..errors import InputError
from ..ids import Rng
from .curves import check_x25519
from .provider import CryptoProvider

__all__ = ["XWING", "XWing"]

XWING: Final = 0x647A
"""The number in the HPKE registry."""

_LABEL: Final = b"\\.//^\\"
_ML_KEM_PUBLIC: Final = 1184
_ML_KEM_CIPHERTEXT: Final = 1088
_LABELLED_DERIVE: Final = b"".join((b"HPKE-v1", b"KEM\x64\x7a", b"\x00\x0dDeriveKeyPair", b"\x00\x20"))


class XWing:
    """A `hpke.Kem`. A private key is the 32-byte seed. `labelled_derive` takes the rule of draft-ietf-hpke-pq."""

    __slots__ = ("_crypto", "_derivation")

    id: Final = XWING
    n_enc: Final = 1120
    n_pk: Final = 1216

    def __init__(self, crypto: CryptoProvider, *, labelled_derive: bool) -> None:
        self._crypto = crypto
        self._derivation = _LABELLED_DERIVE if labelled_derive else b""

    def generate(self, rng: Rng) -> tuple[bytes, bytes]:
        seed = rng(32)
        return seed, self.public_of(seed)

    def derive_key_pair(self, ikm: bytes) -> tuple[bytes, bytes]:
        seed = shake_256(ikm + self._derivation).digest(32)
        return seed, self.public_of(seed)

    def public_of(self, private: bytes) -> bytes:
        ml_kem_seed, scalar = _expand(private)
        # Not kept: the keys of a tree are rarely used soon, and must be gone when they are replaced.
        ml_kem_public = self._crypto.mlkem768_public(ml_kem_seed, keep=False)
        return ml_kem_public + self._crypto.x25519_public(scalar)

    def check(self, public: bytes) -> None:
        self._crypto.mlkem768_check(public[:_ML_KEM_PUBLIC])
        check_x25519(public[_ML_KEM_PUBLIC:])

    def encap(self, public: bytes, rng: Rng) -> tuple[bytes, bytes]:
        ml_kem_public, x25519_public = public[:_ML_KEM_PUBLIC], public[_ML_KEM_PUBLIC:]
        ml_kem_shared, ml_kem_ciphertext = self._crypto.mlkem768_encapsulate(ml_kem_public, rng)
        private, x25519_ciphertext = self._crypto.x25519_generate(rng)
        x25519_shared = self._crypto.x25519(private, x25519_public)
        shared = _combine(ml_kem_shared, x25519_shared, x25519_ciphertext, x25519_public)
        return shared, ml_kem_ciphertext + x25519_ciphertext

    def decap(self, enc: bytes, private: bytes) -> bytes:
        ml_kem_seed, scalar = _expand(private)
        x25519_ciphertext = enc[_ML_KEM_CIPHERTEXT:]
        x25519_shared = self._crypto.x25519(scalar, x25519_ciphertext)  # refuses all but 32 bytes, so the rest is whole
        ml_kem_shared = self._crypto.mlkem768_decapsulate(ml_kem_seed, enc[:_ML_KEM_CIPHERTEXT])
        return _combine(ml_kem_shared, x25519_shared, x25519_ciphertext, self._crypto.x25519_public(scalar))


def _expand(private: bytes) -> tuple[bytes, bytes]:
    """Seed of the ML-KEM key pair and X25519 scalar (section 5.2)."""
    if len(private) != 32:
        raise InputError("an X-Wing private key is 32 bytes", code="input.length")
    expanded = shake_256(private).digest(96)
    return expanded[:64], expanded[64:]


def _combine(ml_kem_shared: bytes, x25519_shared: bytes, x25519_ciphertext: bytes, x25519_public: bytes) -> bytes:
    """Section 5.3. The ML-KEM ciphertext need not be hashed: decapsulation binds it already."""
    return sha3_256(ml_kem_shared + x25519_shared + x25519_ciphertext + x25519_public + _LABEL).digest()
