"""RSA keys of other people's services, which sign with nothing else: Google's service accounts. Nothing of ours uses RSA."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ..errors import InputError

__all__ = ["RsaKey", "read_rsa_key"]

_MIN_BITS = 2048


@dataclass(frozen=True, slots=True)
class RsaKey:
    """A private key that was read from PEM; it stays inside the library."""

    _key: rsa.RSAPrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """PKCS #1 v1.5 with SHA-256 (RFC 8017 section 8.2): `RS256`."""
        return self._key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def read_rsa_key(pem: bytes) -> RsaKey:
    """Raises InputError for what is no RSA key of at least 2048 bits, in the clear."""
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        raise InputError("not an RSA private key in PEM", code="input.key") from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < _MIN_BITS:
        raise InputError(f"not an RSA key of at least {_MIN_BITS} bits", code="input.key")
    return RsaKey(key)
