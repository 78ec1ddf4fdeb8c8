"""Step 4 of the checks of A.4.1: the profile of issuers, the anchor included (A.1 and A.2; rcc16.md 1.4)."""

from __future__ import annotations

from typing import Final

from ...codec.x509 import Certificate
from ..rules import rule
from .extensions import (
    CRL_SIGN,
    KEY_CERT_SIGN,
    basic_constraints,
    certificate_policies,
    extended_key_usage,
    key_usage,
    subject_key_identifier,
)
from .oids import ANY_POLICY, BASIC_CONSTRAINTS, KEY_USAGE, MLS_CLIENT

__all__ = ["MAX_INTERMEDIATE_MS", "MAX_ROOT_MS", "check_issuer"]

_CLAUSE: Final = "RCC.16 A.2 (rcc16.md 1.4)"
_CA = rule("RCC-A.2-01", _CLAUSE, "an issuer has critical basic constraints with cA TRUE", module=__name__)
_KEY_USAGE = rule(
    "RCC-A.2-02",
    _CLAUSE,
    "an issuer's key usage is critical, has keyCertSign, and nothing beside it and cRLSign",
    module=__name__,
)
_IDENTIFIER = rule("RCC-A.2-03", _CLAUSE, "an issuer has a subject key identifier", module=__name__)
_POLICY = rule("RCC-A.2-04", _CLAUSE, "an issuer does not have anyPolicy", module=__name__)
_USE = rule(
    "RCC-A.2-05",
    _CLAUSE,
    "an issuer's extended key usage, if it has one, is id-kp-rcsMlsClient alone",
    module=__name__,
)
_ROOT_LIFETIME = rule(
    "RCC-A.1-01", "RCC.16 A.1 (rcc16.md 1.4)", "a root is valid for at most 3652 days", module=__name__
)
_LIFETIME = rule("RCC-A.2-06", _CLAUSE, "an intermediate is valid for at most 1827 days", module=__name__)

MAX_ROOT_MS: Final = 3_652 * 86_400_000
MAX_INTERMEDIATE_MS: Final = 1_827 * 86_400_000


def check_issuer(certificate: Certificate) -> None:
    """Raises InvalidRcc16."""
    constraints, extension = basic_constraints(certificate), certificate.extension(BASIC_CONSTRAINTS)
    if constraints is None or extension is None or not constraints.ca or not extension.critical:
        _CA.fail("an issuer does not say that it is one")
    bits, extension = key_usage(certificate), certificate.extension(KEY_USAGE)
    if (
        bits is None
        or extension is None
        or not extension.critical
        or KEY_CERT_SIGN not in bits
        or bits - {KEY_CERT_SIGN, CRL_SIGN}
    ):
        _KEY_USAGE.fail("an issuer's key is not for signing certificates alone")
    if not subject_key_identifier(certificate):
        _IDENTIFIER.fail("an issuer has no subject key identifier")
    if any(policy.oid == ANY_POLICY for policy in certificate_policies(certificate) or ()):
        _POLICY.fail("an issuer has anyPolicy")
    if extended_key_usage(certificate) not in (None, (MLS_CLIENT,)):
        _USE.fail("an issuer is for another use")
    lifetime = certificate.not_after - certificate.not_before
    if certificate.issuer == certificate.subject:
        if lifetime > MAX_ROOT_MS:
            _ROOT_LIFETIME.fail("a root is valid for too long")
    elif lifetime > MAX_INTERMEDIATE_MS:
        _LIFETIME.fail("an intermediate is valid for too long")
