"""Several RCC.16 clients, each with its store, a certification authority, a key distribution server, and a network.

Clients are real, and so is the ordering of the focus. `run` carries everything until nothing moves; `drop`, `hold` and
`lies` make the network less than perfect. A store keeps encoded records, so that each of them is read back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from crypto.deterministic import seeded_rng
from letterlock.conversation_seam import (
    Change,
    Claimed,
    ClaimKeyPackages,
    ClaimOutcome,
    Conversation,
    ConversationView,
    Letter,
    LetterReceived,
    Notice,
    Packet,
    PacketHeader,
    Progress,
    PublishKeyPackages,
    RenewCertificate,
    Request,
)
from letterlock.errors import DecodeError
from letterlock.ids import GroupId, Instant, MessageId, Number, Rng, number
from letterlock.rcc16.choices import OURS, Revision
from letterlock.rcc16.conversation.settings import DEPLOYED, Settings
from letterlock.rcc16.enrolment.enrolment import Enrolment
from letterlock.rcc16.enrolment.settings import EnrolmentSettings, ParticipantKey
from letterlock.rcc16.policy import capabilities
from letterlock.rcc16.protocol import Rcc16Protocol
from letterlock.rcc16.wire.content_types import CLIENT_CONTROL, GROUP_INFO, SERVER_CONTROL
from letterlock.rcc16.wire.control import ControlLimits, decode_client_message, decode_epoch_identifier
from letterlock.rcc16.wire.packet_headers import control_headers
from letterlock.rcc16.wire.reasons import encode_negative_receipt
from letterlock.rcc16.wire.secret_payload import text_entity
from letterlock.seam import Key, RecordKind, Writes
from letterlock.services.focus.mls.limits import OrderingLimits
from letterlock.services.focus.mls.logic import OrderedGroup, Terms
from letterlock.services.focus.mls.outcome import Accepted, Refused

from .certificates import CRYPTO, NOW, SUITE, KeyPair, Lab, key_pair, lab_policy

__all__ = ["ANA", "BEN", "CLEO", "DORA", "EMIL", "FAY", "GROUP", "Focus", "MemoryState", "Phone", "World", "texts"]

T = TypeVar("T")

ANA, BEN, CLEO, DORA, EMIL, FAY = (number(f"+1555010{n}") for n in range(6))
GROUP = Conversation(group=GroupId(bytes(range(16))))

LIMITS = OrderingLimits(
    max_external_commits_a_day=50,
    max_eras_an_hour=20,
    max_eras_a_day=50,
    max_epochs_an_hour=1_000,
    max_external_commits_a_day_by_one=50,
    max_eras_a_day_by_one=50,
    max_epochs_an_hour_by_one=1000,
    min_credential_ms=30 * 86_400_000,
    max_pending=50,
    recent_epochs=20,
    recent_ms=3_600_000,
    max_history=50,
    max_history_bytes=1 << 20,
    max_page_bytes=1 << 18,
    max_group_info=1 << 16,
    max_leaf=1 << 14,
    max_leaves_of_one=16,
    max_key_delivery=1 << 16,
    max_subject=4_096,
    max_icon=1_024,
)
CONTROL = ControlLimits(max_size=1 << 23, max_roster=1_000, max_page=50)


class MemoryState:
    """A store that keeps bytes."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        self.kinds: dict[str, RecordKind[Any]] = {}

    def get(self, key: Key[T]) -> T | None:
        data = self.rows.get(key.name)
        return None if data is None else key.kind.decode(data)

    def scan(self, kind: RecordKind[T], prefix: str = "") -> Iterable[Key[T]]:
        start = f"{kind.name}/{prefix}"
        return [Key(kind, name) for name in sorted(self.rows) if name.startswith(start)]

    def apply(self, writes: Writes) -> None:
        for key, value in writes.items():
            if value is None:
                self.rows.pop(key.name, None)
            else:
                self.rows[key.name] = key.kind.encode(value)


