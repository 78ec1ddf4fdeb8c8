"""A device that enrols, for the tests of enrolment: its records, its clock, and what it asks for."""

from __future__ import annotations

from typing import Any

from crypto.deterministic import seeded_rng
from letterlock.codec.kds import CertificateRequest
from letterlock.conversation_seam import PublishKeyPackages
from letterlock.ids import number
from letterlock.mls.client import Client
from letterlock.rcc16.choices import Revision
from letterlock.rcc16.enrolment.enrolment import Enrolment, Upkeep
from letterlock.rcc16.enrolment.settings import EnrolmentSettings, ParticipantKey
from letterlock.rcc16.policy import capabilities
from rcc16.certificates import CRYPTO, NOW, VENDOR, Lab, key_pair, lab_policy
from signal_device import Memory

__all__ = ["ANA", "PARTICIPANT", "Device", "settings"]

ANA = number("+15550100")
PARTICIPANT = key_pair(f"participant {ANA}")


def settings(**changes: Any) -> EnrolmentSettings:
    return EnrolmentSettings(
        **{"capabilities": capabilities(Revision.V3), "policy": lab_policy(), "vendor_id": VENDOR, **changes}
    )


class Device:
    """Ana's; `linked` without the participant key."""

    def __init__(
        self, *, linked: bool = False, seed: str = "device", participant: ParticipantKey | None = None, **changes: Any
    ) -> None:
        own = None if linked else participant or ParticipantKey(PARTICIPANT.spki, PARTICIPANT.sign)
        self.enrolment = Enrolment(CRYPTO, ANA, own, settings(**changes))
        self.state = Memory()
        self.now = NOW
        self.rng = seeded_rng(f"enrolling {seed}")

    @property
    def client(self) -> Client:
        client = self.enrolment.client(self.state, self.now)
        assert client is not None
        return client

    def upkeep(self) -> Upkeep:
        step = self.enrolment.upkeep(self.state, self.now, self.rng)
        self.state.apply(step.writes)
        return step

    def request(self, lab: Lab) -> CertificateRequest:
        return self.enrolment.request(self.state, lab.proof(ANA, PARTICIPANT.spki, now=self.now), self.now)

    def adopt(self, lab: Lab, chain: tuple[bytes, ...]) -> None:
        self.state.apply(self.enrolment.adopt(self.state, chain, lab.anchors.entries(), self.now))

    def enrolled(self, lab: Lab) -> Device:
        """With a certificate of the lab."""
        self.upkeep()
        self.adopt(lab, lab.issue(self.request(lab), now=self.now))
        return self

    def published(self, *, stored: bool = True) -> tuple[bytes, ...]:
        """One upkeep, and the server's answer to the pool that it led to; the pool, empty without one."""
        for request in self.upkeep().requests:
            if isinstance(request, PublishKeyPackages):
                self.state.apply(self.enrolment.published(self.state, request.request, stored, self.now))
                return request.packages
        return ()
