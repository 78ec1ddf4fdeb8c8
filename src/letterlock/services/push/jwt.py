"""JSON Web Tokens as push services ask for them (RFC 7515, RFC 7518): ES256 for Apple and VAPID, RS256 for Google."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping

from ...codec.der import DerReader
from ...crypto.key_files_pyca import FileKey
from ...crypto.rsa_pyca import RsaKey

__all__ = ["base64url", "es256", "rs256"]

_SCALAR = 32


def es256(key: FileKey, claims: Mapping[str, str | int], key_id: str = "") -> str:
    """Signed with a P-256 key."""
    return _signed("ES256", key_id, claims, lambda text: _raw(key.sign(text)))


def rs256(key: RsaKey, claims: Mapping[str, str | int], key_id: str = "") -> str:
    """Signed with an RSA key."""
    return _signed("RS256", key_id, claims, key.sign)


def base64url(data: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _signed(algorithm: str, key_id: str, claims: Mapping[str, str | int], sign: Callable[[bytes], bytes]) -> str:
    header = {"alg": algorithm, "typ": "JWT", **({"kid": key_id} if key_id else {})}
    text = f"{_part(header)}.{_part(claims)}"
    return f"{text}.{base64url(sign(text.encode()))}"


def _part(members: Mapping[str, str | int]) -> str:
    return base64url(json.dumps(dict(members), separators=(",", ":")).encode())


def _raw(signature: bytes) -> bytes:
    """r and s, 32 bytes each, of a signature in DER (RFC 7518 section 3.4)."""
    numbers = DerReader(signature, max_bytes=80, max_depth=2).sequence()
    return numbers.integer().to_bytes(_SCALAR, "big") + numbers.integer().to_bytes(_SCALAR, "big")
