"""Step 2 of the checks of A.4.1: the profile of a leaf (A.3.8), in the order of rcc16.md 1.5.

Two of these rules, and the one on unknown extensions, can be relaxed for certificates as others deploy them; none else.
"""

from __future__ import annotations

from typing import Final

from ...codec.x509 import Certificate
from ...crypto.provider import CryptoProvider
from ...ids import Instant, Number
from ..rules import rule
from .algorithms import HASHES
from .extensions import (
    CRL_SIGN,
    DIGITAL_SIGNATURE,
    KEY_CERT_SIGN,
    Policy,
    basic_constraints,
    certificate_policies,
    extended_key_usage,
    key_usage,
)
from .leaf import FLOOR_MS, read_participant, read_proof
from .numbers import certified
from .oids import (
    ACS_PARTICIPANT_INFORMATION,
    CERTIFICATE_POLICIES,
    E2EE_POLICY,
    KEY_USAGE,
    MLS_CLIENT,
    PARTICIPANT_INFORMATION,
    SUBJECT_ALT_NAME,
)

__all__ = ["MAX_LIFETIME_MS", "check_leaf"]

_PROFILE: Final = "RCC.16 A.3.8 (rcc16.md 1.3)"
_INFORMATION: Final = "RCC.16 A.3.8.9 (rcc16.md 1.3)"

_USE = rule("RCC-A.3.8-03", _PROFILE, "the leaf's extended key usage is id-kp-rcsMlsClient alone", module=__name__)
_KEY_USAGE = rule(
    "RCC-A.3.8-04",
    _PROFILE,
    "the leaf's key usage is critical, has digitalSignature and signs no certificates or lists",
    module=__name__,
)
_NUMBER = rule(
    "RCC-A.4.1-09",
    "RCC.16 A.4.1 (rcc16.md 1.5)",
    "the leaf is certified for the number that was asked for",
    module=__name__,
)
_LIFETIME = rule("RCC-A.3.8-05", _PROFILE, "a leaf is valid for at most 76 days", module=__name__)
_FLOOR = rule(
    "RCC-A.4.1-10", "RCC.16 A.4.1.5 (rcc16.md 1.6)", "a leaf has 30 days left when it is used", module=__name__
)
_CRITICAL = rule("RCC-A.3.8.9-02", _INFORMATION, "ParticipantInformation (.4) is critical", module=__name__)
_WINDOW = rule(
    "RCC-A.3.8.9-03", _INFORMATION, "the present lies in the window of the participant's signature", module=__name__
)
_ROLLS = rule(
    "RCC-A.4.1.1-01",
    "RCC.16 A.4.1.1 (1c-ii) (rcc16.md 1.5)",
    "ParticipantInformation names no rolled keys: how to follow them is not known",
    module=__name__,
)
_PROOF_CRITICAL = rule(
    "RCC-A.3.8.10-02", "RCC.16 A.3.8.10 (rcc16.md 1.2)", "the ACS's proof (.5) is not critical", module=__name__
)
_PROOF_EXPIRED = rule(
    "RCC-A.3.8.10-03", "RCC.16 A.3.8.10 (rcc16.md 1.3)", "the ACS's proof (.5) has not expired", module=__name__
)
_ALGORITHM = rule(
    "RCC-A.3.8.9-04",
    _INFORMATION,
    "the participant's signature is ECDSA with SHA-256, -384 or -512, without parameters",
    module=__name__,
)
_SIGNATURE = rule(
    "RCC-A.3.8.9-05",
    _INFORMATION,
    "the participant key has signed the leaf's subject, vendor, window, key and number",
    module=__name__,
)
_POLICY = rule(
    "RCC-A.3.8-06",
    _PROFILE,
    "the leaf has the E2EE certificate policy alone, without qualifiers and not critical",
    module=__name__,
)
_NO_ISSUER = rule("RCC-A.3.8-07", _PROFILE, "the leaf is not an issuer", module=__name__)

MAX_LIFETIME_MS: Final = 76 * 86_400_000


def check_leaf(
    certificate: Certificate,
    *,
    number: Number | None,
    tolerant: bool,
    floor: bool,
    now: Instant,
    crypto: CryptoProvider,
) -> None:
    """`number` is the one that was asked for, None where the caller knows none. Raises InvalidRcc16."""
    if extended_key_usage(certificate) != (MLS_CLIENT,):
        _USE.fail("the leaf is for another use")
    _check_key_usage(certificate)
    certified_for = certified(certificate)
    if number is not None and certified_for != number:
        _NUMBER.fail("the leaf is certified for another number")
    if not tolerant and certificate.not_after - certificate.not_before > MAX_LIFETIME_MS:
        _LIFETIME.fail("the leaf is valid for too long")
    if floor and not tolerant and now + FLOOR_MS > certificate.not_after:
        _FLOOR.fail("the leaf has less than 30 days left")
    _check_participant(certificate, now, crypto)
    policies = certificate_policies(certificate)
    extension = certificate.extension(CERTIFICATE_POLICIES)
    if policies != (Policy(E2EE_POLICY, False),) or extension is None or extension.critical:
        _POLICY.fail("the leaf has not the E2EE policy alone")
    constraints = basic_constraints(certificate)
    if constraints is not None and constraints.ca:
        _NO_ISSUER.fail("the leaf says that it is an issuer")


def _check_key_usage(certificate: Certificate) -> None:
    bits, extension = key_usage(certificate), certificate.extension(KEY_USAGE)
    if (
        bits is None
        or extension is None
        or not extension.critical
        or DIGITAL_SIGNATURE not in bits
        or bits & {KEY_CERT_SIGN, CRL_SIGN}
    ):
        _KEY_USAGE.fail("the leaf's key is not for signing messages alone")


def _check_participant(certificate: Certificate, now: Instant, crypto: CryptoProvider) -> None:
    participant = read_participant(certificate)
    extension = certificate.extension(PARTICIPANT_INFORMATION)
    if extension is None or not extension.critical:
        _CRITICAL.fail("ParticipantInformation is not critical")
    # Never relaxed: a signature outside its window is one that the participant does not stand for any more.
    if not participant.not_before <= now <= participant.not_after:
        _WINDOW.fail("the window of the participant's signature does not hold the present")
    if participant.rolls:
        _ROLLS.fail("ParticipantInformation names rolled keys")
    proof = certificate.extension(ACS_PARTICIPANT_INFORMATION)
    if proof is not None and proof.critical:
        _PROOF_CRITICAL.fail("the identity proof is critical")
    word = read_proof(certificate)
    if word is not None and word.expired(now):
        _PROOF_EXPIRED.fail("the identity proof has expired")
    if participant.algorithm not in HASHES:
        _ALGORITHM.fail("the participant's signature is of another algorithm")
    names = certificate.extension(SUBJECT_ALT_NAME)
    if not participant.holds(
        crypto,
        subject=certificate.subject,
        leaf_spki=certificate.spki,
        subject_alt_name=b"" if names is None else names.value,
    ):
        _SIGNATURE.fail("the participant key has not signed this leaf")
