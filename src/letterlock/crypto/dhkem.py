"""DHKEM (RFC 9180 sections 4.1 and 7.1): Diffie-Hellman as a key encapsulation mechanism.

The agreement is the provider's, which refuses an all-zero X25519 result and points off the curve (section 7.1.4,
SR-12).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..errors import Bug
from ..ids import Rng
from . import curves
from .curves import NistCurve, check_x25519
from .hkdf import SHA256, SHA384, SHA512, Hkdf
from .hpke import Kem, Labelled
from .provider import CryptoProvider

__all__ = ["DHKEM_P256", "DHKEM_P384", "DHKEM_P521", "DHKEM_X25519", "dhkem"]

DHKEM_P256: Final = 0x0010
DHKEM_P384: Final = 0x0011
DHKEM_P521: Final = 0x0012
DHKEM_X25519: Final = 0x0020


def dhkem(crypto: CryptoProvider, number: int) -> Kem:
    """The KEM of that number in the HPKE registry."""
    if number == DHKEM_X25519:
        return _DhkemX25519(crypto)
    if number == DHKEM_P256:
        return _DhkemNist(number, curves.P256, SHA256, crypto.p256_public, crypto.p256_check, crypto.p256_exchange)
    if number == DHKEM_P384:
        return _DhkemNist(number, curves.P384, SHA384, crypto.p384_public, crypto.p384_check, crypto.p384_exchange)
    if number == DHKEM_P521:
        return _DhkemNist(number, curves.P521, SHA512, crypto.p521_public, crypto.p521_check, crypto.p521_exchange)
    raise Bug(f"no DHKEM {number:#06x}")


class _DhkemX25519:
    __slots__ = ("_crypto", "_labelled")

    id: Final = DHKEM_X25519
    n_enc: Final = 32
    n_pk: Final = 32

    def __init__(self, crypto: CryptoProvider) -> None:
        self._crypto = crypto
        self._labelled = Labelled(SHA256, _suite_id(self.id))

    def generate(self, rng: Rng) -> tuple[bytes, bytes]:
        return self._crypto.x25519_generate(rng)

    def derive_key_pair(self, ikm: bytes) -> tuple[bytes, bytes]:
        prk = self._labelled.extract(b"", b"dkp_prk", ikm)
        private = self._labelled.expand(prk, b"sk", b"", 32)
        return private, self._crypto.x25519_public(private)

    def public_of(self, private: bytes) -> bytes:
        return self._crypto.x25519_public(private)

    def check(self, public: bytes) -> None:
        check_x25519(public)

    def encap(self, public: bytes, rng: Rng) -> tuple[bytes, bytes]:
        private, enc = self._crypto.x25519_generate(rng)
        shared = _extract_and_expand(self._labelled, self._crypto.x25519(private, public), enc + public)
        return shared, enc

    def decap(self, enc: bytes, private: bytes) -> bytes:
        crypto = self._crypto
        return _extract_and_expand(self._labelled, crypto.x25519(private, enc), enc + crypto.x25519_public(private))


class _DhkemNist:
    __slots__ = ("_check", "_curve", "_exchange", "_labelled", "_public", "id", "n_enc", "n_pk")

    def __init__(
        self,
        number: int,
        curve: NistCurve,
        kdf: Hkdf,
        public: Callable[[bytes], bytes],
        check: Callable[[bytes], None],
        exchange: Callable[[bytes, bytes], tuple[bytes, bytes]],
    ) -> None:
        self.id = number
        self.n_enc = self.n_pk = curve.point_length
        self._curve = curve
        self._labelled = Labelled(kdf, _suite_id(number))
        self._public = public
        self._check = check
        self._exchange = exchange

    def generate(self, rng: Rng) -> tuple[bytes, bytes]:
        private = self._curve.generate(rng)
        return private, self._public(private)

    def derive_key_pair(self, ikm: bytes) -> tuple[bytes, bytes]:
        curve, expand = self._curve, self._labelled.expand
        prk = self._labelled.extract(b"", b"dkp_prk", ikm)
        for counter in range(256):
            drawn = expand(prk, b"candidate", bytes((counter,)), curve.scalar_length)
            private = bytes((drawn[0] & curve.top_mask,)) + drawn[1:]
            if curve.is_scalar(private):
                return private, self._public(private)
        raise Bug("no candidate is a scalar")  # DeriveKeyPairError: for P-256 one chance in 2^8192

    def public_of(self, private: bytes) -> bytes:
        return self._public(private)

    def check(self, public: bytes) -> None:
        self._check(public)

    def encap(self, public: bytes, rng: Rng) -> tuple[bytes, bytes]:
        dh, enc = self._exchange(self._curve.generate(rng), public)
        return _extract_and_expand(self._labelled, dh, enc + public), enc

    def decap(self, enc: bytes, private: bytes) -> bytes:
        dh, own_public = self._exchange(private, enc)
        return _extract_and_expand(self._labelled, dh, enc + own_public)


def _extract_and_expand(labelled: Labelled, dh: bytes, kem_context: bytes) -> bytes:
    prk = labelled.extract(b"", b"eae_prk", dh)
    return labelled.expand(prk, b"shared_secret", kem_context, labelled.kdf.length)


def _suite_id(number: int) -> bytes:
    return b"KEM" + number.to_bytes(2, "big")
