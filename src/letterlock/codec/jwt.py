"""JSON Web Tokens in compact form (RFC 7515), written: header and claims, and whatever signs them. Nothing here reads one."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping

__all__ = ["base64url", "signed_token"]


def signed_token(
    algorithm: str, claims: Mapping[str, str | int], sign: Callable[[bytes], bytes], *, key_id: str = ""
) -> str:
    """The token. `sign` gives the signature as `algorithm` has it (RFC 7518): for ES256 r and s, 32 bytes each."""
    header = {"alg": algorithm, "typ": "JWT", **({"kid": key_id} if key_id else {})}
    text = f"{_part(header)}.{_part(claims)}"
    return f"{text}.{base64url(sign(text.encode()))}"


def base64url(data: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _part(members: Mapping[str, str | int]) -> str:
    return base64url(json.dumps(dict(members), separators=(",", ":")).encode())
