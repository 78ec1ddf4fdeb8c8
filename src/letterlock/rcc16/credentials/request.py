"""What a client asks the KDS to certify, and how the KDS checks it (rcc16.md 1.8).

Sourced are the parts of the lab's request: number, participant key, subject, subjectAltName, ParticipantInformation, the
ACS's proof, and `csr_pop`, by which the participant key signs the number and itself. There the certified key is the
participant key. Where it is a key of its own, as deployed by Google and here, we add that key and its signature: without
it somebody could have another's key certified for his number. The subject, subjectAltName and .4 go into the
certificate verbatim.
"""

from __future__ import annotations

from ...codec.der import UTF8_STRING
from ...codec.kds import CertificateRequest
from ...codec.tls import opaque
from ...codec.x509 import decode_name
from ...crypto.provider import CryptoProvider
from ...errors import DecodeError
from ...ids import Instant, Number
from ..rules import rule
from .algorithms import ECDSA_SHA256, Sign, ecdsa_holds, spki_of
from .labels import LEAF_POSSESSION
from .numbers import subject_alt_name, tel_uri
from .oids import COMMON_NAME
from .participant import decode_participant_information
from .proof import check_proof, decode_proof

__all__ = [
    "CertificateRequest",
    "check_possession",
    "check_request",
    "prove_number",
    "prove_possession",
    "proves_number",
]

_POSSESSION = rule(
    "RCC-P.1.8-01",
    "rcc16.md 1.8 (csr_pop)",
    "the participant key has signed the number and itself",
    module=__name__,
)
_LEAF_POSSESSION = rule(
    "RCC-P.1.8-02",
    "our choice (rcc16.md 1.8)",
    "the key to be certified has signed the number and the participant key",
    module=__name__,
)
_NAME = rule(
    "RCC-P.1.8-03",
    "rcc16.md 1.3",
    "the subject that is asked for is one commonName, a UTF8String of at most 64 characters",
    module=__name__,
)
_NUMBER = rule(
    "RCC-P.1.8-04", "rcc16.md 1.8", "the subjectAltName that is asked for is the authenticated number", module=__name__
)
_PARTICIPANT = rule(
    "RCC-P.1.8-05",
    "rcc16.md 1.8",
    "the ParticipantInformation that is asked for can be read and is of the same participant key",
    module=__name__,
)
_SIGNED = rule(
    "RCC-P.1.8-06",
    "RCC.16 A.3.8.9 (rcc16.md 1.3)",
    "the ParticipantInformation that is asked for is signed over this subject, key and number, and in its window",
    module=__name__,
)
_VENDOR = rule(
    "RCC-P.1.8-07",
    "RCC.16 A.4.1 (rcc16.md 1.5)",
    "the ParticipantInformation that is asked for names the vendor of the KDS's root",
    module=__name__,
)
_PROOF = rule("RCC-P.1.8-08", "rcc16.md 1.8", "the identity proof can be read", module=__name__)


def prove_number(number: Number, participant_public: bytes, sign: Sign) -> bytes:
    """`csr_pop`, by the participant key."""
    return sign(_numbered(number, participant_public))


def prove_possession(number: Number, participant_public: bytes, leaf_public: bytes, sign: Sign) -> bytes:
    """`leaf_pop`, by the leaf key."""
    return sign(_agreed(number, participant_public, leaf_public))


def proves_number(number: Number, participant_public: bytes, csr_pop: bytes, crypto: CryptoProvider) -> bool:
    """Whether the participant key has asked for the number: for the KDS, and for a linked device that was answered."""
    signed = _numbered(number, participant_public)
    return ecdsa_holds(crypto, spki_of(participant_public), ECDSA_SHA256, signed, csr_pop)


def check_possession(
    number: Number, participant_public: bytes, leaf_public: bytes, leaf_pop: bytes, crypto: CryptoProvider
) -> None:
    """That whoever asks holds the leaf key: for the KDS, and for a primary device that links another. Raises InvalidRcc16."""
    signed = _agreed(number, participant_public, leaf_public)
    if not ecdsa_holds(crypto, spki_of(leaf_public), ECDSA_SHA256, signed, leaf_pop):
        _LEAF_POSSESSION.fail("the key to be certified has not agreed")


def check_request(
    request: CertificateRequest,
    *,
    number: Number,
    vendor_id: int,
    home_kds: str,
    acs_spki: bytes,
    now: Instant,
    crypto: CryptoProvider,
) -> None:
    """The KDS's side, before anything is issued. `number` is who was authenticated by the network. Raises InvalidRcc16."""
    participant_spki = spki_of(request.participant_public)
    if not proves_number(request.number, request.participant_public, request.csr_pop, crypto):
        _POSSESSION.fail("the participant key has not signed the request")
    if request.leaf_public != request.participant_public:
        check_possession(request.number, request.participant_public, request.leaf_public, request.leaf_pop, crypto)
    if not _is_client_name(request.subject):
        _NAME.fail("the subject is not one commonName")
    if request.number != number or request.subject_alt_name != subject_alt_name(number):
        _NUMBER.fail("the request is for another number")
    _check_participant(request, participant_spki, vendor_id, now, crypto)
    try:
        proof = decode_proof(request.proof)
    except DecodeError as error:
        _PROOF.fail(f"the identity proof cannot be read: {error}")
        return
    check_proof(
        proof,
        number=number,
        participant_spki=participant_spki,
        home_kds=home_kds,
        acs_spki=acs_spki,
        crypto=crypto,
        now=now,
    )


def _check_participant(
    request: CertificateRequest, participant_spki: bytes, vendor_id: int, now: Instant, crypto: CryptoProvider
) -> None:
    try:
        participant = decode_participant_information(request.participant_information)
    except DecodeError as error:
        _PARTICIPANT.fail(f"ParticipantInformation cannot be read: {error}")
        return
    if participant.participant_spki != participant_spki or participant.rolls:
        _PARTICIPANT.fail("ParticipantInformation is of another participant key")
    if not participant.not_before <= now <= participant.not_after or not participant.holds(
        crypto,
        subject=request.subject,
        leaf_spki=spki_of(request.leaf_public),
        subject_alt_name=request.subject_alt_name,
    ):
        _SIGNED.fail("ParticipantInformation is not signed for this certificate")
    if participant.vendor_id != vendor_id:
        _VENDOR.fail("ParticipantInformation names another vendor")


def _is_client_name(subject: bytes) -> bool:
    try:
        name = decode_name(subject)
    except DecodeError:
        return False
    if len(name) != 1 or len(name[0]) != 1:
        return False
    attribute = name[0][0]
    try:
        text = attribute.value.decode()
    except UnicodeDecodeError:
        return False
    return attribute.oid == COMMON_NAME and attribute.tag == UTF8_STRING and 0 < len(text) <= 64


def _numbered(number: Number, participant_public: bytes) -> bytes:
    """As sourced, without a label of ours. It starts with a letter, so that it does not parse as the DER of (.4)."""
    return tel_uri(number).encode() + participant_public


def _agreed(number: Number, participant_public: bytes, leaf_public: bytes) -> bytes:
    return LEAF_POSSESSION + opaque(tel_uri(number).encode()) + opaque(participant_public) + opaque(leaf_public)
