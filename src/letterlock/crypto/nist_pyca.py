"""One NIST curve over OpenSSL: ECDSA and ECDH with raw points and scalars. `pyca.Pyca` has one for each curve."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ..errors import BadPublicKey, BadSignature, InputError
from . import curves
from .curves import NistCurve

__all__ = ["ECDSA_HASHES", "P256", "P384", "P521", "NistPyca"]

_ECDH: Final = ec.ECDH()
ECDSA_HASHES: Final = {
    "sha256": ec.ECDSA(hashes.SHA256()),
    "sha384": ec.ECDSA(hashes.SHA384()),
    "sha512": ec.ECDSA(hashes.SHA512()),
}
"""For verifying what others signed with another hash than the curve's own."""


class NistPyca:
    """Public keys are uncompressed points, private keys scalars. Stateless but for a cache of decoded public points."""

    __slots__ = ("_curve", "_library_curve", "_sign", "_verify", "generate", "point")

    def __init__(self, curve: NistCurve, library_curve: ec.EllipticCurve, hash_: hashes.HashAlgorithm) -> None:
        self._curve = curve
        self._library_curve = library_curve
        self._sign = ec.ECDSA(hash_, deterministic_signing=True)
        self._verify = ec.ECDSA(hash_)
        self.generate = curve.generate
        self.point: Callable[[bytes], ec.EllipticCurvePublicKey] = lru_cache(maxsize=256)(self._decode)
        """The decoded point. Raises BadPublicKey unless it is uncompressed and on the curve."""

    def public(self, private: bytes) -> bytes:
        return _encoded(self._key(private).public_key())

    def sign(self, private: bytes, message: bytes) -> bytes:
        return self._key(private).sign(message, self._sign)

    def signer(self, private: bytes) -> Callable[[bytes], bytes]:
        key, algorithm = self._key(private), self._sign
        return lambda message: key.sign(message, algorithm)

    def verify(self, public: bytes, message: bytes, signature: bytes, hash_name: str | None = None) -> None:
        """By the curve's own hash, or by the one of that name."""
        algorithm = self._verify if hash_name is None else ECDSA_HASHES[hash_name]
        try:
            self.point(public).verify(signature, message, algorithm)
        except InvalidSignature as error:
            raise BadSignature("the ECDSA signature does not hold") from error

    def agree(self, private: bytes, public: bytes) -> bytes:
        point = self.point(public)
        return self._key(private).exchange(_ECDH, point)

    def exchange(self, private: bytes, public: bytes) -> tuple[bytes, bytes]:
        point = self.point(public)
        key = self._key(private)
        return key.exchange(_ECDH, point), _encoded(key.public_key())

    def check(self, public: bytes) -> None:
        self.point(public)

    def _key(self, private: bytes) -> ec.EllipticCurvePrivateKey:
        """Expanded for one use: half the time of an operation goes there, hence `signer` and `exchange`.

        The scalar passes through a Python integer, because OpenSSL is not given it in any other way. Reading
        bytes into one and comparing it with the order does not branch on more than the topmost words.
        """
        if not self._curve.is_scalar(private):
            raise InputError(f"not a private key of {self._curve.name}", code=f"input.{self._curve.name}")
        return ec.derive_private_key(int.from_bytes(private, "big"), self._library_curve)

    def _decode(self, public: bytes) -> ec.EllipticCurvePublicKey:
        length = self._curve.point_length
        if len(public) != length or public[0] != 4:
            what = f"a point of {self._curve.name} is {length} bytes, uncompressed"
            raise BadPublicKey(what, code="crypto.public_key.length")
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(self._library_curve, public)
        except ValueError as error:
            raise BadPublicKey(f"the point is not on {self._curve.name}", code="crypto.public_key.curve") from error


def _encoded(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


P256: Final = NistPyca(curves.P256, ec.SECP256R1(), hashes.SHA256())
P384: Final = NistPyca(curves.P384, ec.SECP384R1(), hashes.SHA384())
P521: Final = NistPyca(curves.P521, ec.SECP521R1(), hashes.SHA512())
