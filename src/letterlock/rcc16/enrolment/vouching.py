"""What the participant key signs for one of the account's devices: its leaf key and name (.4), and the number (csr_pop).

The primary device asks for it itself; for a linked one the primary does (linking). The key may be in hardware.
"""

from __future__ import annotations

from ...crypto.provider import CryptoProvider
from ...ids import Instant, Number
from ..credentials.algorithms import spki_of
from ..credentials.issuing import BACKDATED_MS
from ..credentials.numbers import subject_alt_name, subject_name
from ..credentials.participant import participant_information
from ..credentials.request import prove_number
from .settings import EnrolmentSettings, ParticipantKey

__all__ = ["vouch"]


def vouch(
    participant: ParticipantKey,
    number: Number,
    client_id: str,
    leaf_public: bytes,
    settings: EnrolmentSettings,
    crypto: CryptoProvider,
    now: Instant,
) -> tuple[bytes, bytes]:
    """ParticipantInformation, valid from an hour ago because clocks differ, and csr_pop."""
    information = participant_information(
        subject=subject_name(client_id),
        subject_alt_name=subject_alt_name(number),
        leaf_spki=spki_of(leaf_public),
        vendor_id=settings.vendor_id,
        not_before=now - BACKDATED_MS,
        not_after=now + settings.signature_window_ms,
        participant_spki=participant.spki,
        sign=participant.sign,
    )
    return information, prove_number(number, crypto.p256_from_spki(participant.spki), participant.sign)
