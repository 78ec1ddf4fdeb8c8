"""The extensions of RFC 5280 that RCC.16 uses, and vendorId: what they say, and how they are written.

A reading function gives None for an extension that is not there. One that cannot be read breaks a rule.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from ...codec import der
from ...codec.der import DerReader
from ...codec.x509 import Certificate, Extension
from ...errors import DecodeError
from ..rules import rule
from .oids import (
    AUTHORITY_KEY_IDENTIFIER,
    BASIC_CONSTRAINTS,
    CERTIFICATE_POLICIES,
    EXTENDED_KEY_USAGE,
    KEY_USAGE,
    SUBJECT_KEY_IDENTIFIER,
    VENDOR_ID,
)

__all__ = [
    "CRL_SIGN",
    "DIGITAL_SIGNATURE",
    "KEY_CERT_SIGN",
    "AuthorityKeyIdentifier",
    "BasicConstraints",
    "Policy",
    "authority_key_identifier",
    "authority_key_identifier_extension",
    "basic_constraints",
    "basic_constraints_extension",
    "certificate_policies",
    "certificate_policies_extension",
    "extended_key_usage",
    "extended_key_usage_extension",
    "key_identifier",
    "key_usage",
    "key_usage_extension",
    "subject_key_identifier",
    "subject_key_identifier_extension",
    "vendor_id",
    "vendor_id_extension",
]

_READABLE = rule(
    "RCC-A.3-01",
    "RFC 5280 section 4.2 (rcc16.md 1.3)",
    "the extensions that RCC.16 names can be read",
    module=__name__,
)

DIGITAL_SIGNATURE: Final = 0
KEY_CERT_SIGN: Final = 5
CRL_SIGN: Final = 6
"""Bits of KeyUsage."""

_T = TypeVar("_T")
_KEY_IDENTIFIER: Final = 0x80


class BasicConstraints(NamedTuple):
    ca: bool
    path_length: int | None


class AuthorityKeyIdentifier(NamedTuple):
    """`others`: authorityCertIssuer or the serial number is there as well."""

    key_identifier: bytes | None
    others: bool


class Policy(NamedTuple):
    oid: str
    qualified: bool


# --- reading -------------------------------------------------------------------------------------------------
def basic_constraints(certificate: Certificate) -> BasicConstraints | None:
    return _read(certificate, BASIC_CONSTRAINTS, _basic_constraints)


def key_usage(certificate: Certificate) -> frozenset[int] | None:
    return _read(certificate, KEY_USAGE, DerReader.named_bits)


def extended_key_usage(certificate: Certificate) -> tuple[str, ...] | None:
    return _read(certificate, EXTENDED_KEY_USAGE, _object_identifiers)


def subject_key_identifier(certificate: Certificate) -> bytes | None:
    return _read(certificate, SUBJECT_KEY_IDENTIFIER, DerReader.octet_string)


def authority_key_identifier(certificate: Certificate) -> AuthorityKeyIdentifier | None:
    return _read(certificate, AUTHORITY_KEY_IDENTIFIER, _authority_key_identifier)


def certificate_policies(certificate: Certificate) -> tuple[Policy, ...] | None:
    return _read(certificate, CERTIFICATE_POLICIES, _policies)


def vendor_id(certificate: Certificate) -> int | None:
    return _read(certificate, VENDOR_ID, DerReader.integer)


def _read(certificate: Certificate, oid: str, read: Callable[[DerReader], _T]) -> _T | None:
    extension = certificate.extension(oid)
    if extension is None:
        return None
    try:
        return der.whole(extension.value, read, max_bytes=len(extension.value), max_depth=4)
    except DecodeError as error:
        _READABLE.fail(f"extension {oid} cannot be read: {error}")
        return None


def _basic_constraints(reader: DerReader) -> BasicConstraints:
    fields = reader.sequence()
    ca = fields.next_is(der.BOOLEAN) and fields.boolean()
    path_length = fields.integer() if fields.more() else None
    fields.end()
    if path_length is not None and (path_length < 0 or not ca):
        raise DecodeError("a pathLenConstraint that makes no sense", code="x509.basic_constraints")
    return BasicConstraints(ca, path_length)


def _object_identifiers(reader: DerReader) -> tuple[str, ...]:
    found: list[str] = []
    listed = reader.sequence()
    while listed.more():
        found.append(listed.object_identifier())
    return tuple(found)


def _authority_key_identifier(reader: DerReader) -> AuthorityKeyIdentifier:
    fields = reader.sequence()
    identifier = fields.contents(_KEY_IDENTIFIER) if fields.next_is(_KEY_IDENTIFIER) else None
    return AuthorityKeyIdentifier(identifier, fields.more())


def _policies(reader: DerReader) -> tuple[Policy, ...]:
    found: list[Policy] = []
    listed = reader.sequence()
    while listed.more():
        entry = listed.sequence()
        found.append(Policy(entry.object_identifier(), entry.more()))
    return tuple(found)


# --- writing -------------------------------------------------------------------------------------------------
def key_identifier(point: bytes) -> bytes:
    """A key's name: SHA-1 of the point, as deployed (RFC 5280 section 4.2.1.2); nothing rests on its strength."""
    return hashlib.sha1(point, usedforsecurity=False).digest()


def basic_constraints_extension(path_length: int | None) -> Extension:
    """Of an issuer; `path_length` None allows any."""
    limit = b"" if path_length is None else der.integer(path_length)
    return Extension(BASIC_CONSTRAINTS, True, der.sequence(der.boolean(True), limit))


def key_usage_extension(*bits: int) -> Extension:
    return Extension(KEY_USAGE, True, der.named_bits(bits))


def extended_key_usage_extension(oid: str) -> Extension:
    return Extension(EXTENDED_KEY_USAGE, False, der.sequence(der.object_identifier(oid)))


def subject_key_identifier_extension(identifier: bytes) -> Extension:
    return Extension(SUBJECT_KEY_IDENTIFIER, False, der.octet_string(identifier))


def authority_key_identifier_extension(identifier: bytes) -> Extension:
    """With the key identifier only."""
    return Extension(AUTHORITY_KEY_IDENTIFIER, False, der.sequence(der.context(0, identifier, constructed=False)))


def certificate_policies_extension(oid: str) -> Extension:
    """One policy without qualifiers."""
    return Extension(CERTIFICATE_POLICIES, False, der.sequence(der.sequence(der.object_identifier(oid))))


def vendor_id_extension(vendor: int) -> Extension:
    return Extension(VENDOR_ID, False, der.integer(vendor))
