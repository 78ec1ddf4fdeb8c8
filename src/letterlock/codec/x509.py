"""An X.509 certificate (RFC 5280 section 4.1) as a frozen value, and the writing of one.

This reads the form only: who may be believed, and for what, is asked elsewhere. Whatever is signed, compared or copied
is kept as the bytes that were read (`tbs`, `subject`, `spki`, extension values), because encoding anew could give
others. Strict: an extension twice, a default that is written out, unique identifiers or a version that does not go
with what follows are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ..errors import DecodeError
from ..ids import Instant
from .der import (
    OCTET_STRING,
    SEQUENCE,
    SET,
    DerReader,
    bit_string,
    boolean,
    context,
    integer,
    object_identifier,
    octet_string,
    sequence,
    time,
    whole,
)

__all__ = [
    "Attribute",
    "Certificate",
    "Extension",
    "Name",
    "decode_certificate",
    "decode_name",
    "encode_certificate",
    "encode_tbs",
    "encode_validity",
    "read_validity",
]

_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_DEPTH: Final = 8
"""Certificate, TBSCertificate, [3], Extensions, Extension; Name, RDN, AttributeTypeAndValue."""


class Attribute(NamedTuple):
    """One part of a name: `tag` says which kind of string `value` is."""

    oid: str
    tag: int
    value: bytes


Name = tuple[tuple[Attribute, ...], ...]
"""Relative distinguished names, each a set of attributes."""


class Extension(NamedTuple):
    """`value` is DER, whose meaning is that of `oid`."""

    oid: str
    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """`decode_certificate` makes one. Certificates are equal if their bytes, `der`, are."""

    der: bytes = field(repr=False)
    tbs: bytes = field(repr=False)
    """What the signature is over."""
    version: int
    """1 to 3."""
    serial: int
    serial_octets: bytes
    algorithm: bytes = field(repr=False)
    """AlgorithmIdentifier inside the signed part."""
    outer_algorithm: bytes = field(repr=False)
    """The same beside the signature."""
    signature: bytes = field(repr=False)
    issuer: bytes = field(repr=False)
    """Name in DER, for comparing."""
    subject: bytes = field(repr=False)
    issuer_name: Name
    subject_name: Name
    not_before: Instant
    not_after: Instant
    """The last second in which it is valid."""
    spki: bytes = field(repr=False)
    """SubjectPublicKeyInfo."""
    extensions: tuple[Extension, ...]

    def extension(self, oid: str) -> Extension | None:
        """Each occurs once."""
        for extension in self.extensions:
            if extension.oid == oid:
                return extension
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and self.der == other.der

    def __hash__(self) -> int:
        return hash(self.der)


def decode_certificate(der: bytes, *, max_bytes: int) -> Certificate:
    """Raises DecodeError for anything that is not exactly one certificate in DER."""
    return whole(der, lambda reader: _read_certificate(der, reader), max_bytes=max_bytes, max_depth=_DEPTH)


def _read_certificate(der: bytes, reader: DerReader) -> Certificate:
    outer = reader.sequence()
    tbs = outer.element(SEQUENCE)
    outer_algorithm = outer.element(SEQUENCE)
    signature = outer.bit_string()
    outer.end()

    fields = DerReader(tbs, max_bytes=len(tbs), max_depth=_DEPTH).sequence()
    version = _read_version(fields)
    serial_octets = fields.integer_octets()
    algorithm = fields.element(SEQUENCE)
    issuer = fields.element(SEQUENCE)
    not_before, not_after = read_validity(fields)
    subject = fields.element(SEQUENCE)
    spki = fields.element(SEQUENCE)
    extensions = _read_extensions(fields, version) if fields.more() else ()
    fields.end()
    return Certificate(
        der=der,
        tbs=tbs,
        version=version,
        serial=int.from_bytes(serial_octets, "big", signed=True),
        serial_octets=serial_octets,
        algorithm=algorithm,
        outer_algorithm=outer_algorithm,
        signature=signature,
        issuer=issuer,
        subject=subject,
        issuer_name=decode_name(issuer),
        subject_name=decode_name(subject),
        not_before=not_before,
        not_after=not_after,
        spki=spki,
        extensions=extensions,
    )


def _read_version(fields: DerReader) -> int:
    if not fields.next_is(_VERSION):
        return 1
    explicit = fields.inside(_VERSION)
    version = explicit.integer() + 1
    explicit.end()
    if version not in (2, 3):  # version 1 is the default, which DER leaves out
        raise DecodeError("not a version of X.509", code="x509.version")
    return version


def _read_extensions(fields: DerReader, version: int) -> tuple[Extension, ...]:
    if version != 3:
        raise DecodeError("only version 3 has extensions", code="x509.version")
    explicit = fields.inside(_EXTENSIONS)
    listed = explicit.sequence()
    explicit.end()
    found: dict[str, Extension] = {}
    while listed.more():
        entry = listed.sequence()
        oid = entry.object_identifier()
        critical = False
        if not entry.next_is(OCTET_STRING):
            critical = entry.boolean()
            if not critical:
                raise DecodeError("FALSE is the default, which DER leaves out", code="x509.extension")
        value = entry.octet_string()
        entry.end()
        if oid in found:
            raise DecodeError(f"extension {oid} occurs twice", code="x509.extension")
        found[oid] = Extension(oid, critical, value)
    if not found:
        raise DecodeError("a list of extensions has at least one", code="x509.extension")
    return tuple(found.values())


def decode_name(der: bytes) -> Name:
    """A Name. Raises DecodeError."""
    return whole(der, _read_name, max_bytes=len(der), max_depth=_DEPTH)


def _read_name(reader: DerReader) -> Name:
    names: list[tuple[Attribute, ...]] = []
    listed = reader.sequence()
    while listed.more():
        members = listed.inside(SET)
        attributes: list[Attribute] = []
        before = b""
        while members.more():
            written = members.element(SEQUENCE)
            if written < before:
                raise DecodeError("a SET OF is sorted in DER", code="x509.name")
            before = written
            pair = DerReader(written, max_bytes=len(written), max_depth=2).sequence()
            attributes.append(Attribute(pair.object_identifier(), *pair.any()))
            pair.end()
        if not attributes:
            raise DecodeError("an empty part of a name", code="x509.name")
        names.append(tuple(attributes))
    return tuple(names)


def read_validity(reader: DerReader) -> tuple[Instant, Instant]:
    """Validity: SEQUENCE of two times."""
    validity = reader.sequence()
    times = validity.time(), validity.time()
    validity.end()
    return times


# --- writing -------------------------------------------------------------------------------------------------
def encode_validity(not_before: Instant, not_after: Instant) -> bytes:
    """In whole seconds, neither later than given."""
    return sequence(time(not_before), time(not_after))


def encode_tbs(
    *,
    serial: int,
    algorithm: bytes,
    issuer: bytes,
    not_before: Instant,
    not_after: Instant,
    subject: bytes,
    spki: bytes,
    extensions: Sequence[Extension],
) -> bytes:
    """The part to be signed of a version 3 certificate. `algorithm`, the names and `spki` are DER and go in as they are."""
    listed = [
        sequence(
            object_identifier(extension.oid),
            boolean(True) if extension.critical else b"",
            octet_string(extension.value),
        )
        for extension in extensions
    ]
    return sequence(
        context(0, integer(2), constructed=True),
        integer(serial),
        algorithm,
        issuer,
        encode_validity(not_before, not_after),
        subject,
        spki,
        context(3, sequence(*listed), constructed=True),
    )


def encode_certificate(tbs: bytes, algorithm: bytes, signature: bytes) -> bytes:
    """The certificate that a signed part and its signature make."""
    return sequence(tbs, algorithm, bit_string(signature))
