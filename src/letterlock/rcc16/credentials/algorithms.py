"""The signatures of RCC.16: ECDSA with SHA-2 on the curves P-256, P-384 and P-521, and never RSA (rcc16.md 1.3).

Keys come as SubjectPublicKeyInfo in the one spelling that correct issuers write, an uncompressed point on a named curve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from ...crypto.provider import CryptoProvider
from ...errors import BadPublicKey, BadSignature

__all__ = ["ECDSA_SHA256", "HASHES", "Key", "Sign", "ecdsa_holds", "key_of", "spki_of"]

Sign = Callable[[bytes], bytes]
"""Signs a message with a key that stays where it is, ECDSA in DER: a provider's `signer`, or a hardware token."""

ECDSA_SHA256: Final = bytes.fromhex("300a06082a8648ce3d040302")
"""AlgorithmIdentifier without parameters."""

HASHES: Final[Mapping[bytes, str]] = MappingProxyType(
    {
        ECDSA_SHA256: "sha256",
        bytes.fromhex("300a06082a8648ce3d040303"): "sha384",
        bytes.fromhex("300a06082a8648ce3d040304"): "sha512",
    }
)
"""The hash of each AlgorithmIdentifier that is accepted, in DER."""

# SubjectPublicKeyInfo up to the point (RFC 5480); the length in it leaves the point one length only.
_CURVES: Final = (
    ("p256", bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200"), 65),
    ("p384", bytes.fromhex("3076301006072a8648ce3d020106052b81040022036200"), 97),
    ("p521", bytes.fromhex("30819b301006072a8648ce3d020106052b8104002303818600"), 133),
)


class Key(NamedTuple):
    """A public key: which curve, and the uncompressed point."""

    curve: str
    point: bytes


def key_of(spki: bytes) -> Key | None:
    """None for a key of another kind. That the point is on its curve, a verification finds out."""
    for curve, prefix, length in _CURVES:
        if spki.startswith(prefix) and len(spki) == len(prefix) + length and spki[len(prefix)] == 4:
            return Key(curve, spki[len(prefix) :])
    return None


def spki_of(point: bytes) -> bytes:
    """SubjectPublicKeyInfo of a P-256 point of 65 bytes."""
    return _CURVES[0][1] + point


def ecdsa_holds(crypto: CryptoProvider, spki: bytes, algorithm: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is good. Not if the key or the algorithm is none of the profile's."""
    key, hash_name = key_of(spki), HASHES.get(algorithm)
    if key is None or hash_name is None:
        return False
    try:
        crypto.ecdsa_verify(key.curve, hash_name, key.point, message, signature)
    except (BadSignature, BadPublicKey):
        return False
    return True