@dataclass(eq=False)
class Phone:
    """One device. `notices` are all that its user was ever told."""

    world: World
    number: Number
    device: int
    participant: KeyPair
    protocol: Rcc16Protocol
    rng: Rng
    state: MemoryState = field(default_factory=MemoryState)
    notices: list[Notice] = field(default_factory=list)
    wake_at: Instant | None = None
    sent: list[Packet] = field(default_factory=list)
    last: Progress = field(default_factory=Progress)
    crash: bool = False
    """The next step is computed and its outcome lost."""

    def do(self, step: Callable[[], Progress]) -> Progress:
        """A step: committed, then spoken; or lost whole and done again, as after a crash."""
        if self.crash:
            self.crash = False
            step()
        progress = step()
        self.state.apply(progress.writes)
        self.last = progress
        self.notices += progress.notices
        if progress.wake_at is not None:
            self.wake_at = progress.wake_at
        for packet in progress.packets:
            self.sent.append(packet)
            self.world.send(self, packet)
        for request in progress.requests:
            self.world.answer(self, request)
        return progress

    # --- what a user does ------------------------------------------------------------------------------------
    def upgrade(self, conversation: Conversation, *members: Number) -> Progress:
        return self.do(lambda: self.protocol.upgrade(self.state, conversation, members, self.world.now, self.rng))

    def write(
        self,
        conversation: Conversation,
        text: str,
        message_id: str = "",
        root: str = "",
        audience: Sequence[Number] = (),
    ) -> Progress:
        name = MessageId(message_id or f"m-{self.number[1:]}-{self.rng(6).hex()}")
        letter = Letter(name, MessageId(root or name), (), text_entity(text), tuple(audience))
        return self.do(lambda: self.protocol.seal(self.state, conversation, letter, self.world.now, self.rng))

    def change(self, conversation: Conversation, wanted: Change) -> Progress:
        return self.do(lambda: self.protocol.change(self.state, conversation, wanted, self.world.now, self.rng))

    def receive(self, packet: Packet, sender: Number | None) -> Progress:
        return self.do(lambda: self.protocol.receive(self.state, packet, sender, self.world.now, self.rng))

    def timer(self) -> Progress:
        return self.do(lambda: self.protocol.on_timer(self.state, self.world.now, self.rng))

    def view(self, conversation: Conversation) -> ConversationView:
        view = self.protocol.view(self.state, conversation)
        assert view is not None
        return view

    def restart(self) -> None:
        """Nothing is left but the store."""
        self.protocol = self.world.protocol(self.number, self.participant)

    # --- what was seen --------------------------------------------------------------------------------------------
    def told(self, kind: type[T]) -> list[T]:
        return [notice for notice in self.notices if isinstance(notice, kind)]

    def read(self) -> list[str]:
        """The texts that were read, in order."""
        return texts(self.told(LetterReceived))


def texts(letters: Iterable[LetterReceived]) -> list[str]:
    return [letter.entity.partition(b"\r\n\r\n")[2].decode() for letter in letters]


