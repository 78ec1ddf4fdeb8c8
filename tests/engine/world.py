"""Several engines, a directory and a hostile network, all in one process and driven by one seed.

Every device commits to a `MemoryState` that keeps encoded records only, so that each value passes its
codec; effects are performed after the commit, one by one, and a crash may come before each of them.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from engine.toy_protocol import ToyProtocol, bundle
from letterlock.carriage import Inbound, Medium, NetworkResult, Outbound
from letterlock.codec import cpim
from letterlock.codec.frame import decode_frame
from letterlock.crypto.pyca import Pyca
from letterlock.engine.content import Text
from letterlock.engine.effects import (
    Effect,
    FetchLists,
    FetchMaterial,
    PublishMaterial,
    SendReceipts,
    SyncConference,
    Transmit,
    WakeAt,
)
from letterlock.engine.engine import Engine
from letterlock.engine.events import Event, MessageReceived, MessageSent
from letterlock.engine.limits import DEFAULTS, EngineLimits, Privacy
from letterlock.engine.record_values import Chat, Message
from letterlock.engine.records import MESSAGE, chat_key, contact_key
from letterlock.engine.step import Step
from letterlock.ids import DeviceId, MessageId, Number, account_id
from letterlock.seam import DeviceProtocol, Key, Party, RecordKind, Writes
from letterlock.trust.authoring import add_device, create_list, remove_device, renew_list, replace_device
from letterlock.trust.device_entry import DeviceEntry, create_entry
from letterlock.trust.device_list import VerifiedDeviceList

T = TypeVar("T")
CRYPTO = Pyca()
EPOCH = 1_800_000_000_000
ALICE, BOB, CAROL = Number("+15550001"), Number("+15550002"), Number("+15550003")


class MemoryState:
    """Records as bytes, as a store keeps them. What is decoded is remembered, as a store's cache does."""

    def __init__(self) -> None:
        self.records: dict[str, bytes] = {}
        self._cache: dict[str, Any] = {}

    def get(self, key: Key[T]) -> T | None:
        data = self.records.get(key.name)
        if data is None:
            return None
        if key.name not in self._cache:
            self._cache[key.name] = key.kind.decode(data)
        value: T = self._cache[key.name]
        return value

    def scan(self, kind: RecordKind[T], prefix: str = "") -> Iterable[Key[T]]:
        start = f"{kind.name}/{prefix}"
        return [Key(kind, name) for name in sorted(self.records) if name.startswith(start)]

    def commit(self, writes: Writes) -> None:
        for key, value in writes.items():
            self._cache.pop(key.name, None)
            if value is None:
                self.records.pop(key.name, None)
                continue
            data = key.kind.encode(value)
            again = key.kind.decode(data)
            assert key.kind.encode(again) == data, key
            # A protocol's values may hold caches; the engine's own are plain.
            assert again == value or key.kind.name.startswith(("signal", "rcc16")), key
            self.records[key.name] = data

    def forget_cache(self) -> None:
        self._cache.clear()

    def copy(self) -> MemoryState:
        other = MemoryState()
        other.records = dict(self.records)
        return other


class Account:
    """A number, its participant key and its lists."""

    def __init__(self, number: Number, rng: Callable[[int], bytes], now: int, capability: str) -> None:
        self.number = number
        self.capability = capability
        self._rng = rng
        self._private = CRYPTO.p256_generate(rng)
        self.spki = CRYPTO.p256_spki(CRYPTO.p256_public(self._private))
        self.account = account_id(self.spki)
        self.identities: dict[int, tuple[bytes, bytes]] = {}
        self.list: VerifiedDeviceList = create_list(
            number=number,
            participant_spki=self.spki,
            primary=self.entry(1),
            sign=self.sign,
            crypto=CRYPTO,
            now=now,
        )
        self.chain = [self.list.encoded]

    def sign(self, message: bytes) -> bytes:
        return CRYPTO.p256_sign(self._private, message)

    def entry(self, device: int) -> DeviceEntry:
        private, public = CRYPTO.x25519_generate(self._rng)
        self.identities[device] = (private, public)
        return create_entry(
            number=self.number,
            participant_spki=self.spki,
            device=DeviceId(device),
            registration_id=device,
            identity_key=b"\x05" + public,
            sign_identity=lambda message: CRYPTO.xeddsa_sign(private, message, self._rng),
            capabilities=tuple(self.capability.split()),
        )

    def add(self, device: int, now: int) -> None:
        self._next(add_device(self.list, self.entry(device), sign=self.sign, crypto=CRYPTO, now=now))

    def remove(self, device: int, now: int) -> None:
        self._next(remove_device(self.list, DeviceId(device), sign=self.sign, crypto=CRYPTO, now=now))

    def replace(self, device: int, now: int) -> None:
        """The same device with new keys."""
        self._next(replace_device(self.list, self.entry(device), sign=self.sign, crypto=CRYPTO, now=now))

    def renew(self, now: int) -> None:
        self._next(renew_list(self.list, sign=self.sign, crypto=CRYPTO, now=now))

    def _next(self, verified: VerifiedDeviceList) -> None:
        self.list = verified
        self.chain.append(verified.encoded)

    def party(self, device: int) -> Party:
        return Party(self.number, self.account, DeviceId(device))


