"""Who there is: enrolled phones, made once for a process and copied for each seed; the authority behind them.

Everything is deterministic. The crypto provider remembers which signatures held: nineteen members verify the same
commit, and the answer is a function of key, message and signature.
"""

from __future__ import annotations

from functools import cache

from crypto.deterministic import Deterministic, seeded_rng
from letterlock.conversation_seam import PublishKeyPackages, RenewCertificate
from letterlock.ids import Instant, Number, number
from letterlock.rcc16.choices import Revision
from letterlock.rcc16.enrolment.enrolment import Enrolment
from letterlock.rcc16.enrolment.settings import EnrolmentSettings, ParticipantKey
from letterlock.rcc16.policy import capabilities
from rcc16.certificates import NOW, VENDOR, KeyPair, Lab, key_pair, lab_policy

from .records import Records

__all__ = ["CRYPTO", "EVERYBODY", "LAB", "START", "enrolled", "enrolment", "participant_of", "proof_of"]

EVERYBODY: tuple[Number, ...] = tuple(number(f"+155501{index:05d}") for index in range(100, 124))
"""Numbers that seeds take their members from."""
START: Instant = NOW
LAB = Lab()


class Remembering(Deterministic):
    """See the module."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        super().__init__()
        self._held: set[tuple[object, ...]] = set()

    def p256_verify(self, public: bytes, message: bytes, signature: bytes, hash_name: str | None = None) -> None:
        asked = (hash_name, public, message, signature)
        if asked not in self._held:
            super().p256_verify(public, message, signature, hash_name)
            self._remember(asked)

    def ecdsa_verify(self, curve: str, hash_name: str, public: bytes, message: bytes, signature: bytes) -> None:
        asked = (curve, hash_name, public, message, signature)
        if asked not in self._held:
            super().ecdsa_verify(curve, hash_name, public, message, signature)
            self._remember(asked)

    def _remember(self, asked: tuple[object, ...]) -> None:
        if len(self._held) > 50_000:
            self._held.clear()
        self._held.add(asked)


CRYPTO = Remembering()

_SETTINGS = EnrolmentSettings(
    capabilities=capabilities(Revision.V3),
    policy=lab_policy(),
    vendor_id=VENDOR,
    republish_ms=30 * 86_400_000,  # a seed lasts two days at most
)


def participant_of(of: Number) -> KeyPair:
    return key_pair(f"participant {of}")


def enrolment(of: Number) -> Enrolment:
    """A phone's, as after a start of the program."""
    participant = participant_of(of)
    return Enrolment(CRYPTO, of, ParticipantKey(participant.spki, participant.sign), _SETTINGS)


def proof_of(of: Number, now: Instant) -> bytes:
    """The ACS's word for its participant key."""
    return LAB.proof(of, participant_of(of).spki, now=now)


def enrolled(of: Number) -> tuple[Records, tuple[bytes, ...]]:
    """Records with a certificate, and the pool that was published."""
    return _everybody_enrolled()[of]


@cache
def _everybody_enrolled() -> dict[Number, tuple[Records, tuple[bytes, ...]]]:
    """All at once, so that a seed comes to the same whatever ran before it."""
    return {of: _enrolled(of) for of in EVERYBODY}


def _enrolled(of: Number) -> tuple[Records, tuple[bytes, ...]]:
    mine, records, rng = enrolment(of), Records(), seeded_rng(f"enrolling {of}")
    records.commit(mine.upkeep(records, START, rng).writes)
    chain = LAB.issue(mine.request(records, proof_of(of, START), START), now=START)
    records.commit(mine.adopt(records, chain, LAB.anchors.entries(), START))
    upkeep = mine.upkeep(records, START, rng)
    records.commit(upkeep.writes)
    request = next(one for one in upkeep.requests if isinstance(one, PublishKeyPackages))
    assert not any(isinstance(one, RenewCertificate) for one in upkeep.requests)
    records.commit(mine.published(records, request.request, True, START))
    return records, request.packages
