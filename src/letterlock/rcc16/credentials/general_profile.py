"""Step 5 of the checks of A.4.1: what holds for every certificate of a path, the anchor included (rcc16.md 1.3 to 1.5)."""

from __future__ import annotations

from typing import Final

from ...codec.x509 import Certificate, Name
from ..rules import rule
from .extensions import authority_key_identifier, subject_key_identifier
from .oids import (
    ACS_PARTICIPANT_INFORMATION,
    AUTHORITY_INFORMATION_ACCESS,
    AUTHORITY_KEY_IDENTIFIER,
    BASIC_CONSTRAINTS,
    CERTIFICATE_POLICIES,
    COMMON_NAME,
    COUNTRY_NAME,
    CRL_DISTRIBUTION_POINTS,
    EXTENDED_KEY_USAGE,
    KEY_USAGE,
    LOCALITY_NAME,
    ORGANIZATION_NAME,
    PARTICIPANT_INFORMATION,
    STATE_NAME,
    SUBJECT_ALT_NAME,
    SUBJECT_KEY_IDENTIFIER,
    VENDOR_ID,
)

__all__ = ["check_certificate"]

_CLAUSE: Final = "RCC.16 A.3 (rcc16.md 1.3)"
_VERSION = rule("RCC-A.3-02", _CLAUSE, "a certificate is of X.509 version 3", module=__name__)
_SERIAL = rule("RCC-A.3-03", _CLAUSE, "a serial number is positive and has at most 20 octets", module=__name__)
_SINGLE = rule("RCC-A.3-04", _CLAUSE, "names have one attribute in each part", module=__name__)
_BOUNDS = rule("RCC-A.3-05", _CLAUSE, "attributes of names are within their bounds", module=__name__)
_NAMED = rule("RCC-A.3-06", _CLAUSE, "the subject has a commonName, or is an issuer's and not empty", module=__name__)
_IDENTIFIER = rule("RCC-A.3-07", _CLAUSE, "a certificate has a subject key identifier", module=__name__)
_AUTHORITY = rule(
    "RCC-A.3-08",
    _CLAUSE,
    "an authority key identifier has the key identifier alone; only a root may have none",
    module=__name__,
)
_CRITICAL = rule(
    "RCC-A.3-09", "RFC 5280 section 4.2", "no critical extension is there that is not understood", module=__name__
)
_KNOWN = rule("RCC-A.3-10", _CLAUSE, "no extension is there but those of the profile", module=__name__)

_BOUND: Final = {COUNTRY_NAME: 2, ORGANIZATION_NAME: 64, COMMON_NAME: 64, STATE_NAME: 128, LOCALITY_NAME: 128}
"""Characters; other attributes are not bounded by the profile, but by the size of a certificate."""

_UNDERSTOOD: Final = frozenset(
    {
        SUBJECT_KEY_IDENTIFIER,
        AUTHORITY_KEY_IDENTIFIER,
        KEY_USAGE,
        SUBJECT_ALT_NAME,
        BASIC_CONSTRAINTS,
        CERTIFICATE_POLICIES,
        EXTENDED_KEY_USAGE,
        PARTICIPANT_INFORMATION,
        ACS_PARTICIPANT_INFORMATION,
        VENDOR_ID,
    }
)
_ALLOWED: Final = _UNDERSTOOD | {CRL_DISTRIBUTION_POINTS, AUTHORITY_INFORMATION_ACCESS}
_MAX_SERIAL_OCTETS: Final = 20


def check_certificate(certificate: Certificate, *, tolerant: bool, leaf: bool) -> None:
    """Raises InvalidRcc16."""
    if certificate.version != 3:
        _VERSION.fail("a certificate of another version")
    if certificate.serial <= 0 or len(certificate.serial_octets) > _MAX_SERIAL_OCTETS:
        _SERIAL.fail("a serial number that is not positive, or too long")
    _check_name(certificate.subject_name)
    _check_name(certificate.issuer_name)
    if leaf:
        named = any(attribute.oid == COMMON_NAME for part in certificate.subject_name for attribute in part)
    else:
        named = bool(certificate.subject_name)
    if not named:
        _NAMED.fail("a certificate for nobody")
    if not subject_key_identifier(certificate):
        _IDENTIFIER.fail("a certificate without subject key identifier")
    authority = authority_key_identifier(certificate)
    if authority is None:
        if certificate.issuer != certificate.subject:
            _AUTHORITY.fail("a certificate without authority key identifier")
    elif authority.others or not authority.key_identifier:
        _AUTHORITY.fail("an authority key identifier with more than the key identifier")
    for extension in certificate.extensions:
        # A relaxed rule stays one of RFC 5280 for what is critical: somebody wants it understood or refused.
        if extension.critical and extension.oid not in _UNDERSTOOD:
            _CRITICAL.fail(f"critical extension {extension.oid} is not understood")
        if not tolerant and extension.oid not in _ALLOWED:
            _KNOWN.fail(f"extension {extension.oid} is not one of the profile")


def _check_name(name: Name) -> None:
    for part in name:
        if len(part) != 1:
            _SINGLE.fail("a name with several attributes in one part")
        for attribute in part:
            bound = _BOUND.get(attribute.oid)
            if bound is not None and not 0 < len(attribute.value.decode("utf-8", "replace")) <= bound:
                _BOUNDS.fail(f"attribute {attribute.oid} of a name has not 1 to {bound} characters")
