"""X.509 chains for members: the leaf certificate has the member's signature key, a lab authority signs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

__all__ = ["Certified", "certified"]

CURVES: dict[int, tuple[ec.EllipticCurve, hashes.HashAlgorithm, int]] = {
    2: (ec.SECP256R1(), hashes.SHA256(), 32),
    5: (ec.SECP521R1(), hashes.SHA512(), 66),
    7: (ec.SECP384R1(), hashes.SHA384(), 48),
}
"""Curve, hash and length of a private key by cipher suite; the others have Ed25519."""


@dataclass(frozen=True)
class Certified:
    """A key pair as MLS encodes it, and its chain in DER, leaf first."""

    private_key: bytes = field(repr=False)
    public_key: bytes
    x509: list[bytes]


def certified(name: str, suite: int) -> Certified:
    """A new key of the suite's signature scheme with a chain of two."""
    authority = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Lab authority")])
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
    if suite in CURVES:
        curve, _, length = CURVES[suite]
        key = ec.generate_private_key(curve)
        private = key.private_numbers().private_value.to_bytes(length, "big")
        public = key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
    else:
        key = ed25519.Ed25519PrivateKey.generate()
        private, public = key.private_bytes_raw(), key.public_key().public_bytes_raw()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    root = _signed(issuer, issuer, authority.public_key(), authority)
    return Certified(private, public, [_signed(subject, issuer, key.public_key(), authority), root])


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey,
    authority: ec.EllipticCurvePrivateKey,
) -> bytes:
    today = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(hours=1))
        .not_valid_after(today + timedelta(days=1))
    )
    return builder.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
