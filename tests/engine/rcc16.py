"""Numbers that speak RCC.16 itself, with certificates of a lab; the world of conversations.py around them."""

from __future__ import annotations

from typing import Any

from engine.conversations import ConversationWorld
from engine.world import CRYPTO, Account, MemoryState, Phone
from letterlock.carriage import Outbound
from letterlock.conversation_seam import (
    Claimed,
    ClaimKeyPackages,
    ClaimOutcome,
    PublishKeyPackages,
    RenewCertificate,
)
from letterlock.engine.effects import PerformRequest, PublishMaterial
from letterlock.engine.engine import Engine
from letterlock.ids import Number
from letterlock.rcc16.choices import Revision
from letterlock.rcc16.conversation.settings import DEPLOYED
from letterlock.rcc16.enrolment.enrolment import Enrolment
from letterlock.rcc16.enrolment.settings import EnrolmentSettings, ParticipantKey
from letterlock.rcc16.policy import capabilities
from letterlock.rcc16.protocol import Rcc16Protocol
from rcc16.certificates import NOW, VENDOR, Lab, lab_policy

BOTH, RCC16 = "toy rcc16", "rcc16"
LAB = Lab("engine")


class Rcc16World(ConversationWorld):
    """`person(number, capability=...)`: `toy rcc16` speaks both, `rcc16` only the one."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.now = NOW

    def phone(self, account: Account, device: int) -> Phone:
        spoken = account.capability.split()
        settings = EnrolmentSettings(capabilities=capabilities(Revision.V3), policy=lab_policy(), vendor_id=VENDOR)
        participant = ParticipantKey(account.spki, account.sign)
        protocol = Rcc16Protocol(CRYPTO, Enrolment(CRYPTO, account.number, participant, settings), DEPLOYED)
        engine = Engine(
            account.party(device),
            CRYPTO,
            (self.keys.protocol(account, device),) if "toy" in spoken else (),
            keeping=(protocol,) if "rcc16" in spoken else (),
            limits=self.limits,
            privacy=self.privacy,
            sign=lambda text, rng: CRYPTO.xeddsa_sign(account.identities[device][0], text, rng),
        )
        phone = Phone(self, account, device, engine, MemoryState())
        self.phones.append(phone)
        phone.do(engine.adopt_list, account.list.encoded)
        phone.do(engine.start)
        while found := [effect for effect in phone.todo if isinstance(effect, PublishMaterial | PerformRequest)]:
            phone.todo.remove(found[0])
            self.perform(phone, found[0])
        return phone

    def protocol(self, phone: Phone) -> Rcc16Protocol:
        found = phone.engine._core.keeping["rcc16"]
        assert isinstance(found, Rcc16Protocol)
        return found

    def _request(self, phone: Phone, effect: PerformRequest) -> None:
        request, name = effect.request, effect.protocol
        match request:
            case ClaimKeyPackages():
                self.claims += request.numbers
                answers = {number: self._claim(number) for number in request.numbers}
                phone.do(phone.engine.on_claimed, name, request.request, answers)
            case PublishKeyPackages():
                self.packages[phone.number] = list(request.packages)
                phone.do(phone.engine.on_uploaded, name, request.request, True)
            case RenewCertificate():
                enrolment = self.protocol(phone).enrolment
                proof = LAB.proof(phone.number, phone.account.spki, now=self.now)
                chain = LAB.issue(enrolment.request(phone.state, proof, self.now), now=self.now)
                phone.do(phone.engine.on_enrolled, name, request.request, chain, LAB.anchors.entries())

    def _claim(self, number: Number) -> Claimed:
        outcome = self.claim_outcome.get(number)
        pool = self.packages.get(number, [])
        if outcome is None:
            outcome = ClaimOutcome.SERVED if pool else ClaimOutcome.NONE
        if outcome is not ClaimOutcome.SERVED:
            return Claimed(outcome)
        return Claimed(outcome, (pool.pop(0) if len(pool) > 1 else pool[0],))

    def _check_keys(self, phone: Phone, outbound: Outbound) -> None:
        if outbound.packet and outbound.content_type.startswith("message/imdn"):
            return
        super()._check_keys(phone, outbound)
