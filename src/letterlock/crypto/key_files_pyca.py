"""P-256 private keys in PEM files (PKCS #8), encrypted or not: those of a service, which no person unlocks.

The key stays inside the library; what is handed out is its public half and signatures.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ..errors import InputError

__all__ = ["FileKey", "generate_key", "public_key_pem", "read_key", "read_public_key"]

_ECDSA = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_PEM = serialization.Encoding.PEM
_DER = serialization.Encoding.DER
_SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


@dataclass(frozen=True, slots=True)
class FileKey:
    """A private key that was read from PEM. `spki` is its public half in DER, `public_key` the 65-byte point."""

    spki: bytes
    public_key: bytes
    _key: ec.EllipticCurvePrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """ECDSA with SHA-256, DER, deterministic."""
        return self._key.sign(message, _ECDSA)


def generate_key(passphrase: bytes | None) -> bytes:
    """A new key as PEM, encrypted under the passphrase; in the clear without one."""
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        if not passphrase:
            raise InputError("an empty passphrase protects nothing", code="input.passphrase")
        protection = serialization.BestAvailableEncryption(passphrase)
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(_PEM, serialization.PrivateFormat.PKCS8, protection)


def read_key(pem: bytes, passphrase: bytes | None) -> FileKey:
    """Raises InputError for what is no P-256 key, a wrong passphrase, and one where none is needed or none given."""
    try:
        key = serialization.load_pem_private_key(pem, passphrase)
    except TypeError as error:
        needed = passphrase is None
        raise InputError(
            "the key is encrypted" if needed else "the key is not encrypted",
            code="input.key_protection",
            hint="give its passphrase" if needed else "a passphrase was given for a key in the clear: which was meant?",
        ) from error
    except ValueError as error:
        raise InputError("not a private key in PEM, or the wrong passphrase", code="input.key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InputError("the key is not one of P-256", code="input.key")
    return FileKey(*_public(key.public_key()), key)


def read_public_key(pem: bytes) -> bytes:
    """DER SubjectPublicKeyInfo out of PEM. Raises InputError unless it is a P-256 key."""
    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError as error:
        raise InputError("not a public key in PEM", code="input.key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InputError("the key is not one of P-256", code="input.key")
    return _public(key)[0]


def public_key_pem(spki: bytes) -> bytes:
    """PEM of a DER SubjectPublicKeyInfo."""
    return serialization.load_der_public_key(spki).public_bytes(_PEM, _SPKI)


def _public(key: ec.EllipticCurvePublicKey) -> tuple[bytes, bytes]:
    point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return key.public_bytes(_DER, _SPKI), point
