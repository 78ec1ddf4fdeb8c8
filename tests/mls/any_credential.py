"""The authentication of tests that are not about authentication."""

from __future__ import annotations

from letterlock.ids import Instant
from letterlock.mls.wire.credential import Credential

__all__ = ["AnyCredential"]


class AnyCredential:
    """Accepts everybody, names clients by the bytes of their credential: vectors and peers bring their own people."""

    def validate(self, credential: Credential, signature_key: bytes, now: Instant) -> str | None:
        return None

    def identity(self, credential: Credential) -> bytes:
        return credential.identity if credential.identity else credential.encode()
