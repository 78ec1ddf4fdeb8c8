"""Certificates as a KDS makes them: of clients, and of the authorities above them (rcc16.md 1.3 and 1.4).

The key of an authority is a function that signs; it may be in hardware. What a client has asked for and `check_request`
has accepted goes in verbatim: its signature in ParticipantInformation is over those very bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ...codec.x509 import Certificate, Extension, encode_certificate, encode_tbs
from ...errors import InputError
from ...ids import Instant, Rng
from .algorithms import ECDSA_SHA256, HASHES, Sign, key_of, spki_of
from .extensions import (
    CRL_SIGN,
    DIGITAL_SIGNATURE,
    KEY_CERT_SIGN,
    authority_key_identifier_extension,
    basic_constraints_extension,
    certificate_policies_extension,
    extended_key_usage_extension,
    key_identifier,
    key_usage_extension,
    subject_key_identifier,
    subject_key_identifier_extension,
    vendor_id_extension,
)
from .issuer_profile import MAX_INTERMEDIATE_MS, MAX_ROOT_MS
from .leaf import certificate_of
from .leaf_profile import MAX_LIFETIME_MS
from .numbers import subject_name
from .oids import ACS_PARTICIPANT_INFORMATION, E2EE_POLICY, MLS_CLIENT, PARTICIPANT_INFORMATION, SUBJECT_ALT_NAME
from .request import CertificateRequest

__all__ = ["BACKDATED_MS", "Issuer", "issue_ca", "issue_leaf", "issue_root", "new_serial"]

BACKDATED_MS: Final = 3_600_000
"""Certificates start an hour ago, because clocks differ (rcc16.md 1.3)."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authority: its certificate, and its key by reference. `algorithm` says what `sign` does, ECDSA with SHA-2."""

    certificate: Certificate
    sign: Sign = field(repr=False)
    algorithm: bytes = ECDSA_SHA256

    @classmethod
    def of(cls, der: bytes, sign: Sign, algorithm: bytes = ECDSA_SHA256) -> Issuer:
        """Raises DecodeError for what is no certificate, InputError for an algorithm that is not of the profile."""
        if algorithm not in HASHES:
            raise InputError("certificates are signed by ECDSA with SHA-2", code="input.algorithm")
        return cls(certificate_of(der), sign, algorithm)


def new_serial(rng: Rng) -> int:
    """Positive, 16 octets, next to never given out before."""
    return int.from_bytes(rng(16), "big") >> 1 | 1


def issue_leaf(issuer: Issuer, request: CertificateRequest, *, serial: int, now: Instant, lifetime_ms: int) -> bytes:
    """The certificate in DER for a request that `check_request` has accepted.

    Valid from an hour ago for `lifetime_ms` in all, and not longer than the issuer. Raises InputError over 76 days.
    """
    if lifetime_ms > MAX_LIFETIME_MS:
        raise InputError("a leaf is valid for at most 76 days", code="input.lifetime")
    extensions = (
        subject_key_identifier_extension(key_identifier(request.leaf_public)),
        _authority(issuer.certificate),
        key_usage_extension(DIGITAL_SIGNATURE),
        Extension(SUBJECT_ALT_NAME, False, request.subject_alt_name),
        certificate_policies_extension(E2EE_POLICY),
        extended_key_usage_extension(MLS_CLIENT),
        Extension(PARTICIPANT_INFORMATION, True, request.participant_information),
        Extension(ACS_PARTICIPANT_INFORMATION, False, request.proof),
    )
    spki = spki_of(request.leaf_public)
    return _issued(issuer, request.subject, spki, extensions, serial, now, lifetime_ms)


def issue_ca(
    issuer: Issuer, *, name: str, spki: bytes, path_length: int, serial: int, now: Instant, lifetime_ms: int
) -> bytes:
    """An intermediate authority in DER. Raises InputError over 1827 days, or for a key that is not of the profile."""
    if lifetime_ms > MAX_INTERMEDIATE_MS:
        raise InputError("an intermediate is valid for at most 1827 days", code="input.lifetime")
    extensions = (*_of_authority(spki, path_length), _authority(issuer.certificate))
    return _issued(issuer, subject_name(name), spki, extensions, serial, now, lifetime_ms)


def issue_root(
    *,
    name: str,
    spki: bytes,
    sign: Sign,
    vendor_id: int,
    serial: int,
    now: Instant,
    lifetime_ms: int,
    algorithm: bytes = ECDSA_SHA256,
) -> bytes:
    """A root in DER, signed by itself. `vendor_id` is what its leaves must name. Raises InputError as `issue_ca` does."""
    if lifetime_ms > MAX_ROOT_MS:
        raise InputError("a root is valid for at most 3652 days", code="input.lifetime")
    subject = subject_name(name)
    tbs = encode_tbs(
        serial=serial,
        algorithm=algorithm,
        issuer=subject,
        not_before=now - BACKDATED_MS,
        not_after=now - BACKDATED_MS + lifetime_ms,
        subject=subject,
        spki=spki,
        extensions=(*_of_authority(spki, None), vendor_id_extension(vendor_id)),
    )
    return encode_certificate(tbs, algorithm, sign(tbs))


def _issued(
    issuer: Issuer,
    subject: bytes,
    spki: bytes,
    extensions: tuple[Extension, ...],
    serial: int,
    now: Instant,
    lifetime_ms: int,
) -> bytes:
    above = issuer.certificate
    tbs = encode_tbs(
        serial=serial,
        algorithm=issuer.algorithm,
        issuer=above.subject,
        not_before=max(now - BACKDATED_MS, above.not_before),
        not_after=min(now - BACKDATED_MS + lifetime_ms, above.not_after),
        subject=subject,
        spki=spki,
        extensions=extensions,
    )
    return encode_certificate(tbs, issuer.algorithm, issuer.sign(tbs))


def _of_authority(spki: bytes, path_length: int | None) -> tuple[Extension, ...]:
    key = key_of(spki)
    if key is None:
        raise InputError("the key of an authority is on P-256, P-384 or P-521", code="input.key")
    return (
        basic_constraints_extension(path_length),
        key_usage_extension(KEY_CERT_SIGN, CRL_SIGN),
        subject_key_identifier_extension(key_identifier(key.point)),
    )


def _authority(issuer: Certificate) -> Extension:
    return authority_key_identifier_extension(subject_key_identifier(issuer) or b"")
