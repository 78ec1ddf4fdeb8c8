"""JSON Web Tokens as push services ask for them (RFC 7515, RFC 7518): ES256, for Apple and VAPID."""

from __future__ import annotations

from collections.abc import Mapping

from ...codec.der import DerReader
from ...codec.jwt import base64url, signed_token
from ...crypto.key_files_pyca import FileKey

__all__ = ["base64url", "es256"]

_SCALAR = 32


def es256(key: FileKey, claims: Mapping[str, str | int], key_id: str = "") -> str:
    """Signed with a P-256 key."""
    return signed_token("ES256", claims, lambda text: _raw(key.sign(text)), key_id=key_id)


def _raw(signature: bytes) -> bytes:
    """r and s, 32 bytes each, of a signature in DER (RFC 7518 section 3.4)."""
    numbers = DerReader(signature, max_bytes=80, max_depth=2).sequence()
    return numbers.integer().to_bytes(_SCALAR, "big") + numbers.integer().to_bytes(_SCALAR, "big")
