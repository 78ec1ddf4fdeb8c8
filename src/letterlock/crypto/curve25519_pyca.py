"""Curve25519 over libsodium and OpenSSL: agreement, XEdDSA and Ed25519. `pyca.Pyca` hands these functions on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from nacl import bindings as sodium
from nacl.exceptions import BadSignatureError, CryptoError

from ..errors import BadPublicKey, BadSignature
from ..ids import Rng
from .lengths import check_length

__all__ = [
    "ed25519_public",
    "ed25519_sign",
    "ed25519_signer",
    "ed25519_verify",
    "edwards_y",
    "x25519",
    "x25519_check",
    "x25519_generate",
    "x25519_public",
    "xeddsa_sign",
    "xeddsa_verify",
]

_FIELD: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_MINUS_ONE: Final = X25519PrivateKey.from_private_bytes((5 * _ORDER - 1).to_bytes(32, "little"))  # clamped already
_XEDDSA_HASH1: Final = b"\xfe" + b"\xff" * 31  # 2^256 - 2, little-endian: XEdDSA section 2.5, hash_1


def x25519_generate(rng: Rng) -> tuple[bytes, bytes]:
    private = _clamp(rng(32))
    return private, sodium.crypto_scalarmult_base(private)


def x25519_public(private: bytes) -> bytes:
    check_length("X25519 private key", private, 32)
    return sodium.crypto_scalarmult_base(private)


def x25519(private: bytes, public: bytes) -> bytes:
    if len(public) != 32:
        raise BadPublicKey("an X25519 public key is 32 bytes", code="crypto.public_key.length")
    check_length("X25519 private key", private, 32)
    try:
        return sodium.crypto_scalarmult(private, public)  # refuses an all-zero result (SR-12)
    except CryptoError as error:
        raise BadPublicKey("the agreement is all zero", code="crypto.public_key.zero") from error


def x25519_check(public: bytes) -> None:
    # The scalar is -1 modulo the prime order and 0 modulo 8: it gives u back exactly for a point of prime order,
    # loses any torsion, gives zero for small order and another u on the twist (SR-12).
    if len(public) != 32:
        raise BadPublicKey("an X25519 public key is 32 bytes", code="crypto.public_key.length")
    if int.from_bytes(public, "little") >= _FIELD:
        raise BadPublicKey("the public key is not in canonical form", code="crypto.public_key.canonical")
    try:
        result = _MINUS_ONE.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise BadPublicKey("the point is of small order", code="crypto.public_key.zero") from error
    if result != public:
        raise BadPublicKey("the point is not in the prime-order group", code="crypto.public_key.torsion")


def xeddsa_sign(private: bytes, message: bytes, rng: Rng) -> bytes:
    check_length("X25519 private key", private, 32)
    a = _clamp(private)
    public = sodium.crypto_scalarmult_ed25519_base_noclamp(a)
    reduce, sha512 = sodium.crypto_core_ed25519_scalar_reduce, hashlib.sha512
    r = reduce(sha512(_XEDDSA_HASH1 + a + message + rng(64)).digest())
    nonce_point = sodium.crypto_scalarmult_ed25519_base_noclamp(r)
    h = reduce(sha512(nonce_point + public + message).digest())
    s = sodium.crypto_core_ed25519_scalar_add(r, sodium.crypto_core_ed25519_scalar_mul(h, a))
    # The paper negates a to make the sign bit 0; libsignal keeps a and sends the (public) bit above s.
    return nonce_point + s[:31] + bytes((s[31] | (public[31] & 0x80),))


def xeddsa_verify(public: bytes, message: bytes, signature: bytes) -> None:
    if len(signature) != 64:
        raise BadSignature("an XEdDSA signature is 64 bytes")
    y = edwards_y(public)
    last = signature[63]
    if last & 0x80:
        signature = signature[:63] + bytes((last & 0x7F,))
        y = y[:31] + bytes((y[31] | 0x80,))
    # libsodium is stricter than the paper (s < q, no small-order key): an honest signer never notices.
    try:
        sodium.crypto_sign_open(signature + message, y)
    except BadSignatureError as error:
        raise BadSignature("the XEdDSA signature does not hold") from error


def ed25519_public(seed: bytes) -> bytes:
    check_length("Ed25519 seed", seed, 32)
    return sodium.crypto_sign_seed_keypair(seed)[0]


def ed25519_sign(seed: bytes, message: bytes) -> bytes:
    check_length("Ed25519 seed", seed, 32)
    return sodium.crypto_sign(message, sodium.crypto_sign_seed_keypair(seed)[1])[:64]


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> None:
    if len(public) != 32:
        raise BadPublicKey("an Ed25519 public key is 32 bytes", code="crypto.public_key.length")
    if len(signature) != 64:
        raise BadSignature("an Ed25519 signature is 64 bytes")
    try:
        sodium.crypto_sign_open(signature + message, public)
    except BadSignatureError as error:
        raise BadSignature("the Ed25519 signature does not hold") from error


def ed25519_signer(seed: bytes) -> Callable[[bytes], bytes]:
    """Sign with one key that is expanded once."""
    check_length("Ed25519 seed", seed, 32)
    expanded = sodium.crypto_sign_seed_keypair(seed)[1]
    return lambda message: sodium.crypto_sign(message, expanded)[:64]


@lru_cache(maxsize=1024)
def edwards_y(public: bytes) -> bytes:
    """The Edwards y = (u - 1) / (u + 1) of a Montgomery u, sign bit clear; cached, for u is public.

    Raises BadPublicKey on a wrong length, u >= p (so also on a set high bit) and u = -1 (SR-12).
    """
    if len(public) != 32:
        raise BadPublicKey("an X25519 public key is 32 bytes", code="crypto.public_key.length")
    u = int.from_bytes(public, "little")
    if u >= _FIELD:
        raise BadPublicKey("the public key is not in canonical form", code="crypto.public_key.canonical")
    if u == _FIELD - 1:  # no such point on the curve, and no y either
        raise BadPublicKey("the point is not in the prime-order group", code="crypto.public_key.torsion")
    return ((u - 1) * pow(u + 1, -1, _FIELD) % _FIELD).to_bytes(32, "little")


def _clamp(scalar: bytes) -> bytes:
    """RFC 7748 section 5. Fixed positions, so it says nothing about the rest."""
    return bytes((scalar[0] & 0xF8,)) + scalar[1:31] + bytes((scalar[31] & 0x7F | 0x40,))
