"""Where the application judges credentials: the Authentication Service of RFC 9420 section 5.3.

MLS proves that a leaf is signed by its own key; only the application can say whose key that is. Every
credential that enters a group goes through `validate`, also those of a tree that we join.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..crypto.provider import CryptoProvider
from ..errors import BadPublicKey, DecodeError
from ..ids import Instant
from .registries import X509
from .rules import rule
from .suites import CipherSuite
from .wire.credential import Credential

__all__ = ["Authentication", "BasicAuthentication", "check_credential"]

_JUDGED = rule("MLS-5.3.1-01", "RFC 9420 section 5.3.1", "the application accepts the credential", module=__name__)
_CERTIFICATE = rule(
    "MLS-5.3-01",
    "RFC 9420 section 5.3",
    "the key of the end-entity certificate is the signature_key of the leaf",
    module=__name__,
)


class Authentication(Protocol):
    """Pure: no network. Fetch revocation and the like beforehand and look it up here."""

    def validate(self, credential: Credential, signature_key: bytes, now: Instant) -> str | None:
        """None if the credential rightly names the holder of `signature_key`, else why not."""
        ...

    def identity(self, credential: Credential) -> bytes:
        """Equal for credentials of one client: for successors, resync, reinitialisation and branches."""
        ...


class BasicAuthentication:
    """Basic credentials, accepted when `knows(identity, signature_key)` says so."""

    def __init__(self, knows: Callable[[bytes, bytes], bool]) -> None:
        self._knows = knows

    def validate(self, credential: Credential, signature_key: bytes, now: Instant) -> str | None:
        if credential.credential_type == X509 or not self._knows(credential.identity, signature_key):
            return "not a known client"
        return None

    def identity(self, credential: Credential) -> bytes:
        return credential.identity


def check_credential(
    suite: CipherSuite, authentication: Authentication, credential: Credential, signature_key: bytes, now: Instant
) -> None:
    """Raises InvalidGroupMessage unless the credential belongs to `signature_key` and the application accepts it."""
    if credential.credential_type == X509 and not _certified(suite.crypto, credential, signature_key):
        _CERTIFICATE.fail("the certificate is for another key")
    reason = authentication.validate(credential, signature_key, now)
    if reason is not None:
        _JUDGED.fail(f"the credential was refused: {reason}")


def _certified(crypto: CryptoProvider, credential: Credential, signature_key: bytes) -> bool:
    if not credential.certificates:
        return False
    try:
        _, public = crypto.certificate_public_key(credential.certificates[0])
    except (BadPublicKey, DecodeError):
        return False
    return public == signature_key
