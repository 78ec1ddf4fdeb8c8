"""What a leaf certificate says: the number, the participant key, how long it lasts.

This reads and does not judge: a forged certificate has a number too. Ask these of a credential that `check_chain`, or
the group it stands in, has accepted. Certificates are read once and kept, because the same ones come again with every
commit: the 4,096 used last, and none of an unusual size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeVar

from ...codec.x509 import Certificate, decode_certificate
from ...errors import DecodeError
from ...ids import Instant, Number
from ...mls.registries import X509
from ...mls.wire.credential import Credential
from ..rules import rule
from .algorithms import Key, key_of
from .numbers import certified
from .oids import ACS_PARTICIPANT_INFORMATION, PARTICIPANT_INFORMATION
from .participant import ParticipantInformation, decode_participant_information
from .proof import IdentityProof, decode_proof

__all__ = [
    "FLOOR_MS",
    "MAX_CERTIFICATE_BYTES",
    "Leaf",
    "certificate_of",
    "certified_number",
    "decode_chain",
    "expires_at",
    "lasts_30_days",
    "participant_key",
    "read_leaf",
    "read_participant",
    "read_proof",
]

_READABLE = rule(
    "RCC-A.4.1-01",
    "RCC.16 A.4.1 (rcc16.md 1.4)",
    "a credential is of type x509, and each certificate in it is strict DER",
    module=__name__,
)
_KEY = rule(
    "RCC-A.3.8-02",
    "RCC.16 A.3.8 (rcc16.md 1.3)",
    "the leaf's key is id-ecPublicKey on P-256, P-384 or P-521",
    module=__name__,
)
_PARTICIPANT = rule(
    "RCC-A.3.8.9-01",
    "RCC.16 A.3.8.9 (rcc16.md 1.3)",
    "the leaf has ParticipantInformation (.4), and it can be read",
    module=__name__,
)
_PROOF = rule(
    "RCC-A.3.8.10-01",
    "RCC.16 A.3.8.10 (rcc16.md 1.3)",
    "the ACS's proof (.5) can be read, if the leaf has one",
    module=__name__,
)

MAX_CERTIFICATE_BYTES: Final = 1 << 14
_KEPT_BYTES: Final = 1 << 12
MAX_CERTIFICATES: Final = 8
"""Of a credential, before any of it is looked at (SR-08). Which length is right is a rule of the path."""

_T = TypeVar("_T")

FLOOR_MS: Final = 30 * 86_400_000
"""What a certificate must last from now on to be used or committed (rcc16.md 1.6)."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """What the first certificate of a credential says."""

    certificate: Certificate
    number: Number
    key: Key
    participant: ParticipantInformation
    proof: IdentityProof | None


def read_leaf(credential: Credential) -> Leaf:
    """Raises InvalidRcc16 for a credential that is not what a leaf of RCC.16 looks like."""
    return _leaf(decode_chain(credential)[0])


def certified_number(credential: Credential) -> Number:
    """The number that the leaf is certified for. Raises InvalidRcc16."""
    return _facts(credential, _number)


def participant_key(credential: Credential) -> bytes:
    """SubjectPublicKeyInfo of the participant key, the one to pin. Raises InvalidRcc16."""
    return _facts(credential, _participant_key)


def expires_at(credential: Credential) -> Instant:
    """The last instant at which the credential can be valid: the earliest end of what it consists of. Raises InvalidRcc16.

    By the certificates, never by the lifetime of an MLS leaf (rcc16.md 1.6); every certificate of the chain counts,
    since the server asks whether the whole path holds in 30 days.
    """
    return _facts(credential, _end)


def lasts_30_days(credential: Credential, now: Instant) -> bool:
    """Whether it is above the floor (A.4.3.1): still valid at now + 30 days. Raises InvalidRcc16."""
    return now + FLOOR_MS <= expires_at(credential)


def decode_chain(credential: Credential) -> tuple[Certificate, ...]:
    """The certificates, leaf first, at least one. Raises InvalidRcc16."""
    if credential.credential_type != X509 or not 0 < len(credential.certificates) <= MAX_CERTIFICATES:
        _READABLE.fail("not a credential with a few certificates")
    try:
        return tuple([certificate_of(der) for der in credential.certificates[:MAX_CERTIFICATES]])
    except DecodeError as error:
        _READABLE.fail(f"a certificate cannot be read: {error}")
        raise


def read_proof(certificate: Certificate) -> IdentityProof | None:
    """The ACS's proof in a leaf. Raises InvalidRcc16 if it cannot be read."""
    extension = certificate.extension(ACS_PARTICIPANT_INFORMATION)
    if extension is None:
        return None
    try:
        return decode_proof(extension.value)
    except DecodeError as error:
        _PROOF.fail(f"the identity proof cannot be read: {error}")
        raise


def read_participant(certificate: Certificate) -> ParticipantInformation:
    """Raises InvalidRcc16 if it is not there, or cannot be read."""
    extension = certificate.extension(PARTICIPANT_INFORMATION)
    try:
        return decode_participant_information(b"" if extension is None else extension.value)
    except DecodeError as error:
        _PARTICIPANT.fail("there is no ParticipantInformation" if extension is None else f"{error}")
        raise


def certificate_of(der: bytes) -> Certificate:
    """Raises DecodeError."""
    return _kept_certificate(der) if len(der) <= _KEPT_BYTES else _certificate(der)


def _certificate(der: bytes) -> Certificate:
    return decode_certificate(der, max_bytes=MAX_CERTIFICATE_BYTES)


def _leaf(certificate: Certificate) -> Leaf:
    number = certified(certificate)
    key = key_of(certificate.spki)
    if key is None:
        _KEY.fail("the certified key is of another kind")
        key = Key("", b"")
    return Leaf(certificate, number, key, read_participant(certificate), read_proof(certificate))


def _number(credential: Credential) -> Number:
    return certified(decode_chain(credential)[0])


def _participant_key(credential: Credential) -> bytes:
    return read_participant(decode_chain(credential)[0]).participant_spki


def _end(credential: Credential) -> Instant:
    chain = decode_chain(credential)
    ends = [certificate.not_after for certificate in chain]
    ends.append(read_participant(chain[0]).not_after)
    proof = read_proof(chain[0])
    if proof is not None:
        ends.append(proof.expires * 1000 - 1)
    return min(ends)


def _facts(credential: Credential, read: Callable[[Credential], _T]) -> _T:
    """What is read of a credential that stays in a group's tree is asked for with every commit."""
    return _KEPT[read](credential) if len(credential.body) <= _KEPT_BYTES else read(credential)


# Bounded in number and size: the bytes are the peer's choice.
_kept_certificate = lru_cache(maxsize=4_096)(_certificate)
_KEPT: Final[dict[Any, Any]] = {read: lru_cache(maxsize=4_096)(read) for read in (_number, _participant_key, _end)}
