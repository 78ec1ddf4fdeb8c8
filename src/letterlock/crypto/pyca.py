"""`Pyca`: the crypto provider over `cryptography` (OpenSSL) and PyNaCl (libsodium).

Only modules named `*pyca` import either. For each primitive the faster of the two was
taken. Both libraries work in constant time on secrets; what is done here in Python integers
touches public values only, but for the scalars of the NIST curves: see `nist_pyca`.

Malformed input from outside (public keys, signatures, ciphertexts) raises the classes of
`errors.CryptoError`; a private key, nonce or symmetric key of the wrong size is our own mistake
and raises InputError.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Final, Generic, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl import bindings as sodium
from nacl.exceptions import BadSignatureError, CryptoError

from ..errors import BadMac, BadPublicKey, BadSignature, InputError
from ..ids import Rng
from . import hkdf
from .certificate import certificate_public_key
from .nist_pyca import ECDSA_HASHES, P256, P384, P521
from .provider import Octets

__all__ = ["Pyca"]

_SHA256: Final = hashes.SHA256()
# SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING of 65 bytes }: DER allows one spelling only.
_P256_SPKI: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")

_CURVES: Final = {"p256": P256, "p384": P384, "p521": P521}

_FIELD: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_MINUS_ONE: Final = X25519PrivateKey.from_private_bytes((5 * _ORDER - 1).to_bytes(32, "little"))  # clamped already
_XEDDSA_HASH1: Final = b"\xfe" + b"\xff" * 31  # 2^256 - 2, little-endian: XEdDSA section 2.5, hash_1
_PADDING: Final = tuple(bytes((n,)) * n for n in range(17))


class Pyca:
    """Implements `provider.CryptoProvider`. Safe to share between threads."""

    __slots__ = ("_kem768", "_kem1024")

    def __init__(self) -> None:
        self._kem768 = _Fresh(mlkem.MLKEM768PrivateKey.from_seed_bytes)
        self._kem1024 = _Fresh(mlkem.MLKEM1024PrivateKey.from_seed_bytes)

    # --- Curve25519 ----------------------------------------------------------------------------
    def x25519_generate(self, rng: Rng) -> tuple[bytes, bytes]:
        private = _clamp(rng(32))
        return private, sodium.crypto_scalarmult_base(private)

    def x25519_public(self, private: bytes) -> bytes:
        _length("X25519 private key", private, 32)
        return sodium.crypto_scalarmult_base(private)

    def x25519(self, private: bytes, public: bytes) -> bytes:
        if len(public) != 32:
            raise BadPublicKey("an X25519 public key is 32 bytes", code="crypto.public_key.length")
        _length("X25519 private key", private, 32)
        try:
            return sodium.crypto_scalarmult(private, public)  # refuses an all-zero result (SR-12)
        except CryptoError as error:
            raise BadPublicKey("the agreement is all zero", code="crypto.public_key.zero") from error

    def x25519_check(self, public: bytes) -> None:
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

    # --- Edwards signatures ----------------------------------------------------------------------
    def xeddsa_sign(self, private: bytes, message: bytes, rng: Rng) -> bytes:
        _length("X25519 private key", private, 32)
        a = _clamp(private)
        public = sodium.crypto_scalarmult_ed25519_base_noclamp(a)
        reduce, sha512 = sodium.crypto_core_ed25519_scalar_reduce, hashlib.sha512
        r = reduce(sha512(_XEDDSA_HASH1 + a + message + rng(64)).digest())
        nonce_point = sodium.crypto_scalarmult_ed25519_base_noclamp(r)
        h = reduce(sha512(nonce_point + public + message).digest())
        s = sodium.crypto_core_ed25519_scalar_add(r, sodium.crypto_core_ed25519_scalar_mul(h, a))
        # The paper negates a to make the sign bit 0; libsignal keeps a and sends the (public) bit above s.
        return nonce_point + s[:31] + bytes((s[31] | (public[31] & 0x80),))

    def xeddsa_verify(self, public: bytes, message: bytes, signature: bytes) -> None:
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

    def ed25519_public(self, seed: bytes) -> bytes:
        _length("Ed25519 seed", seed, 32)
        return sodium.crypto_sign_seed_keypair(seed)[0]

    def ed25519_sign(self, seed: bytes, message: bytes) -> bytes:
        _length("Ed25519 seed", seed, 32)
        return sodium.crypto_sign(message, sodium.crypto_sign_seed_keypair(seed)[1])[:64]

    def ed25519_verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        if len(public) != 32:
            raise BadPublicKey("an Ed25519 public key is 32 bytes", code="crypto.public_key.length")
        if len(signature) != 64:
            raise BadSignature("an Ed25519 signature is 64 bytes")
        try:
            sodium.crypto_sign_open(signature + message, public)
        except BadSignatureError as error:
            raise BadSignature("the Ed25519 signature does not hold") from error

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
        _length("Ed25519 seed", private, 32)
        expanded = sodium.crypto_sign_seed_keypair(private)[1]
        return lambda message: sodium.crypto_sign(message, expanded)[:64]

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

    def hkdf_sha256(self, ikm: bytes, salt: bytes, info: bytes, length: int) -> bytes:
        try:
            return HKDF(_SHA256, length, salt, info).derive(ikm)
        except ValueError as error:
            raise InputError("HKDF-SHA256 gives 1 to 8160 bytes", code="input.length") from error

    def aes_cbc_encrypt(self, key: bytes, iv: bytes, plaintext: bytes) -> bytes:
        padded = plaintext + _PADDING[16 - len(plaintext) % 16]
        try:
            return Cipher(AES(key), CBC(iv)).encryptor().update(padded)  # whole blocks: finalize() has nothing to add
        except ValueError as error:
            raise InputError("wrong AES key or IV length", code="input.length") from error

    def aes_cbc_decrypt(self, key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
        if not ciphertext or len(ciphertext) % 16:
            raise BadMac("the ciphertext does not decrypt")
        try:
            padded = Cipher(AES(key), CBC(iv)).decryptor().update(ciphertext)
        except ValueError as error:
            raise InputError("wrong AES key or IV length", code="input.length") from error
        # Not in constant time: callers have checked their MAC, so nobody gets to ask about a chosen padding.
        count = padded[-1]
        if not 1 <= count <= 16 or not padded.endswith(_PADDING[count]):
            raise BadMac("the ciphertext does not decrypt")
        return padded[:-count]

    def aes_ctr(self, key: bytes, counter: bytes, data: bytes) -> bytes:
        try:
            return Cipher(AES(key), CTR(counter)).encryptor().update(data)
        except ValueError as error:
            raise InputError("wrong AES key or counter length", code="input.length") from error

    def aes_gcm_seal(self, key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
        _length("GCM nonce", nonce, 12)
        return _gcm(key).encrypt(nonce, plaintext, ad)

    def aes_gcm_open(self, key: bytes, nonce: bytes, ciphertext: bytes, ad: bytes) -> bytes:
        _length("GCM nonce", nonce, 12)
        try:
            return _gcm(key).decrypt(nonce, ciphertext, ad)
        except InvalidTag as error:
            raise BadMac("the ciphertext does not decrypt") from error

    def aes_gcm(self, key: bytes) -> KeyedAesGcm:
        return KeyedAesGcm(key)

    def aes_gcm_siv_seal(self, key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
        _length("GCM-SIV nonce", nonce, 12)
        return _gcm_siv(key).encrypt(nonce, plaintext, ad)

    def aes_gcm_siv_open(self, key: bytes, nonce: bytes, ciphertext: bytes, ad: bytes) -> bytes:
        _length("GCM-SIV nonce", nonce, 12)
        try:
            return _gcm_siv(key).decrypt(nonce, ciphertext, ad)
        except InvalidTag as error:
            raise BadMac("the ciphertext does not decrypt") from error

    def chacha20poly1305_seal(self, key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
        _length("ChaCha20 nonce", nonce, 12)
        return _chacha(key).encrypt(nonce, plaintext, ad)

    def chacha20poly1305_open(self, key: bytes, nonce: bytes, ciphertext: bytes, ad: bytes) -> bytes:
        _length("ChaCha20 nonce", nonce, 12)
        try:
            return _chacha(key).decrypt(nonce, ciphertext, ad)
        except InvalidTag as error:
            raise BadMac("the ciphertext does not decrypt") from error

    def argon2id(
        self, passphrase: bytes, salt: bytes, *, memory_kib: int, iterations: int, lanes: int, length: int
    ) -> bytes:
        try:
            kdf = Argon2id(salt=salt, length=length, iterations=iterations, lanes=lanes, memory_cost=memory_kib)
        except ValueError as error:
            raise InputError("Argon2id refuses these parameters", code="input.argon2") from error
        return kdf.derive(passphrase)

    # --- key encapsulation -------------------------------------------------------------------------
    def mlkem768_public(self, seed: bytes, *, keep: bool = True) -> bytes:
        key = self._kem768.put(seed) if keep else self._kem768.make(seed)
        return key.public_key().public_bytes_raw()

    def mlkem768_check(self, public: bytes) -> None:
        try:
            mlkem.MLKEM768PublicKey.from_public_bytes(public)
        except ValueError as error:
            raise BadPublicKey("not an ML-KEM-768 key", code="crypto.public_key.mlkem") from error

    def mlkem768_encapsulate(self, public: bytes, rng: Rng) -> tuple[bytes, bytes]:
        try:
            return mlkem.MLKEM768PublicKey.from_public_bytes(public).encapsulate()
        except ValueError as error:
            raise BadPublicKey("not an ML-KEM-768 key", code="crypto.public_key.mlkem") from error

    def mlkem768_decapsulate(self, seed: bytes, ciphertext: bytes) -> bytes:
        return _decapsulate(self._kem768.take(seed), ciphertext, 1088)

    def mlkem1024_public(self, seed: bytes) -> bytes:
        return self._kem1024.put(seed).public_key().public_bytes_raw()

    def mlkem1024_encapsulate(self, public: bytes, rng: Rng) -> tuple[bytes, bytes]:
        try:
            return mlkem.MLKEM1024PublicKey.from_public_bytes(public).encapsulate()
        except ValueError as error:
            raise BadPublicKey("not an ML-KEM-1024 key", code="crypto.public_key.mlkem") from error

    def mlkem1024_decapsulate(self, seed: bytes, ciphertext: bytes) -> bytes:
        return _decapsulate(self._kem1024.take(seed), ciphertext, 1568)


class KeyedAesGcm:
    """Implements `provider.AesGcm`."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        self._aead = _gcm(key)

    def seal(self, nonce: bytes, plaintext: Octets, ad: bytes) -> bytes:
        _length("GCM nonce", nonce, 12)
        return self._aead.encrypt(nonce, plaintext, ad)

    def seal_into(self, nonce: bytes, plaintext: Octets, ad: bytes, out: memoryview) -> None:
        _length("GCM nonce", nonce, 12)
        try:
            self._aead.encrypt_into(nonce, plaintext, ad, out)
        except ValueError as error:
            raise InputError("the buffer is not as long as the ciphertext", code="input.length") from error

    def open_into(self, nonce: bytes, ciphertext: Octets, ad: bytes, out: memoryview) -> None:
        _length("GCM nonce", nonce, 12)
        try:
            self._aead.decrypt_into(nonce, ciphertext, ad, out)
        except InvalidTag as error:
            # OpenSSL decrypts first and compares then: what nobody has vouched for stands in the buffer (measured).
            out[:] = bytes(len(out))
            raise BadMac("the ciphertext does not decrypt") from error
        except ValueError as error:
            raise InputError("the buffer is not as long as the plaintext", code="input.length") from error