@dataclass(eq=False)
class Focus:
    """The real ordering, and an RCS roster."""

    group: OrderedGroup
    roster: set[Number]
    snapshot: Any = None
    data: dict[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Travelling:
    """A packet to one device."""

    packet: Packet
    sender: Number | None
    to: Phone


class World:
    """Time stands still but for `pass_time`."""

    def __init__(self, seed: str = "world", *, settings: Settings = DEPLOYED) -> None:
        self.now: Instant = NOW
        self.settings = settings
        self.lab = Lab()
        self.seed = seed
        self.phones: list[Phone] = []
        self.pools: dict[tuple[Number, int], list[bytes]] = {}
        self.queue: deque[Travelling] = deque()
        self.groups: dict[Conversation, Focus] = {}
        self.drop: Callable[[Travelling], bool] = lambda travelling: False
        self.held: list[Travelling] = []
        self.hold: Callable[[Travelling], bool] = lambda travelling: False
        self.kds_down = False
        self.claims = 0

    # --- people ------------------------------------------------------------------------------------------------
    def protocol(self, of: Number, participant: KeyPair) -> Rcc16Protocol:
        settings = EnrolmentSettings(capabilities=capabilities(Revision.V3), policy=lab_policy(), vendor_id=76)
        enrolment = Enrolment(CRYPTO, of, ParticipantKey(participant.spki, participant.sign), settings)
        return Rcc16Protocol(CRYPTO, enrolment, self.settings)

    def phone(self, of: Number, *, participant: str = "") -> Phone:
        """A device that has enrolled. `participant` names another participant key than the number's usual one."""
        device = sum(phone.number == of for phone in self.phones) + 1
        key = key_pair(participant or f"participant {of}")
        phone = Phone(self, of, device, key, self.protocol(of, key), seeded_rng(f"{self.seed} {of} {device}"))
        self.phones.append(phone)
        phone.timer()
        assert phone.protocol.ready(phone.state, self.now)
        return phone

    def pair(self) -> tuple[Phone, Phone, Conversation, Conversation]:
        """Ana and Ben in an encrypted chat, and what each calls it."""
        ana, ben = self.phone(ANA), self.phone(BEN)
        ana.upgrade(Conversation(peer=BEN), BEN)
        self.run()
        return ana, ben, Conversation(peer=BEN), Conversation(peer=ANA)

    def group(self, *numbers: Number) -> list[Phone]:
        """An encrypted group, created by the first of them."""
        phones = [self.phone(of) for of in numbers]
        self.found(GROUP, numbers)
        phones[0].upgrade(GROUP, *numbers)
        self.run()
        return phones

    def found(self, conversation: Conversation, numbers: Iterable[Number]) -> Focus:
        """An RCS group at the focus, not encrypted yet."""
        assert conversation.group is not None
        terms = Terms(SUITE, lab_policy(), self.lab.authentication(), LIMITS)
        focus = Focus(OrderedGroup(terms, conversation.group.hex().encode()), set(numbers))
        self.groups[conversation] = focus
        return focus

    # --- services ------------------------------------------------------------------------------------------------
    def answer(self, phone: Phone, request: Request) -> None:
        match request:
            case RenewCertificate(name):
                proof = self.lab.proof(phone.number, phone.participant.spki, now=self.now)
                asked = phone.protocol.enrolment.request(phone.state, proof, self.now)
                chain = self.lab.issue(asked, now=self.now)
                anchors = self.lab.anchors.entries()
                phone.do(lambda: phone.protocol.enrolled(phone.state, name, chain, anchors, self.now, phone.rng))
            case PublishKeyPackages(name, packages):
                self.pools[phone.number, phone.device] = list(packages)
                phone.do(lambda: phone.protocol.uploaded(phone.state, name, True, self.now, phone.rng))
            case ClaimKeyPackages(name, numbers):
                self.claims += 1
                answers = {of: self._claim(of) for of in numbers}
                phone.do(lambda: phone.protocol.claimed(phone.state, name, answers, self.now, phone.rng))

    def _claim(self, of: Number) -> Claimed:
        if self.kds_down:
            return Claimed(ClaimOutcome.FAILED)
        found = []
        for (owner, _), pool in self.pools.items():
            if owner == of and pool:
                found.append(pool.pop(0) if len(pool) > 1 else pool[0])
        return Claimed(ClaimOutcome.SERVED, tuple(found)) if found else Claimed(ClaimOutcome.NONE)

    # --- the network ---------------------------------------------------------------------------------------------
    def send(self, phone: Phone, packet: Packet) -> None:
        conversation = packet.conversation
        if conversation.peer is not None:
            mirrored = Packet(**{**_fields(packet), "conversation": Conversation(peer=phone.number)})
            self._deliver(mirrored, phone.number, [conversation.peer])
            return
        focus = self.groups[conversation]
        if packet.content_type == CLIENT_CONTROL:
            self._order(focus, phone, packet)
        elif packet.content_type == GROUP_INFO:
            self._pull(focus, phone, packet)
        elif phone.number in focus.roster:
            to = [packet.to] if packet.to is not None else sorted(focus.roster)
            self._deliver(packet, phone.number, to, without=phone)

    def _order(self, focus: Focus, phone: Phone, packet: Packet) -> None:
        request = decode_client_message(packet.body, OURS.control_numbers, CONTROL)
        outcome = focus.group.judge(request, packet.message_id, phone.number, frozenset(focus.roster), self.now)
        if isinstance(outcome, Refused):
            self._refuse(packet, outcome, phone)
            return
        if isinstance(outcome, Accepted):
            focus.group.install(outcome)
            focus.data[outcome.record.serial] = outcome.record.data
            if outcome.snapshot is not None:
                focus.snapshot = outcome.snapshot
            focus.roster |= set(outcome.roster.added)
            focus.roster -= set(outcome.roster.removed)
            if outcome.roster.left:
                focus.roster.discard(phone.number)
            for each in outcome.deliveries:
                headers = control_headers(each.at.era, each.at.authenticator)
                down = self.down(packet.conversation, each.message_id, SERVER_CONTROL, each.data, headers)
                self._deliver(down, None, each.recipients, without=phone)
        reply = self.down(packet.conversation, f"ack-{packet.message_id}"[:60], SERVER_CONTROL, outcome.acceptance, ())
        self.queue.append(Travelling(reply, None, phone))

    def _pull(self, focus: Focus, phone: Phone, packet: Packet) -> None:
        try:
            known = decode_epoch_identifier(packet.body) if packet.body else None
        except DecodeError:
            known = None
        plan = focus.group.plan_pull(phone.number, known, max_messages=20)
        if isinstance(plan, Refused):
            self._refuse(packet, plan, phone)
            return
        body = focus.group.answer_pull(focus.snapshot, plan, focus.data, CONTROL)
        reply = self.down(packet.conversation, f"page-{packet.message_id}"[:60], GROUP_INFO, body, ())
        self.queue.append(Travelling(reply, None, phone))

    def _refuse(self, packet: Packet, refused: Refused, phone: Phone) -> None:
        body = encode_negative_receipt(packet.message_id, "2026-11-23T05:00:00Z", refused.reason)
        reply = self.down(packet.conversation, f"no-{packet.message_id}"[:60], "message/imdn+xml", body, ())
        self.refusals.append((phone.number, refused))
        self.queue.append(Travelling(reply, None, phone))

    @property
    def refusals(self) -> list[tuple[Number, Refused]]:
        return self.__dict__.setdefault("_refusals", [])

    def down(
        self, conversation: Conversation, message_id: str, kind: str, body: bytes, headers: tuple[PacketHeader, ...]
    ) -> Packet:
        """Something that the focus itself says."""
        return Packet(conversation, None, MessageId(message_id), kind, headers, body, ("negative-delivery",))

    def _deliver(
        self, packet: Packet, sender: Number | None, to: Iterable[Number], *, without: Phone | None = None
    ) -> None:
        for of in to:
            for phone in self.phones:
                if phone.number == of and phone is not without:
                    self.queue.append(Travelling(packet, sender, phone))

    def run(self, *, most: int = 5_000) -> None:
        """Carry everything until nothing moves."""
        while self.queue:
            most -= 1
            assert most, "the network does not come to rest"
            travelling = self.queue.popleft()
            if self.drop(travelling):
                continue
            if self.hold(travelling):
                self.held.append(travelling)
                continue
            travelling.to.receive(travelling.packet, travelling.sender)

    def let_go(self) -> None:
        """What was held comes now."""
        self.hold = lambda travelling: False
        self.queue.extend(self.held)
        self.held.clear()
        self.run()

    def pass_time(self, ms: Instant, *, step: Instant = 10_000) -> None:
        """Time goes by; timers fire when they are due."""
        end = self.now + ms
        while self.now < end:
            due = [phone.wake_at for phone in self.phones if phone.wake_at is not None and phone.wake_at > self.now]
            self.now = min([end, *due, self.now + max(step, ms // 50)])
            for phone in self.phones:
                if phone.wake_at is not None and phone.wake_at <= self.now:
                    phone.wake_at = None
                    phone.timer()
            self.run()


def _fields(packet: Packet) -> dict[str, Any]:
    return {name: getattr(packet, name) for name in Packet.__dataclass_fields__}
