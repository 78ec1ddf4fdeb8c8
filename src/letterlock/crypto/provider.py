"""What the protocol cores ask of cryptography: one interface, injected.

The cores import this module and never an implementation. `pyca.Pyca` implements it over
`cryptography` and PyNaCl; the tests have a deterministic one; on iOS an app brings its own.

Conventions: keys and messages are `bytes`; Curve25519 public keys here are the raw 32 bytes (the
0x05 type byte belongs to the Signal codec); a private X25519 key is 32 clamped bytes. A failed
check raises `BadPublicKey`, `BadSignature` or `BadMac` and never returns a half-result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from ..ids import Rng

__all__ = ["AesGcm", "CryptoProvider", "Octets"]

Octets: TypeAlias = bytes | bytearray | memoryview
"""What is read in place, without a copy."""


class AesGcm(Protocol):
    """AES-GCM under one key, whose schedule is made once: for the many chunks of a file. Safe to share between threads.

    The key lives as long as this does. Nonces are 12 bytes and never come twice: the caller sees to that.
    """

    def seal(self, nonce: bytes, plaintext: Octets, ad: bytes) -> bytes:
        """Ciphertext and 16-byte tag."""
        ...

    def seal_into(self, nonce: bytes, plaintext: Octets, ad: bytes, out: memoryview) -> None:
        """The same, into `out`, which is as long as plaintext and tag."""
        ...

    def open_into(self, nonce: bytes, ciphertext: Octets, ad: bytes, out: memoryview) -> None:
        """Into `out`, which is as long as the plaintext. Raises BadMac, and `out` is all zeros then (SR-15)."""
        ...


class CryptoProvider(Protocol):
    """Every primitive the project uses. Methods are pure but for those that take `rng`."""

    def __hash__(self) -> int:
        """What was made for a provider is kept by the provider; identity will do."""
        ...

    # --- Curve25519 ----------------------------------------------------------------------------
    def x25519_generate(self, rng: Rng) -> tuple[bytes, bytes]:
        """(private, public), 32 bytes each, private clamped (RFC 7748 section 5)."""
        ...

    def x25519_public(self, private: bytes) -> bytes:
        """The public key of a private one."""
        ...

    def x25519(self, private: bytes, public: bytes) -> bytes:
        """The 32-byte agreement. Raises BadPublicKey on a wrong length or an all-zero result (SR-12)."""
        ...

    def x25519_check(self, public: bytes) -> None:
        """Raises BadPublicKey unless the point is canonical (u < p, high bit clear) and free of torsion (SR-12)."""
        ...

    # --- Edwards signatures ----------------------------------------------------------------------
    def xeddsa_sign(self, private: bytes, message: bytes, rng: Rng) -> bytes:
        """64-byte XEdDSA signature by an X25519 private key; the Edwards sign bit rides in the top bit of s."""
        ...

    def xeddsa_verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """Raises BadSignature (or BadPublicKey) unless the signature holds."""
        ...

    def ed25519_public(self, seed: bytes) -> bytes:
        """Public key of a 32-byte seed (RFC 8032)."""
        ...

    def ed25519_sign(self, seed: bytes, message: bytes) -> bytes:
        """64-byte signature (RFC 8032)."""
        ...

    def ed25519_verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """Raises BadSignature (or BadPublicKey) unless the signature holds."""
        ...

    # --- NIST curves -----------------------------------------------------------------------------
    def p256_generate(self, rng: Rng) -> bytes:
        """A private scalar, 32 bytes big-endian, 1 <= d < n."""
        ...

    def p256_public(self, private: bytes) -> bytes:
        """The public point, 65 bytes SEC1 uncompressed."""
        ...

    def p256_check(self, public: bytes) -> None:
        """Raises BadPublicKey unless it is an uncompressed point on the curve."""
        ...

    def p256_sign(self, private: bytes, message: bytes) -> bytes:
        """ECDSA with SHA-256, DER signature, deterministic (RFC 6979)."""
        ...

    def p256_verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """Raises BadSignature (or BadPublicKey) unless the DER signature holds under the 65-byte point."""
        ...

    def p256_agree(self, private: bytes, public: bytes) -> bytes:
        """ECDH, the 32-byte x coordinate. Raises BadPublicKey."""
        ...

    def p256_exchange(self, private: bytes, public: bytes) -> tuple[bytes, bytes]:
        """The agreement and the public key of `private`, which a KEM needs together. Raises BadPublicKey."""
        ...

    def p256_spki(self, public: bytes) -> bytes:
        """DER SubjectPublicKeyInfo of a 65-byte point. Raises BadPublicKey if it is not on the curve."""
        ...

    def p256_from_spki(self, spki: bytes) -> bytes:
        """The 65-byte point of a DER SubjectPublicKeyInfo. Raises BadPublicKey unless it is exactly a P-256 key."""
        ...

    def p384_generate(self, rng: Rng) -> bytes:
        """A private scalar, 48 bytes big-endian, 1 <= d < n."""
        ...

    def p384_public(self, private: bytes) -> bytes:
        """The public point, 97 bytes SEC1 uncompressed."""
        ...

    def p384_check(self, public: bytes) -> None:
        """Raises BadPublicKey unless it is an uncompressed point on the curve."""
        ...

    def p384_sign(self, private: bytes, message: bytes) -> bytes:
        """ECDSA with SHA-384, DER signature, deterministic (RFC 6979)."""
        ...

    def p384_verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """Raises BadSignature (or BadPublicKey) unless the DER signature holds under the 97-byte point."""
        ...

    def p384_agree(self, private: bytes, public: bytes) -> bytes:
        """ECDH, the 48-byte x coordinate. Raises BadPublicKey."""
        ...

    def p384_exchange(self, private: bytes, public: bytes) -> tuple[bytes, bytes]:
        """The agreement and the public key of `private`, which a KEM needs together. Raises BadPublicKey."""
        ...

    def p521_generate(self, rng: Rng) -> bytes:
        """A private scalar, 66 bytes big-endian, 1 <= d < n."""
        ...

    def p521_public(self, private: bytes) -> bytes:
        """The public point, 133 bytes SEC1 uncompressed."""
        ...

    def p521_check(self, public: bytes) -> None:
        """Raises BadPublicKey unless it is an uncompressed point on the curve."""
        ...

    def p521_sign(self, private: bytes, message: bytes) -> bytes:
        """ECDSA with SHA-512, DER signature, deterministic (RFC 6979)."""
        ...

    def p521_verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """Raises BadSignature (or BadPublicKey) unless the DER signature holds under the 133-byte point."""
        ...

    def p521_agree(self, private: bytes, public: bytes) -> bytes:
        """ECDH, the 66-byte x coordinate. Raises BadPublicKey."""
        ...

    def p521_exchange(self, private: bytes, public: bytes) -> tuple[bytes, bytes]:
        """The agreement and the public key of `private`, which a KEM needs together. Raises BadPublicKey."""
        ...

    # --- signatures of any scheme ------------------------------------------------------------------
    def signer(self, scheme: str, private: bytes) -> Callable[[bytes], bytes]:
        """Signs with one key again and again; scheme is `ed25519`, `p256`, `p384` or `p521`.

        The key is expanded here, once, so it lives as long as the signer does.
        """
        ...

    def verify_many(self, checks: Sequence[tuple[str, bytes, bytes, bytes]]) -> None:
        """Check (scheme, public, message, signature) for all; the schemes are those of `signer`, and `xeddsa`.

        Raises BadSignature naming the first index that fails; a provider may work in parallel.
        """
        ...

    def ecdsa_verify(self, curve: str, hash_name: str, public: bytes, message: bytes, signature: bytes) -> None:
        """For certificates, which do not tie the hash to the curve: `p256`, `p384` or `p521` with `sha256`, `sha384`
        or `sha512`. `public` is an uncompressed point. Raises BadSignature (or BadPublicKey)."""
        ...

    def certificate_public_key(self, der: bytes) -> tuple[str, bytes]:
        """(scheme, public key as raw bytes or uncompressed point) out of an X.509 certificate.

        Says nothing about the certificate's validity. Raises DecodeError if it is none, BadPublicKey if the key
        is of a kind that no scheme here takes.
        """
        ...

    # --- hashes and symmetric ----------------------------------------------------------------------
    def hmac_sha256(self, key: bytes, message: bytes) -> bytes:
        """32 bytes (RFC 2104)."""
        ...

    def hkdf_sha256(self, ikm: bytes, salt: bytes, info: bytes, length: int) -> bytes:
        """Extract and expand (RFC 5869); an empty salt means 32 zero bytes."""
        ...

    def aes_cbc_encrypt(self, key: bytes, iv: bytes, plaintext: bytes) -> bytes:
        """AES-CBC with PKCS #7 padding."""
        ...

    def aes_cbc_decrypt(self, key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
        """Raises BadMac on a wrong length or padding. Callers check their MAC first."""
        ...

    def aes_ctr(self, key: bytes, counter: bytes, data: bytes) -> bytes:
        """AES-CTR with a 16-byte initial counter block; its own inverse."""
        ...

    def aes_gcm_seal(self, key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
        """Ciphertext and 16-byte tag."""
        ...

    def aes_gcm_open(self, key: bytes, nonce: bytes, ciphertext: bytes, ad: bytes) -> bytes:
        """Raises BadMac."""
        ...

    def aes_gcm(self, key: bytes) -> AesGcm:
        """AES-GCM under one key, for many chunks."""
        ...

    def aes_gcm_siv_seal(self, key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
        """RFC 8452; ciphertext and 16-byte tag."""
        ...

    def aes_gcm_siv_open(self, key: bytes, nonce: bytes, ciphertext: bytes, ad: bytes) -> bytes:
        """Raises BadMac."""
        ...

    def chacha20poly1305_seal(self, key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
        """RFC 8439; ciphertext and 16-byte tag."""
        ...

    def chacha20poly1305_open(self, key: bytes, nonce: bytes, ciphertext: bytes, ad: bytes) -> bytes:
        """Raises BadMac."""
        ...

    def argon2id(
        self, passphrase: bytes, salt: bytes, *, memory_kib: int, iterations: int, lanes: int, length: int
    ) -> bytes:
        """RFC 9106. Takes hundreds of milliseconds by design: call it off the event loop."""
        ...

    # --- key encapsulation -------------------------------------------------------------------------
    def mlkem768_public(self, seed: bytes, *, keep: bool = True) -> bytes:
        """Encapsulation key (1184 bytes) of a 64-byte seed d || z (FIPS 203).

        With `keep` the provider may hold the expanded key ready for the decapsulation that follows.
        """
        ...

    def mlkem768_check(self, public: bytes) -> None:
        """Raises BadPublicKey unless it is an encapsulation key (length and modulus, FIPS 203 section 7.2)."""
        ...

    def mlkem768_encapsulate(self, public: bytes, rng: Rng) -> tuple[bytes, bytes]:
        """(shared secret 32, ciphertext 1088). A provider whose library draws its own coins ignores `rng`."""
        ...

    def mlkem768_decapsulate(self, seed: bytes, ciphertext: bytes) -> bytes:
        """Shared secret, 32 bytes; a forged ciphertext gives an unrelated one (implicit rejection)."""
        ...

    def mlkem1024_public(self, seed: bytes) -> bytes:
        """Encapsulation key (1568 bytes) of a 64-byte seed."""
        ...

    def mlkem1024_encapsulate(self, public: bytes, rng: Rng) -> tuple[bytes, bytes]:
        """(shared secret 32, ciphertext 1568)."""
        ...

    def mlkem1024_decapsulate(self, seed: bytes, ciphertext: bytes) -> bytes:
        """Shared secret, 32 bytes."""
        ...