# --- helpers -------------------------------------------------------------------------------------
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


def _length(what: str, value: bytes, length: int) -> None:
    if len(value) != length:
        raise InputError(f"{what}: {length} bytes, not {len(value)}", code="input.length")


def _gcm(key: bytes) -> AESGCM:  # made anew each time: a message key must not outlive its message in a cache
    try:
        return AESGCM(key)
    except ValueError as error:
        raise InputError("wrong AES key length", code="input.length") from error


def _chacha(key: bytes) -> ChaCha20Poly1305:
    try:
        return ChaCha20Poly1305(key)
    except ValueError as error:
        raise InputError("a ChaCha20 key is 32 bytes", code="input.length") from error


@lru_cache(maxsize=4)
def _gcm_siv(key: bytes) -> AESGCMSIV:
    try:
        return AESGCMSIV(key)
    except ValueError as error:
        raise InputError("wrong AES key length", code="input.length") from error


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked child has the pool but not its threads
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="letterlock-verify")


def _decapsulate(key: mlkem.MLKEM768PrivateKey | mlkem.MLKEM1024PrivateKey, ciphertext: bytes, length: int) -> bytes:
    if len(ciphertext) != length:
        raise BadMac(f"the KEM ciphertext is not {length} bytes")
    return key.decapsulate(ciphertext)


_Key = TypeVar("_Key")


class _Fresh(Generic[_Key]):
    """Expanded KEM keys that were made lately and not yet used: expanding a seed costs more than decapsulating.

    Taking a key out removes it, so that a one-time key does not outlive its use here; at most 8 stay.
    """

    __slots__ = ("_expand", "_keys", "_lock")

    def __init__(self, expand: Callable[[bytes], _Key]) -> None:
        self._expand = expand
        self._keys: OrderedDict[bytes, _Key] = OrderedDict()
        self._lock = threading.Lock()

    def make(self, seed: bytes) -> _Key:
        _length("ML-KEM seed", seed, 64)
        return self._expand(seed)

    def put(self, seed: bytes) -> _Key:
        key = self.make(seed)
        with self._lock:
            self._keys[seed] = key
            if len(self._keys) > 8:
                self._keys.popitem(last=False)
        return key

    def take(self, seed: bytes) -> _Key:
        _length("ML-KEM seed", seed, 64)
        with self._lock:
            key = self._keys.pop(seed, None)
        return key or self._expand(seed)
