"""The hash under RCC.16's verification code, Annex C.5 (rcc16.md 9), as far as it is known.

Per participant `opaque number digits<V> | opaque SubjectPublicKeyInfo<V>` of the participant key, sorted, SHA-512. Two
things are missing: prose and pseudo-code disagree about the direction, and nobody outside the GSMA has read how the
hash becomes 80 digits. So no code that two implementations would agree on can be shown, and what Letterlock shows is
the security code of accounts (trust/security_code.py). This is for the day when somebody knows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from ..codec.tls import opaque
from ..errors import InputError
from ..ids import Number

__all__ = ["identity_hash"]


def identity_hash(participants: Iterable[tuple[Number, bytes]], *, descending: bool = False) -> bytes:
    """Of all participants, (number, DER SubjectPublicKeyInfo) of each. Raises InputError if one is missing."""
    entries = []
    for number, spki in participants:
        if not number or not spki:
            raise InputError("a participant without number or key", code="rcc16.input.identity")
        entries.append((number.lstrip("+").encode(), spki))
    entries.sort(reverse=descending)
    return hashlib.sha512(b"".join(opaque(digits) + opaque(spki) for digits, spki in entries)).digest()
