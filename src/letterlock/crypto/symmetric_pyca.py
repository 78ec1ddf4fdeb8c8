"""HKDF, AES, ChaCha20-Poly1305 and Argon2id over OpenSSL. `pyca.Pyca` hands these functions on."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..errors import BadMac, InputError
from .lengths import check_length
from .provider import Octets

__all__ = [
    "KeyedAesGcm",
    "aes_cbc_decrypt",
    "aes_cbc_encrypt",
    "aes_ctr",
    "aes_gcm_open",
    "aes_gcm_seal",
    "aes_gcm_siv_open",
    "aes_gcm_siv_seal",
    "argon2id",
    "chacha20poly1305_open",
    "chacha20poly1305_seal",
    "hkdf_sha256",
]

_SHA256: Final = hashes.SHA256()
_PADDING: Final = tuple(bytes((n,)) * n for n in range(17))


def hkdf_sha256(ikm: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    try:
        return HKDF(_SHA256, length, salt, info).derive(ikm)
    except ValueError as error:
        raise InputError("HKDF-SHA256 gives 1 to 8160 bytes", code="input.length") from error


def aes_cbc_encrypt(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    padded = plaintext + _PADDING[16 - len(plaintext) % 16]
    try:
        return Cipher(AES(key), CBC(iv)).encryptor().update(padded)  # whole blocks: finalize() has nothing to add
    except ValueError as error:
        raise InputError("wrong AES key or IV length", code="input.length") from error


def aes_cbc_decrypt(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
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


def aes_ctr(key: bytes, counter: bytes, data: bytes) -> bytes:
    try:
        return Cipher(AES(key), CTR(counter)).encryptor().update(data)
    except ValueError as error:
        raise InputError("wrong AES key or counter length", code="input.length") from error


def aes_gcm_seal(key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
    check_length("GCM nonce", nonce, 12)
    return _gcm(key).encrypt(nonce, plaintext, ad)


def aes_gcm_open(key: bytes, nonce: bytes, ciphertext: bytes, ad: bytes) -> bytes:
    check_length("GCM nonce", nonce, 12)
    try:
        return _gcm(key).decrypt(nonce, ciphertext, ad)
    except InvalidTag as error:
        raise BadMac("the ciphertext does not decrypt") from error


def aes_gcm_siv_seal(key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
    check_length("GCM-SIV nonce", nonce, 12)
    return _gcm_siv(key).encrypt(nonce, plaintext, ad)


def aes_gcm_siv_open(key: bytes, nonce: bytes, ciphertext: bytes, ad: bytes) -> bytes:
    check_length("GCM-SIV nonce", nonce, 12)
    try:
        return _gcm_siv(key).decrypt(nonce, ciphertext, ad)
    except InvalidTag as error:
        raise BadMac("the ciphertext does not decrypt") from error


def chacha20poly1305_seal(key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
    check_length("ChaCha20 nonce", nonce, 12)
    return _chacha(key).encrypt(nonce, plaintext, ad)


def chacha20poly1305_open(key: bytes, nonce: bytes, ciphertext: bytes, ad: bytes) -> bytes:
    check_length("ChaCha20 nonce", nonce, 12)
    try:
        return _chacha(key).decrypt(nonce, ciphertext, ad)
    except InvalidTag as error:
        raise BadMac("the ciphertext does not decrypt") from error


def argon2id(passphrase: bytes, salt: bytes, *, memory_kib: int, iterations: int, lanes: int, length: int) -> bytes:
    try:
        kdf = Argon2id(salt=salt, length=length, iterations=iterations, lanes=lanes, memory_cost=memory_kib)
    except ValueError as error:
        raise InputError("Argon2id refuses these parameters", code="input.argon2") from error
    return kdf.derive(passphrase)


class KeyedAesGcm:
    """Implements `provider.AesGcm`."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        self._aead = _gcm(key)

    def seal(self, nonce: bytes, plaintext: Octets, ad: bytes) -> bytes:
        check_length("GCM nonce", nonce, 12)
        return self._aead.encrypt(nonce, plaintext, ad)

    def seal_into(self, nonce: bytes, plaintext: Octets, ad: bytes, out: memoryview) -> None:
        check_length("GCM nonce", nonce, 12)
        try:
            self._aead.encrypt_into(nonce, plaintext, ad, out)
        except ValueError as error:
            raise InputError("the buffer is not as long as the ciphertext", code="input.length") from error

    def open_into(self, nonce: bytes, ciphertext: Octets, ad: bytes, out: memoryview) -> None:
        check_length("GCM nonce", nonce, 12)
        try:
            self._aead.decrypt_into(nonce, ciphertext, ad, out)
        except InvalidTag as error:
            # OpenSSL decrypts first and compares then: what nobody has vouched for stands in the buffer (measured).
            out[:] = bytes(len(out))
            raise BadMac("the ciphertext does not decrypt") from error
        except ValueError as error:
            raise InputError("the buffer is not as long as the plaintext", code="input.length") from error


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
