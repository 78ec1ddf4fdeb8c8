"""SignedEncryptionIdentityProof, extension .5 of a leaf (RCC.16 A.3.8.10, 7.12; rcc16.md 1.3): the word of the ACS.

The configuration server retains the participant key of a number and signs it; the KDS asks for that before it issues,
and puts it into the certificate unchanged. The form is sourced: the end in seconds, then the signature. What exactly is
signed is not (rcc16.md 12), so that is our choice: the label, number, participant key, home KDS and end.
Peers cannot check the signature, because nobody tells them the key of another network's ACS; they check the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...codec.tls import Reader, opaque, u64, whole
from ...crypto.provider import CryptoProvider
from ...errors import LimitExceeded
from ...ids import Instant, Number
from ..rules import rule
from .algorithms import ECDSA_SHA256, Sign, ecdsa_holds
from .labels import IDENTITY_PROOF
from .numbers import tel_uri

__all__ = ["IdentityProof", "check_proof", "decode_proof", "issue_proof"]

_SIGNED = rule(
    "RCC-7.12-01",
    "RCC.16 7.12 (rcc16.md 1.8)",
    "the ACS has signed that the participant key is the number's, at this KDS",
    module=__name__,
)
_EXPIRED = rule("RCC-7.12-02", "RCC.16 7.12 (rcc16.md 1.3)", "the proof of the ACS has not expired", module=__name__)

_MAX_BYTES: Final = 1_024


@dataclass(frozen=True, slots=True)
class IdentityProof:
    """`expires` is in seconds; the proof is good before that second."""

    expires: int
    signature: bytes

    def encode(self) -> bytes:
        return u64(self.expires) + opaque(self.signature)

    def expired(self, now: Instant) -> bool:
        return now >= self.expires * 1000


def issue_proof(number: Number, participant_spki: bytes, home_kds: str, expires: int, sign: Sign) -> bytes:
    """What the ACS hands out; `sign` is its key's, ECDSA with SHA-256."""
    return IdentityProof(expires, sign(_signed(number, participant_spki, home_kds, expires))).encode()


def decode_proof(data: bytes) -> IdentityProof:
    """Raises DecodeError."""
    if len(data) > _MAX_BYTES:
        raise LimitExceeded("an identity proof that is too long", code="rcc16.proof.limit")
    return whole(data, _read)


def check_proof(
    proof: IdentityProof,
    *,
    number: Number,
    participant_spki: bytes,
    home_kds: str,
    acs_spki: bytes,
    crypto: CryptoProvider,
    now: Instant,
) -> None:
    """For the KDS of the ACS's network. Raises InvalidRcc16."""
    if proof.expired(now):
        _EXPIRED.fail("the identity proof has expired")
    signed = _signed(number, participant_spki, home_kds, proof.expires)
    if not ecdsa_holds(crypto, acs_spki, ECDSA_SHA256, signed, proof.signature):
        _SIGNED.fail("the identity proof is not the ACS's for this number and key")


def _read(reader: Reader) -> IdentityProof:
    return IdentityProof(reader.u64(), reader.vector())


def _signed(number: Number, participant_spki: bytes, home_kds: str, expires: int) -> bytes:
    fields = opaque(tel_uri(number).encode()), opaque(participant_spki), opaque(home_kds.encode()), u64(expires)
    return IDENTITY_PROOF + b"".join(fields)
