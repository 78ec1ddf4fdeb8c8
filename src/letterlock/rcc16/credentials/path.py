"""Step 1 of the checks of A.4.1: the certificates are a path to a trust anchor (rcc16.md 1.5).

Each certificate is signed by the next, the last one by an anchor or an anchor itself; all of them are valid now. An
anchor is compared by its bytes and believed for its key; its own signature says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from ...codec.x509 import Certificate
from ...crypto.provider import CryptoProvider
from ...ids import Instant
from ..rules import rule
from .algorithms import HASHES, ecdsa_holds
from .anchors import TrustAnchors
from .extensions import authority_key_identifier, basic_constraints, subject_key_identifier
from .leaf import certificate_of

__all__ = ["KnownIssuers", "check_path"]

_REMEMBERED = 256

_CLAUSE = "RCC.16 A.4.1 (rcc16.md 1.5)"
_NAMES = rule("RCC-A.4.1-02", _CLAUSE, "the issuer of each certificate is the subject of the next", module=__name__)
_KEY_IDENTIFIERS = rule(
    "RCC-A.4.1-03", _CLAUSE, "an authority key identifier is the issuer's subject key identifier", module=__name__
)
_ANCHOR = rule("RCC-A.4.1-04", _CLAUSE, "the path ends at a trust anchor", module=__name__)
_ALGORITHM = rule(
    "RCC-A.4.1-05",
    "RCC.16 A.3.8 (rcc16.md 1.3)",
    "certificates are signed by ECDSA with SHA-256, -384 or -512, and say so twice alike",
    module=__name__,
)
_SIGNATURE = rule("RCC-A.4.1-06", _CLAUSE, "each certificate is signed by the key of the next", module=__name__)
_VALIDITY = rule("RCC-A.4.1-07", _CLAUSE, "every certificate of the path is valid now", module=__name__)
_PATH_LENGTH = rule(
    "RCC-A.4.1-08", _CLAUSE, "no more intermediates follow than a pathLenConstraint allows", module=__name__
)


class KnownIssuers:
    """What has been found out about issuers, which come again with every member: which of their signatures hold, and
    which keep to the profile. Neither depends on the time."""

    __slots__ = ("_crypto", "_profiled", "_signed")

    def __init__(self, crypto: CryptoProvider) -> None:
        self._crypto = crypto
        self._signed: set[tuple[bytes, bytes]] = set()
        self._profiled: set[bytes] = set()

    def signed(self, certificate: Certificate, issuer: Certificate, *, remember: bool) -> bool:
        """Whether the issuer's key has signed the certificate."""
        pair = (certificate.der, issuer.spki)
        if pair in self._signed:
            return True
        good = ecdsa_holds(self._crypto, issuer.spki, certificate.algorithm, certificate.tbs, certificate.signature)
        if good and remember:
            if len(self._signed) >= _REMEMBERED:
                self._signed.clear()
            self._signed.add(pair)
        return good

    def unknown(self, issuers: Iterable[Certificate]) -> list[Certificate]:
        """Those whose profile has not been checked."""
        return [issuer for issuer in issuers if issuer.der not in self._profiled]

    def remember(self, issuers: Iterable[Certificate]) -> None:
        """Their profile holds."""
        if len(self._profiled) >= _REMEMBERED:
            self._profiled.clear()
        self._profiled.update(issuer.der for issuer in issuers)


def check_path(
    chain: tuple[Certificate, ...], anchors: TrustAnchors, known: KnownIssuers, now: Instant
) -> tuple[Certificate, ...]:
    """The path, from the leaf to its anchor. Raises InvalidRcc16."""
    path = chain
    if chain[-1].der not in anchors.certificates:
        anchor = _anchor_above(chain, anchors, known)
        if anchor is None:
            _ANCHOR.fail("the path does not end at a trust anchor")
        else:
            path = (*chain, anchor)
    for depth, (certificate, issuer) in enumerate(pairwise(path)):
        if certificate.issuer != issuer.subject:
            _NAMES.fail("a certificate names another issuer than the next one")
        authority = authority_key_identifier(certificate)
        if authority is not None and authority.key_identifier != subject_key_identifier(issuer):
            _KEY_IDENTIFIERS.fail("a certificate names another issuer's key")
        if certificate.algorithm != certificate.outer_algorithm or certificate.algorithm not in HASHES:
            _ALGORITHM.fail("a certificate is signed by another algorithm")
        if not known.signed(certificate, issuer, remember=depth > 0):
            _SIGNATURE.fail("a certificate is not signed by the next one")
    for certificate in path:
        if not certificate.not_before <= now <= certificate.not_after:
            _VALIDITY.fail("a certificate is not valid now")
    for below, issuer in enumerate(path[1:]):
        constraints = basic_constraints(issuer)
        if constraints is not None and constraints.path_length is not None and below > constraints.path_length:
            _PATH_LENGTH.fail(f"{below} intermediates under one that allows {constraints.path_length}")
    return path


def _anchor_above(chain: tuple[Certificate, ...], anchors: TrustAnchors, known: KnownIssuers) -> Certificate | None:
    """The anchor that signed the last one; of several with that name the one whose key did."""
    last, named = chain[-1], None
    for der in anchors.certificates:
        anchor = certificate_of(der)
        if anchor.subject == last.issuer:
            named = anchor
            if known.signed(last, anchor, remember=len(chain) > 1):
                return anchor
    return named
