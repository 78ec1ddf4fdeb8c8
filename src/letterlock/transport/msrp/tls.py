"""TLS of an MSRP connection: by a name and an authority, or by the fingerprint of a session description.

RFC 4975 sections 5.4 and 14.4, RFC 4572 section 5. With a fingerprint the certificate needs no authority: what
is compared came with the signalling, and stands or falls with it.
"""

from __future__ import annotations

import hashlib
import hmac
import ssl
from dataclasses import dataclass

from ...errors import InputError

__all__ = ["ClientTls", "Fingerprint", "by_fingerprint", "by_name", "certificate_fingerprint"]

# MD5 and SHA-1 are in RFC 4572 too; a second certificate for a fingerprint can be made under both.
_HASHES = {"sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Of a certificate, as `a=fingerprint` carries it. `algorithm` is lower case."""

    algorithm: str
    digest: bytes

    def __post_init__(self) -> None:
        if self.algorithm not in _HASHES or len(self.digest) != hashlib.new(_HASHES[self.algorithm]).digest_size:
            raise InputError("not a fingerprint that can be trusted", code="msrp.fingerprint")

    def matches(self, certificate: bytes | None) -> bool:
        """Whether it is of this certificate (DER); never for none."""
        if certificate is None:
            return False
        return hmac.compare_digest(certificate_fingerprint(certificate, self.algorithm).digest, self.digest)


@dataclass(frozen=True, slots=True)
class ClientTls:
    """How the active side shakes hands. Make one with `by_name` or `by_fingerprint`."""

    context: ssl.SSLContext
    server_name: str
    fingerprint: Fingerprint | None


def by_name(context: ssl.SSLContext, server_name: str) -> ClientTls:
    """The certificate must be of this host and signed by an authority that `context` trusts (SR-19)."""
    if context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname:
        raise InputError("a context that does not verify", code="msrp.tls")
    return ClientTls(context, server_name, None)


def by_fingerprint(fingerprint: Fingerprint, server_name: str, own: tuple[str, str] | None = None) -> ClientTls:
    """The certificate must have this fingerprint, whoever signed it. `own`: PEM files of our certificate and key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the connection compares the fingerprint before it sends anything
    if own is not None:
        context.load_cert_chain(*own)
    return ClientTls(context, server_name, fingerprint)


def certificate_fingerprint(certificate: bytes, algorithm: str = "sha-256") -> Fingerprint:
    """Of a certificate in DER (RFC 4572 section 5)."""
    return Fingerprint(algorithm, hashlib.new(_HASHES[algorithm], certificate).digest())
