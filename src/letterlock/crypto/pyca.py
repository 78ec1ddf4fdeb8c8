"""`Pyca`: the crypto provider over `cryptography` (OpenSSL) and PyNaCl (libsodium).

Only modules named `*pyca` import either. What a primitive does stands in `curve25519_pyca`, `nist_pyca`,
`symmetric_pyca` and `mlkem_pyca`; here is the whole, handed on without a call in between, and what is of any scheme.
For each primitive the faster of the two was taken. Both libraries work in constant time on secrets; what is done in
Python integers touches public values only, but for the scalars of the NIST curves: see `nist_pyca`.

Malformed input from outside (public keys, signatures, ciphertexts) raises the classes of
`errors.CryptoError`; a private key, nonce or symmetric key of the wrong size is our own mistake
and raises InputError.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric import mlkem

from ..errors import BadPublicKey, BadSignature, InputError
from . import curve25519_pyca, hkdf, mlkem_pyca, symmetric_pyca
from .certificate import certificate_public_key
from .curve25519_pyca import ed25519_signer
from .mlkem_pyca import FreshKeys, decapsulate
from .nist_pyca import ECDSA_HASHES, P256, P384, P521
from .symmetric_pyca import KeyedAesGcm

__all__ = ["Pyca"]

# SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING of 65 bytes }: DER allows one spelling only.
_P256_SPKI: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")

_CURVES: Final = {"p256": P256, "p384": P384, "p521": P521}


class Pyca:
    """Implements `provider.CryptoProvider`. Safe to share between threads."""

    __slots__ = ("_kem768", "_kem1024")

    def __init__(self) -> None:
        self._kem768 = FreshKeys(mlkem.MLKEM768PrivateKey.from_seed_bytes)
        self._kem1024 = FreshKeys(mlkem.MLKEM1024PrivateKey.from_seed_bytes)

    # --- Curve25519 ----------------------------------------------------------------------------
    x25519_generate = staticmethod(curve25519_pyca.x25519_generate)
    x25519_public = staticmethod(curve25519_pyca.x25519_public)
    x25519 = staticmethod(curve25519_pyca.x25519)
    x25519_check = staticmethod(curve25519_pyca.x25519_check)

    # --- Edwards signatures ----------------------------------------------------------------------
    xeddsa_sign = staticmethod(curve25519_pyca.xeddsa_sign)
    xeddsa_verify = staticmethod(curve25519_pyca.xeddsa_verify)
    ed25519_public = staticmethod(curve25519_pyca.ed25519_public)
    ed25519_sign = staticmethod(curve25519_pyca.ed25519_sign)
    ed25519_verify = staticmethod(curve25519_pyca.ed25519_verify)

    # --- NIST curves -----------------------------------------------------------------------------
    p256_generate = staticmethod(P256.generate)
    p256_public = staticmethod(P256.public)
    p256_check = staticmethod(P256.check)
    p256_sign = staticmethod(P256.sign)
    p256_verify = staticmethod(P256.verify)
    p256_agree = staticmethod(P256.agree)
    p256_exchange = staticmethod(P256.exchange)

    p384_generate = staticmethod(P384.generate)
    p384_public = staticmethod(P384.public)
    p384_check = staticmethod(P384.check)
    p384_sign = staticmethod(P384.sign)
    p384_verify = staticmethod(P384.verify)
    p384_agree = staticmethod(P384.agree)
    p384_exchange = staticmethod(P384.exchange)

    p521_generate = staticmethod(P521.generate)
    p521_public = staticmethod(P521.public)
    p521_check = staticmethod(P521.check)
    p521_sign = staticmethod(P521.sign)
    p521_verify = staticmethod(P521.verify)
    p521_agree = staticmethod(P521.agree)
    p521_exchange = staticmethod(P521.exchange)

    def p256_spki(self, public: bytes) -> bytes:
        P256.check(public)
        return _P256_SPKI + public

    def p256_from_spki(self, spki: bytes) -> bytes:
        if not spki.startswith(_P256_SPKI):
            raise BadPublicKey("not the SubjectPublicKeyInfo of a P-256 key", code="crypto.public_key.spki")
        public = spki[len(_P256_SPKI) :]
        P256.check(public)
        return public

    # --- signatures of any scheme ------------------------------------------------------------------
    def signer(self, scheme: str, private: bytes) -> Callable[[bytes], bytes]:
        curve = _CURVES.get(scheme)
        if curve is not None:
            return curve.signer(private)
        if scheme != "ed25519":
            raise InputError(f"no such signature scheme: {scheme!r}", code="input.scheme")
        return ed25519_signer(private)

    def verify_many(self, checks: Sequence[tuple[str, bytes, bytes, bytes]]) -> None:
        # Both libraries let go of the GIL while they verify, so from some 16 signatures on threads pay. A thread gets
        # several slices one after the other, because the machine may be busy elsewhere and one thread late.
        count = len(checks)
        workers = (os.cpu_count() or 1) if count >= 16 else 1
        if workers == 1:
            self._verify_slice(checks, 0, count)
            return
        size = max(8, -(-count // (4 * workers)))
        slices = [_pool().submit(self._verify_slice, checks, at, min(at + size, count)) for at in range(0, count, size)]
        try:
            for verified in slices:  # in order, so that the first failure is the one that is named
                verified.result()
        finally:
            for verified in slices:
                verified.cancel()

    def _verify_slice(self, checks: Sequence[tuple[str, bytes, bytes, bytes]], start: int, stop: int) -> None:
        verify = {
            "ed25519": self.ed25519_verify,
            "xeddsa": self.xeddsa_verify,
            "p256": P256.verify,
            "p384": P384.verify,
            "p521": P521.verify,
        }
        for index in range(start, stop):
            scheme, public, message, signature = checks[index]
            if scheme not in verify:
                raise InputError(f"no such signature scheme: {scheme!r}", code="input.scheme")
            try:
                verify[scheme](public, message, signature)
            except (BadSignature, BadPublicKey) as error:
                raise BadSignature(f"signature {index} ({scheme}) does not hold") from error

    def ecdsa_verify(self, curve: str, hash_name: str, public: bytes, message: bytes, signature: bytes) -> None:
        if curve not in _CURVES or hash_name not in ECDSA_HASHES:
            raise InputError(f"no ECDSA with {curve!r} and {hash_name!r}", code="input.scheme")
        _CURVES[curve].verify(public, message, signature, hash_name)

    def certificate_public_key(self, der: bytes) -> tuple[str, bytes]:
        scheme, public = certificate_public_key(der)
        curve = _CURVES.get(scheme)
        if curve is not None:
            curve.check(public)
        return scheme, public

    # --- hashes and symmetric ----------------------------------------------------------------------
    hmac_sha256 = staticmethod(hkdf.SHA256.mac)

    hkdf_sha256 = staticmethod(symmetric_pyca.hkdf_sha256)
    aes_cbc_encrypt = staticmethod(symmetric_pyca.aes_cbc_encrypt)
    aes_cbc_decrypt = staticmethod(symmetric_pyca.aes_cbc_decrypt)
    aes_ctr = staticmethod(symmetric_pyca.aes_ctr)
    aes_gcm_seal = staticmethod(symmetric_pyca.aes_gcm_seal)
    aes_gcm_open = staticmethod(symmetric_pyca.aes_gcm_open)
    aes_gcm = KeyedAesGcm
    aes_gcm_siv_seal = staticmethod(symmetric_pyca.aes_gcm_siv_seal)
    aes_gcm_siv_open = staticmethod(symmetric_pyca.aes_gcm_siv_open)
    chacha20poly1305_seal = staticmethod(symmetric_pyca.chacha20poly1305_seal)
    chacha20poly1305_open = staticmethod(symmetric_pyca.chacha20poly1305_open)
    argon2id = staticmethod(symmetric_pyca.argon2id)

    # --- key encapsulation -------------------------------------------------------------------------
    def mlkem768_public(self, seed: bytes, *, keep: bool = True) -> bytes:
        key = self._kem768.put(seed) if keep else self._kem768.make(seed)
        return key.public_key().public_bytes_raw()

    mlkem768_check = staticmethod(mlkem_pyca.mlkem768_check)
    mlkem768_encapsulate = staticmethod(mlkem_pyca.mlkem768_encapsulate)

    def mlkem768_decapsulate(self, seed: bytes, ciphertext: bytes) -> bytes:
        return decapsulate(self._kem768.take(seed), ciphertext, 1088)

    def mlkem1024_public(self, seed: bytes) -> bytes:
        return self._kem1024.put(seed).public_key().public_bytes_raw()

    mlkem1024_encapsulate = staticmethod(mlkem_pyca.mlkem1024_encapsulate)

    def mlkem1024_decapsulate(self, seed: bytes, ciphertext: bytes) -> bytes:
        return decapsulate(self._kem1024.take(seed), ciphertext, 1568)


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked child has the pool but not its threads
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="letterlock-verify")
