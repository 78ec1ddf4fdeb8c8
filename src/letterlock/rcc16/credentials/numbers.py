"""A phone number in a certificate: the `tel:` URI in the subjectAltName, and what counts as the same one (rcc16.md 1.1).

Numbers are compared by their digits, and an empty one equals nothing.
"""

from __future__ import annotations

import re
from typing import Final

from ...codec.der import DerReader, context, object_identifier, sequence, set_of, utf8_string, whole
from ...codec.x509 import Certificate
from ...errors import DecodeError, InputError
from ...ids import Number, number
from ..rules import rule
from .oids import COMMON_NAME, SUBJECT_ALT_NAME

__all__ = ["certified", "digits", "number_of_tel", "subject_alt_name", "subject_name", "tel_uri"]

_SAN = rule(
    "RCC-A.3.8-01",
    "RCC.16 A.3.8 (rcc16.md 1.3)",
    "the leaf's subjectAltName is one URI, tel: with an E.164 number",
    module=__name__,
)

_URI: Final = 0x86
_MAX_BYTES: Final = 256
_TEL: Final = re.compile(r"tel:\+([0-9().-]{1,64})(;.*)?", re.ASCII | re.IGNORECASE)


def tel_uri(of: Number) -> str:
    """`tel:+15550100`."""
    return f"tel:{of}"


def digits(of: Number) -> bytes:
    """What identifies a participant: the digits of its number."""
    return of[1:].encode()


def number_of_tel(uri: str) -> Number | None:
    """The number that a `tel:` URI names: cut at the semicolon, without visual separators. None if it names none."""
    found = _TEL.fullmatch(uri)
    if found is None:
        return None
    try:
        return number("+" + re.sub(r"[^0-9]", "", found[1]))
    except InputError:
        return None


def subject_alt_name(of: Number) -> bytes:
    """GeneralNames with the one URI."""
    return sequence(context(6, tel_uri(of).encode("ascii"), constructed=False))


def subject_name(client_id: str) -> bytes:
    """Name with one commonName, the client's UUID, as UTF8String: a KDS refuses other strings (rcc16.md 1.3)."""
    return sequence(set_of((sequence(object_identifier(COMMON_NAME), utf8_string(client_id)),)))


def certified(certificate: Certificate) -> Number:
    """The number that a leaf is certified for, by what it says. Raises InvalidRcc16 when it names none, or several."""
    extension = certificate.extension(SUBJECT_ALT_NAME)
    named = None if extension is None else _uris(extension.value)
    found = number_of_tel(named[0]) if named is not None and len(named) == 1 else None
    if found is None:
        _SAN.fail("the certificate does not name one phone number")
        raise DecodeError("a certificate for no phone number", code="x509.subject_alt_name")
    return found


def _uris(value: bytes) -> list[str] | None:
    """All names, if all of them are URIs: another kind of name beside the number could mean another holder."""
    try:
        return whole(value, lambda reader: _read_uris(reader.sequence()), max_bytes=_MAX_BYTES, max_depth=2)
    except (DecodeError, UnicodeDecodeError):
        return None


def _read_uris(names: DerReader) -> list[str]:
    found: list[str] = []
    while names.more():
        found.append(names.contents(_URI).decode("ascii"))
    return found
