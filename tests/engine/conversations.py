"""A world in which numbers also speak a protocol that keeps the members itself: its key server, and a focus."""

from __future__ import annotations

from typing import Any

from engine.toy_conversation import CONTROL, ToyConversations
from engine.world import CRYPTO, Account, Phone, World
from letterlock.carriage import Inbound, Outbound
from letterlock.conversation_seam import (
    Claimed,
    ClaimKeyPackages,
    ClaimOutcome,
    PublishKeyPackages,
    RenewCertificate,
)
from letterlock.engine.effects import Effect, MakeConference, PerformRequest, PublishMaterial, Transmit
from letterlock.engine.engine import Engine
from letterlock.engine.step import Step
from letterlock.ids import GroupId, Number

from engine.world import MemoryState  # isort: skip

BOTH, KEEP, TOY = "toy keep", "keep", "toy"


class ConversationWorld(World):
    """`person(number, capability=...)`: `toy keep` speaks both, `keep` only the one, and publishes no sessions' keys."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.packages: dict[Number, list[bytes]] = {}
        self.claims: list[Number] = []
        self.claim_outcome: dict[Number, ClaimOutcome] = {}
        self.rosters: dict[GroupId, set[Number]] = {}
        self.made: list[MakeConference] = []

    def phone(self, account: Account, device: int) -> Phone:
        spoken = account.capability.split()
        keeping = ToyConversations(account.number, account.spki, device)
        engine = Engine(
            account.party(device),
            CRYPTO,
            (self.keys.protocol(account, device),) if "toy" in spoken else (),
            keeping=(keeping,) if "keep" in spoken else (),
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

    def keeping(self, phone: Phone) -> ToyConversations:
        return phone.engine._core.keeping["keep"]  # type: ignore[return-value]

    def check_step(self, phone: Phone, step: Step[Any]) -> None:
        for effect in step.effects:
            if isinstance(effect, Transmit) and effect.row:
                name = f"packet/{effect.row[1:]}" if effect.row.startswith(":") else f"outbox/{effect.row}"
                assert name in phone.state.records
            if isinstance(effect, PerformRequest):
                name = effect.request.request.encode().hex()
                assert f"asked/{effect.protocol}/{name}" in phone.state.records

    def perform(self, phone: Phone, effect: Effect) -> None:
        if isinstance(effect, MakeConference):
            self.made.append(effect)
            self.rosters.setdefault(effect.conference.group, {phone.number, *effect.conference.members})
        elif isinstance(effect, PerformRequest):
            self._request(phone, effect)
        else:
            super().perform(phone, effect)

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
                phone.do(phone.engine.on_enrolled, name, request.request, (b"leaf", b"issuer"), (b"root",))

    def _claim(self, number: Number) -> Claimed:
        outcome = self.claim_outcome.get(number)
        if outcome is None:
            outcome = ClaimOutcome.SERVED if number in self.packages else ClaimOutcome.NONE
        served = outcome is ClaimOutcome.SERVED
        return Claimed(outcome, tuple(self.packages[number]) if served else ())

    def carry(self, sender: Number, outbound: Outbound) -> None:
        if not outbound.packet or outbound.group is None:
            super().carry(sender, outbound)
            return
        roster = self.rosters.get(outbound.group, set())
        if sender not in roster:
            return
        if outbound.content_type == CONTROL:
            for name, value in outbound.headers:
                if name.endswith(".Roster"):
                    for word in value.split():
                        (roster.add if word[0] == "+" else roster.discard)(Number(word[1:]))
        gone = {Number(w[1:]) for n, v in outbound.headers if n.endswith(".Roster") for w in v.split() if w[0] == "-"}
        for phone in self.phones:
            if phone.number == sender or phone.number not in roster | gone or outbound.to not in (None, phone.number):
                continue
            for _ in range(2 if self.random.random() < self.hostility.duplicate else 1):
                self.inject(phone, sender, outbound, self.random.randint(0, self.hostility.longest_delay))

    def inject(self, phone: Phone, sender: Number | None, outbound: Outbound, delay: int = 0) -> None:
        super().inject(phone, sender, outbound, delay)
        at, serial, to, inbound = self.flying.pop()
        self.flying.append((at, serial, to, _for(inbound, phone.number)))

    def _check_keys(self, phone: Phone, outbound: Outbound) -> None:
        if not outbound.packet:
            super()._check_keys(phone, outbound)
            return
        known = self._ciphertexts.setdefault((phone.name, outbound.message_id, b""), outbound.body)
        assert known == outbound.body, "other bytes under the same message id"  # rcc16.md 4.3


def _for(inbound: Inbound, recipient: Number) -> Inbound:
    return Inbound(
        inbound.sender,
        recipient,
        inbound.message_id,
        inbound.content_type,
        inbound.body,
        inbound.received_at,
        inbound.group,
        inbound.headers,
    )
