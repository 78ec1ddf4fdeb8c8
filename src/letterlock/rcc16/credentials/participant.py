"""ParticipantInformation, extension .4 of a leaf (RCC.16 A.3.8.9; rcc16.md 1.3): the participant key vouches for the leaf key.

The participant key belongs to the account and lasts; each device has a leaf key of its own. The signature is over the
leaf's subject, vendor, window, key and subjectAltName, all as they stand in the certificate: nothing is encoded anew.
It is plain DER, as deployed, without a label of ours; our own texts carry labels that never parse as DER (SR-23).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ...codec.der import SEQUENCE, DerReader, bit_string, integer, sequence, whole
from ...codec.x509 import encode_validity, read_validity
from ...crypto.provider import CryptoProvider
from ...ids import Instant
from .algorithms import ECDSA_SHA256, Sign, ecdsa_holds

__all__ = ["ParticipantInformation", "decode_participant_information", "participant_information"]

_MAX_BYTES: Final = 4_096
_DEPTH: Final = 4


@dataclass(frozen=True, slots=True)
class ParticipantInformation:
    """As read. `rolls` says that a sixth element was there: participantKeyRolls, whatever is in it."""

    vendor_id: int
    not_before: Instant
    """Of the signature, not of the certificate."""
    not_after: Instant
    validity: bytes = field(repr=False)
    algorithm: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    participant_spki: bytes
    rolls: bool

    def holds(self, crypto: CryptoProvider, *, subject: bytes, leaf_spki: bytes, subject_alt_name: bytes) -> bool:
        """Whether the participant key signed this leaf: its subject, key and name in DER, verbatim."""
        signed = _signed(subject, self.vendor_id, self.validity, leaf_spki, subject_alt_name)
        return ecdsa_holds(crypto, self.participant_spki, self.algorithm, signed, self.signature)


def participant_information(
    *,
    subject: bytes,
    subject_alt_name: bytes,
    leaf_spki: bytes,
    vendor_id: int,
    not_before: Instant,
    not_after: Instant,
    participant_spki: bytes,
    sign: Sign,
) -> bytes:
    """The extension's value. `sign` is the participant key's, P-256 with SHA-256."""
    validity = encode_validity(not_before, not_after)
    signature = sign(_signed(subject, vendor_id, validity, leaf_spki, subject_alt_name))
    return sequence(integer(vendor_id), validity, ECDSA_SHA256, bit_string(signature), participant_spki)


def decode_participant_information(der: bytes) -> ParticipantInformation:
    """Raises DecodeError."""
    return whole(der, _read, max_bytes=_MAX_BYTES, max_depth=_DEPTH)


def _read(reader: DerReader) -> ParticipantInformation:
    fields = reader.sequence()
    vendor_id = fields.integer()
    validity = fields.element(SEQUENCE)
    window = whole(validity, read_validity, max_bytes=len(validity), max_depth=_DEPTH)
    algorithm = fields.element(SEQUENCE)
    signature = fields.bit_string()
    participant_spki = fields.element(SEQUENCE)
    rolls = fields.next_is(_ROLLS)
    if rolls:
        fields.element(_ROLLS)
    fields.end()
    return ParticipantInformation(vendor_id, *window, validity, algorithm, signature, participant_spki, rolls)


_ROLLS: Final = 0xA0


def _signed(subject: bytes, vendor_id: int, validity: bytes, leaf_spki: bytes, subject_alt_name: bytes) -> bytes:
    return sequence(subject, integer(vendor_id), validity, leaf_spki, subject_alt_name)
