"""The configuration server's part in RCC.16 (ACS; rcc16.md 1.1 and 1.7): whose participant key it is, said and signed.

The client shows its key in full, as the parameter `participant_key` (our choice; none is sourced), and the contact
already carries its hash: both stand for the owner by the code that was sent to him (SR-21). The proof names number, key,
home key distribution server and an end; it is signed anew at each contact, so that whoever lost the number to another
key is left with one that ends soon.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass, field

from ...codec.provisioning import EncryptionServices
from ...errors import InputError
from ...ids import Instant, Number
from ...rcc16.credentials.algorithms import key_of
from ...rcc16.credentials.proof import issue_proof
from ...trust.requests import participant_key_hash
from ..signer import Signer

__all__ = ["EncryptionOffer", "read_participant_key"]

_DAY_MS = 86_400_000
_MAX_TEXT = 124
"""Of 91 bytes in base64url, with padding."""


@dataclass(frozen=True, slots=True)
class EncryptionOffer:
    """What the operator offers for RCC.16. `signer` is the configuration server's key, by reference.

    `home_kds` is the number of the key distribution server (`mls-kds`); the anchors are those of its list.
    """

    kds_uri: str
    home_kds: int
    anchors_uri: str
    anchors_generation: int
    anchors_signer: bytes
    signer: Signer = field(repr=False)
    proof_lifetime_ms: int = 92 * _DAY_MS
    """Longer than a certificate, which ends with it, and than the longest pause between two contacts."""

    def services_for(self, number: Number, participant_spki: bytes, now: Instant) -> EncryptionServices:
        """What stands in this subscriber's document. May wait for a hardware key: not for the event loop."""
        expires = (now + self.proof_lifetime_ms) // 1000
        return EncryptionServices(
            self.kds_uri,
            issue_proof(number, participant_spki, str(self.home_kds), expires, self.signer.sign),
            self.anchors_uri,
            self.anchors_generation,
            self.anchors_signer,
        )


def read_participant_key(text: str, key_hash: bytes) -> bytes:
    """The key of the parameter `participant_key`, DER in base64url; empty for none.

    Raises InputError unless it is a P-256 key and the one whose hash the same contact carries.
    """
    if not text:
        return b""
    try:
        spki = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("participant_key is not base64url", code="provisioning.query") from error
    key = key_of(spki)
    if len(text) > _MAX_TEXT or key is None or key.curve != "p256":
        raise InputError("participant_key is no P-256 key", code="provisioning.query")
    if not hmac.compare_digest(participant_key_hash(spki), key_hash):
        raise InputError("participant_key is not the key of participant_key_hash", code="provisioning.query")
    return spki