class Keys(Protocol):
    """What makes a protocol for a device, and answers for its key material at the directory."""

    def protocol(self, account: Account, device: int) -> DeviceProtocol: ...

    def publish(self, party: Party, payload: bytes) -> int | None: ...

    def material(self, party: Party) -> bytes | None: ...

    capability: str


class ToyKeys:
    """The toy protocol's side of the directory."""

    capability = "toy"

    def __init__(self) -> None:
        self.published: set[Party] = set()

    def protocol(self, account: Account, device: int) -> DeviceProtocol:
        return ToyProtocol(account.party(device))

    def publish(self, party: Party, payload: bytes) -> int | None:
        assert payload == bundle(party)
        self.published.add(party)
        return None

    def material(self, party: Party) -> bytes | None:
        return bundle(party) if party in self.published else None


@dataclass
class Hostility:
    """What the network does, as chances."""

    refuse: float = 0.0
    swallow: float = 0.0
    duplicate: float = 0.0
    forge: float = 0.0
    replay: float = 0.0
    longest_delay: int = 0
    directory_down: float = 0.0


@dataclass
class Phone:
    """One device: an engine and what it has committed."""

    world: World
    account: Account
    device: int
    engine: Engine
    state: MemoryState
    online: bool = True
    wake: int | None = None
    todo: deque[Effect] = field(default_factory=deque)
    events: list[Event] = field(default_factory=list)
    crashes: int = 0

    @property
    def number(self) -> Number:
        return self.account.number

    @property
    def name(self) -> str:
        return f"{self.number}.{self.device}"

    def do(self, call: Callable[..., Step[T]], *args: Any, **named: Any) -> T:
        """One step: run, commit, queue the effects."""
        step = call(self.state, *args, self.world.now, self.world.rng, **named)
        if self.world.crash_before_commit(self):
            raise Crash
        self.state.commit(step.writes)
        self.events += [recorded.event for recorded in step.events]
        self.world.check_step(self, step)
        for effect in step.effects:
            if isinstance(effect, WakeAt):
                self.wake = effect.at if self.wake is None else min(self.wake, effect.at)
            else:
                self.todo.append(effect)
        return step.value

    def send(self, number: Number, text: str, **named: Any) -> MessageId:
        return self.do(self.engine.send, number, Text(text), **named)

    def restart(self) -> None:
        """kill -9 and start again: what was not performed is gone, what was committed is not."""
        self.crashes += 1
        self.todo.clear()
        self.wake = None
        self.state.forget_cache()
        self.do(self.engine.start)

    def told(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    def shown(self, chat: Number | None = None) -> list[str]:
        """The texts that were shown, in the order of the events."""
        return [
            event.text or ""
            for event in self.events
            if isinstance(event, MessageReceived) and (chat is None or event.chat == chat)
        ]

    def listed(self, number: Number) -> set[str]:
        """The devices of a number that this phone knows, by name."""
        contact = self.state.get(contact_key(number))
        return {f"{number}.{device.id}" for device in contact.recipient.devices} if contact else set()

    def chat(self, number: Number) -> Chat:
        """What the engine knows of a chat."""
        return self.state.get(chat_key(number)) or Chat(number)

    def history(self, chat: Number) -> list[Message]:
        """The chat as it is stored, in its order."""
        found = (self.state.get(key) for key in self.state.scan(MESSAGE, f"{chat}/"))
        return [message for message in found if message is not None]

    def all_shown(self) -> list[str]:
        """The same with what our own devices sent."""
        return [event.text or "" for event in self.events if isinstance(event, MessageReceived | MessageSent)]


class Crash(Exception):
    """The process dies here."""


class World:
    """Phones, directory, network and the clock."""

    def __init__(
        self,
        seed: int = 1,
        keys: Keys | None = None,
        hostility: Hostility | None = None,
        limits: EngineLimits = DEFAULTS,
        privacy: Privacy | None = None,
        sms: bool = False,
    ) -> None:
        self.sms = sms
        self.random = random.Random(seed)
        self.now = EPOCH
        self.keys: Keys = keys or ToyKeys()
        self.hostility = hostility or Hostility()
        self.limits = limits
        self.privacy = privacy or Privacy()
        self.accounts: dict[Number, Account] = {}
        self.phones: list[Phone] = []
        self.hidden: set[Number] = set()
        self.lists_override: dict[Number, list[bytes]] = {}
        self.flying: list[tuple[int, int, Phone, Inbound]] = []
        self.sent: list[tuple[Phone, Outbound]] = []
        self.conferences: list[tuple[Phone, SyncConference]] = []
        self.plaintexts_sent = 0
        self.on_transmit: Callable[[Phone, Outbound], NetworkResult | None] | None = None
        self.crash_plan: Callable[[Phone, str], bool] | None = None
        self._serial = 0
        self._ciphertexts: dict[tuple[str, str, bytes], bytes] = {}

    def rng(self, n: int) -> bytes:
        return self.random.randbytes(n)

    # --- people ----------------------------------------------------------------------------------------
    def person(self, number: Number, devices: int = 1, *, capability: str | None = None) -> list[Phone]:
        """A number with its devices, set up and published."""
        capability = self.keys.capability if capability is None else capability
        account = Account(number, self.rng, self.now, capability)
        self.accounts[number] = account
        for device in range(2, devices + 1):
            account.add(device, self.now)
        return [self.phone(account, device) for device in range(1, devices + 1)]

    def phone(self, account: Account, device: int) -> Phone:
        engine = Engine(
            account.party(device),
            CRYPTO,
            (self.keys.protocol(account, device),),
            limits=self.limits,
            privacy=self.privacy,
            sign=lambda text, rng: CRYPTO.xeddsa_sign(account.identities[device][0], text, rng),
            sms=self.sms,
        )
        phone = Phone(self, account, device, engine, MemoryState())
        self.phones.append(phone)
        phone.do(engine.adopt_list, account.list.encoded)
        phone.do(engine.start)
        # The upload reaches the directory whatever the network does to messages.
        for effect in [effect for effect in phone.todo if isinstance(effect, PublishMaterial)]:
            phone.todo.remove(effect)
            self.perform(phone, effect)
        return phone

    def link(self, account: Account, device: int) -> Phone:
        """Link a further device; the others of the account are told."""
        account.add(device, self.now)
        for phone in self.phones:
            if phone.account is account:
                phone.do(phone.engine.adopt_list, account.list.encoded)
        return self.phone(account, device)

    # --- running -----------------------------------------------------------------------------------------
    def crash_before_commit(self, phone: Phone) -> bool:
        return self.crash_plan is not None and self.crash_plan(phone, "commit")

    def check_step(self, phone: Phone, step: Step[Any]) -> None:
        """SR-06: what is transmitted is in the outbox that was committed with it."""
        for effect in step.effects:
            if isinstance(effect, Transmit) and effect.row:
                assert f"outbox/{effect.row}" in phone.state.records

    def run(self, until: int | None = None, limit: int = 200_000) -> None:
        """Run until nothing is due before `until` (at most: everything that goes without a timer)."""
        horizon = self.now if until is None else until
        for _ in range(limit):
            if self._perform_one():
                continue
            if not self._advance(horizon):
                self.now = max(self.now, horizon)
                return
        raise AssertionError("the world does not come to rest")

    def run_for(self, ms: int) -> None:
        self.run(self.now + ms)

    def _perform_one(self) -> bool:
        busy = [phone for phone in self.phones if phone.todo]
        if not busy:
            return False
        phone = self.random.choice(busy)
        effect = phone.todo.popleft()
        self.guarded(phone, lambda: self.perform(phone, effect), type(effect).__name__)
        return True

    def guarded(self, phone: Phone, action: Callable[[], object], what: str) -> None:
        """Do it, unless the process is to die just before; dying inside is possible too."""
        if self.crash_plan is not None and self.crash_plan(phone, what):
            self._restart(phone)
            return
        try:
            action()
        except Crash:
            self._restart(phone)

    def _restart(self, phone: Phone) -> None:
        plan, self.crash_plan = self.crash_plan, None
        phone.restart()
        self.crash_plan = plan

    def _advance(self, horizon: int) -> bool:
        times = [at for at, _, phone, _ in self.flying if phone.online]
        times += [phone.wake for phone in self.phones if phone.wake is not None]
        if not times or min(times) > horizon:
            return False
        self.now = max(self.now, min(times))
        due = sorted(
            (item for item in self.flying if item[0] <= self.now and item[2].online), key=lambda item: item[:2]
        )
        if due:
            item = due[0]
            self.flying.remove(item)
            _, _, phone, inbound = item
            self.guarded(phone, lambda: phone.do(phone.engine.received, inbound), "received")
            return True
        for phone in self.phones:
            if phone.wake is not None and phone.wake <= self.now:
                phone.wake = None
                self.guarded(phone, lambda phone=phone: phone.do(phone.engine.on_timer), "timer")  # type: ignore[misc]
        return True

    # --- effects ---------------------------------------------------------------------------------------------
    def perform(self, phone: Phone, effect: Effect) -> None:
        if isinstance(effect, Transmit):
            self._transmit(phone, effect)
        elif isinstance(effect, FetchLists):
            phone.do(phone.engine.on_lists, effect.number, self._lists(effect))
        elif isinstance(effect, FetchMaterial):
            need = effect.needed
            down = self.random.random() < self.hostility.directory_down
            material = None if down else self.keys.material(Party(need.number, need.account, need.device))
            phone.do(phone.engine.on_material, need, material)
        elif isinstance(effect, SyncConference):
            self.conferences.append((phone, effect))
        elif isinstance(effect, SendReceipts):
            phone.do(phone.engine.send_receipts, effect.owed)
        elif isinstance(effect, PublishMaterial):
            remaining = self.keys.publish(phone.engine.me, effect.publish.payload)
            phone.do(phone.engine.on_published, effect.protocol, effect.publish, remaining)

    def _lists(self, effect: FetchLists) -> tuple[bytes, ...] | None:
        if self.random.random() < self.hostility.directory_down:
            return None
        if effect.number in self.lists_override:
            return tuple(self.lists_override[effect.number])
        account = self.accounts.get(effect.number)
        if account is None or effect.number in self.hidden:
            return ()
        if not 0 < effect.since_serial < account.list.serial:
            return (account.chain[-1],)
        return tuple(account.chain[effect.since_serial :])

    def _transmit(self, phone: Phone, effect: Transmit) -> None:
        outbound = effect.outbound
        self.sent.append((phone, outbound))
        self._check_keys(phone, outbound)
        dice, what = self.random.random, self.hostility
        if self.on_transmit is not None and (answer := self.on_transmit(phone, outbound)) is not None:
            result = answer
        elif dice() < what.refuse:
            result = NetworkResult(accepted=False, status=self.random.choice((0, 404, 480, 503)))
        else:
            result = NetworkResult(accepted=True, status=200)
            if dice() >= what.swallow:
                self.carry(phone.number, outbound)
            if dice() < what.forge:
                self.carry(phone.number, self._forged(outbound))
            if dice() < what.replay:
                old, earlier = self.random.choice(self.sent)
                self.carry(old.number, replace(earlier, message_id=MessageId(f"replay-{self._serial}")))
        if effect.row:
            phone.do(phone.engine.on_network, effect.row, result)

    def carry(self, sender: Number, outbound: Outbound) -> None:
        """Deliver to every device of the number, late and perhaps twice."""
        for phone in self.phones:
            if phone.number != outbound.to:
                continue
            for _ in range(2 if self.random.random() < self.hostility.duplicate else 1):
                delay = self.random.randint(0, self.hostility.longest_delay)
                self.inject(phone, sender, outbound, delay)

    def inject(self, phone: Phone, sender: Number | None, outbound: Outbound, delay: int = 0) -> None:
        self._serial += 1
        pairs = [("NS", f"imdn <{cpim.IMDN}>")]
        asked = (
            "positive-delivery, negative-delivery, display" if outbound.receipts else ", ".join(outbound.dispositions)
        )
        if asked and outbound.medium is Medium.RCS:
            pairs.append(("imdn.Disposition-Notification", asked))
        inbound = Inbound(
            sender,
            outbound.to,
            outbound.message_id,
            outbound.content_type,
            outbound.body,
            self.now + delay,
            outbound.group,
            cpim.headers(*pairs, *outbound.headers),
            outbound.medium,
        )
        self.flying.append((self.now + delay, self._serial, phone, inbound))

    def _forged(self, outbound: Outbound) -> Outbound:
        body = bytearray(outbound.body)
        body[self.random.randrange(len(body))] ^= 1 << self.random.randrange(8)
        return replace(outbound, body=bytes(body))

    def _check_keys(self, phone: Phone, outbound: Outbound) -> None:
        """SR-06: no two ciphertexts under one (session, counter), from any device at any time."""
        if not outbound.content_type.startswith("application/vnd.letterlock."):
            self.plaintexts_sent += 1
            return
        if not isinstance(self.keys, ToyKeys):
            return
        frame = decode_frame(outbound.body, max_frame=1 << 20, max_list=1 << 16, max_copies=64)
        for copy in frame.copies:
            key = (phone.name, f"{frame.recipient_account.hex()}.{copy.device}", copy.ciphertext[:12])
            known = self._ciphertexts.setdefault(key, copy.ciphertext)
            assert known == copy.ciphertext, "a key was used twice"


def counted(items: Iterable[T]) -> dict[T, int]:
    out: dict[T, int] = defaultdict(int)
    for item in items:
        out[item] += 1
    return dict(out)
