"""The public key in an X.509 certificate, and nothing else of it: whether to believe the certificate is asked elsewhere.

A module of its own because `cryptography.x509` takes as long to import as all the rest.
"""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from ..errors import BadPublicKey, DecodeError

__all__ = ["certificate_public_key"]

_CURVES: Final = {"secp256r1": "p256", "secp384r1": "p384", "secp521r1": "p521"}


def certificate_public_key(der: bytes) -> tuple[str, bytes]:
    """(signature scheme, raw public key). See `provider.CryptoProvider`."""
    try:
        certificate = x509.load_der_x509_certificate(der)
    except ValueError as error:
        raise DecodeError("not a certificate in DER", code="x509.certificate") from error
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadPublicKey("the certificate holds no key that we know", code="crypto.public_key.certificate") from error
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ed25519", key.public_bytes_raw()
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        return _CURVES[key.curve.name], point
    raise BadPublicKey("the certificate's key is of another kind", code="crypto.public_key.certificate")
