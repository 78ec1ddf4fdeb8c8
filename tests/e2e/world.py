"""The whole stack on loopback: a carrier and a directory that can turn hostile, and phones made by `Client.create`.

Nothing in it sleeps: tests wait for events and for what passes on the wire, with a time limit. The clock
starts at a fixed date, runs with real time and can be set forward.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from client.lab import KeyWatch
from e2e.lying_directory import LyingDirectory
from letterlock.carriage import Inbound
from letterlock.carrier import Accounts, Carrier, Interference, Seen, replaced
from letterlock.client import Chat, Client, Environment
from letterlock.client.accounts import SipAccount
from letterlock.client.identity import Identity
from letterlock.client.local import LocalProfile
from letterlock.client.network import OnMessage, Transport
from letterlock.client.settings import Settings
from letterlock.codec.cpim import encode_cpim
from letterlock.codec.frame import MEDIA_TYPE, WireFrame, decode_frame, encode_frame
from letterlock.codec.sip import Request, Uri
from letterlock.engine.events import Event, MessageReceived, Recorded
from letterlock.engine.limits import DEFAULTS, EngineLimits
from letterlock.ids import Instant, MessageId, Number, conversation_of
from letterlock.imdn import chat_message
from letterlock.keystore import KeyFile
from letterlock.services.directory import Directory, DirectoryLimits, IssuedCode, Rate
from letterlock.signal.limits import LIBSIGNAL_LIMITS
from letterlock.signal.messages import PREKEY_TYPE, decode_prekey_message, decode_signal_message
from letterlock.sip.pager import OutgoingMessage, PagerProfile, build_message
from letterlock.transport.rcs.content import unwrap
from trust.people import NOW

__all__ = ["ANA", "BEN", "CAROL", "DAY", "LIMITS", "Clock", "Passing", "Phone", "World"]

ANA, BEN, CAROL = Number("+15550100"), Number("+15550101"), Number("+15550102")
DAY = 86_400_000
PASSWORD = "lab"
PATIENCE_SECONDS = 10.0

# Short times, so that what the product does within minutes happens within a test; and every look at a chat
# asks the directory again, so that a lie is heard at once.
LIMITS = dataclasses.replace(
    DEFAULTS,
    retry_first_ms=200,
    retry_longest_ms=400,
    retry_accepted_ms=300,
    retry_accepted_longest_ms=600,
    fetch_first_ms=50,
    fetch_longest_ms=200,
    list_refresh_ms=0,
    look_again_ms=0,
    absent_refresh_ms=0,
    material_patience_ms=500,
    repeat_receipt_ms=100,
    reorder_ms=500,
)
_SIGNAL = dataclasses.replace(LIBSIGNAL_LIMITS, one_time_prekeys=8, prekey_batch=8)
_PLENTY = Rate(1_000_000, 1_000)

E = TypeVar("E")
Rule = Callable[["Passing"], Interference | None]


class Clock:
    """Milliseconds; set forward with `skip`. Alarms that are set already keep to real time: restart a phone to wake it."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._skipped = 0

    def __call__(self) -> Instant:
        return NOW + int((time.monotonic() - self._start) * 1000) + self._skipped

    def skip(self, milliseconds: int) -> None:
        self._skipped += milliseconds


@dataclass(frozen=True)
class Passing:
    """A MESSAGE on its way through the carrier, taken apart as a hostile one would."""

    request: Request
    sender: Number
    recipient: Number
    inbound: Inbound

    @property
    def message_id(self) -> MessageId:
        return self.inbound.message_id

    @property
    def body(self) -> bytes:
        return self.inbound.body

    @property
    def encrypted(self) -> bool:
        return self.inbound.content_type == MEDIA_TYPE

    @property
    def frame(self) -> WireFrame:
        return decode_frame(self.body, max_frame=1 << 18, max_list=1 << 15, max_copies=32)

    def devices(self) -> list[int]:
        """The devices that the frame has copies for."""
        return [copy.device for copy in self.frame.copies]

    def types(self) -> list[int]:
        """2 for a message in a session, 3 for one that begins a session; for each copy."""
        return [copy.type for copy in self.frame.copies]

    def ratchet_keys(self) -> list[bytes]:
        """The sender's ratchet key of each copy."""
        return [
            decode_prekey_message(copy.ciphertext, 1 << 18).message.ratchet_key
            if copy.type == PREKEY_TYPE
            else decode_signal_message(copy.ciphertext, 1 << 18).ratchet_key
            for copy in self.frame.copies
        ]

    def with_body(self, body: bytes) -> Interference:
        """The same message with another frame in it goes on in its place."""
        cpim = chat_message(self.inbound.content_type, body, message_id=self.message_id)
        request = self.request
        return replaced(Request(request.method, request.uri, request.headers, encode_cpim(cpim)))

    def with_mac_flipped(self) -> bytes:
        """The frame with the last bit of each copy's MAC turned."""
        frame = self.frame
        copies = tuple(
            dataclasses.replace(copy, ciphertext=copy.ciphertext[:-1] + bytes((copy.ciphertext[-1] ^ 1,)))
            for copy in frame.copies
        )
        return encode_frame(dataclasses.replace(frame, copies=copies))


@dataclass(eq=False)
class Phone:
    """One device: a profile of the real client. `taken` is what it has taken from the network, in order."""

    world: World
    number: Number
    name: str
    environment: Environment
    client: Client = field(init=False)
    taken: list[Inbound] = field(default_factory=list)
    _seen: int = 0

    @property
    def profile(self) -> Path:
        return self.world.folder / self.name / "profile"

    @property
    def key_file(self) -> Path:
        return self.world.folder / self.name / "key"

    @property
    def identity(self) -> Identity:
        """The private keys, for those who steal them."""
        local = self.client.profile
        assert isinstance(local, LocalProfile)
        return local.identity

    # --- on and off --------------------------------------------------------------------------------------
    async def switch_on(self, **options: Any) -> None:
        """Open the profile and wait until the carrier knows the device."""
        online = self.world.carrier.online(self.number)
        client = Client.open(self.profile, key_file=self.key_file, environment=self.environment, **options)
        await client.__aenter__()
        self.client, self._seen = client, 0  # a restored copy has fewer events
        await self.world.until(lambda: self.world.carrier.online(self.number) > online)

    async def switch_off(self) -> None:
        await self.client.close()

    async def restart(self) -> None:
        await self.switch_off()
        await self.switch_on()

    # --- talking ---------------------------------------------------------------------------------------------
    async def chat(self, other: Number) -> Chat:
        return await self.client.chat(other)

    async def say(self, other: Number, text: str) -> MessageId:
        return await (await self.chat(other)).send(text)

    async def ask_directory(self, other: Number) -> Chat:
        """Look the other's keys up again and wait for the answer to be dealt with."""
        chat = await self.chat(other)
        await self.client.settled()
        return chat

    # --- what it noticed ---------------------------------------------------------------------------------------
    async def seen(self, kind: type[E], where: Callable[[E], bool] = lambda event: True, after: int = 0) -> E:
        """The first such event behind the cursor; waits for it."""
        found: Recorded | None = None
        async with asyncio.timeout(PATIENCE_SECONDS), contextlib.aclosing(self.client.events(after)) as events:
            async for recorded in events:
                if isinstance(recorded.event, kind) and where(recorded.event):
                    found = recorded
                    self._seen = max(self._seen, recorded.cursor)
                    break
        assert found is not None and isinstance(found.event, kind)
        return found.event

    async def told(self, kind: type[E], after: int = 0) -> list[E]:
        """All such events so far."""
        return [event for event in await self.everything(after) if isinstance(event, kind)]

    async def everything(self, after: int = 0) -> list[Event]:
        """All events so far."""
        # What was read from the disk may be newer by a moment than what `cursor` says.
        last = max(self._seen, await self.client.cursor())
        found: list[Event] = []
        if last > after:
            async with asyncio.timeout(PATIENCE_SECONDS), contextlib.aclosing(self.client.events(after)) as events:
                async for recorded in events:
                    found.append(recorded.event)
                    if recorded.cursor >= last:
                        break
        return found

    async def hears(self, text: str) -> MessageReceived:
        """Wait for a text."""
        return await self.seen(MessageReceived, lambda event: event.text == text)

    async def heard(self) -> list[str | None]:
        """The texts that were shown so far."""
        return [event.text for event in await self.told(MessageReceived)]


class World:
    """Use `World.open`. `wire` is every MESSAGE that phones handed to the carrier; `rules` say what it does to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.codes: list[IssuedCode] = []
        self.wire: list[Passing] = []
        self.rules: list[Rule] = []
        self.options_rule: Callable[[Seen], Interference | None] = lambda seen: None
        self.phones: list[Phone] = []
        self.keys = KeyWatch()
        self.carrier = Carrier("127.0.0.1", 0, Accounts.lab(PASSWORD), tap=self._tap)
        limits = DirectoryLimits(
            address=_PLENTY, claims_by_address=_PLENTY, lookups=_PLENTY, calls=_PLENTY, bundles_of_one_device=_PLENTY
        )
        self.service = Directory(str(folder / "directory.db"), on_code=self.codes.append, limits=limits, now=self.clock)
        self.directory: LyingDirectory
        self._changed = asyncio.Event()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, folder: Path) -> AsyncIterator[World]:
        world = cls(folder)
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(world.carrier)
            await world.service.start()
            stack.push_async_callback(world.service.close)
            world.directory = LyingDirectory(world.service.url)
            await world.directory.start()
            stack.push_async_callback(world.directory.close)
            stack.push_async_callback(world._switch_off)
            yield world
            # Whatever the carrier and the directory did, no phone has used a message key twice (SR-06).
            assert world.keys.reused() == []

    async def _switch_off(self) -> None:
        for phone in self.phones:
            if hasattr(phone, "client"):
                await phone.switch_off()

    # --- phones ------------------------------------------------------------------------------------------------
    async def phone(self, number: Number, name: str = "", *, limits: EngineLimits = LIMITS, **changes: Any) -> Phone:
        """The primary device of a number: set up with the operator's code, open, registered."""
        phone = self._device(number, name or number, limits, changes)

        async def code() -> str:
            return next(issued.code for issued in reversed(self.codes) if issued.number == number)

        await Client.create(
            phone.profile,
            number,
            directory=self.directory.url,
            code=code,
            sip=self.account(number),
            name=phone.name,
            key_file=phone.key_file,
            environment=phone.environment,
        )
        await phone.switch_on()
        return phone

    async def linked(self, primary: Phone, name: str) -> Phone:
        """Another device of a number: joins by an offer of the primary and is added by its request."""
        phone, request = await self.joined(primary, name)
        await primary.client.add_device(request)
        await phone.switch_on()
        return phone

    async def joined(self, primary: Phone, name: str) -> tuple[Phone, str]:
        """A device that has answered the primary's offer and was not added yet, and its request."""
        phone = self._device(primary.number, name, primary.environment.engine_limits, {})
        request = await Client.join(
            phone.profile,
            await primary.client.device_offer(),
            directory=self.directory.url,
            sip=self.account(primary.number),
            name=name,
            key_file=phone.key_file,
            environment=phone.environment,
        )
        return phone, request

    def account(self, number: Number) -> SipAccount:
        return SipAccount("127.0.0.1", self.carrier.port, self.carrier.domain, number, PASSWORD, tls=False)

    def _device(self, number: Number, name: str, limits: EngineLimits, changes: dict[str, Any]) -> Phone:
        folder = self.folder / name
        folder.mkdir()
        plain = Environment()

        def transport(
            environment: Environment, settings: Settings, identity: Identity, on_message: OnMessage
        ) -> Transport | None:
            async def noted(inbound: Inbound) -> None:
                await on_message(inbound)
                phone.taken.append(inbound)
                self._changed.set()

            return plain.transport(environment, settings, identity, noted)

        environment = dataclasses.replace(
            plain,
            clock=self.clock,
            engine_limits=limits,
            signal_limits=_SIGNAL,
            state=folder / "state",
            transport=transport,
            **changes,
        )
        phone = Phone(self, number, name, environment)
        KeyFile(phone.key_file).create(os.urandom)
        self.phones.append(phone)
        return phone

    # --- waiting ---------------------------------------------------------------------------------------------
    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so; looked at whenever something passes, and now and then."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await self._changed.wait()

    def passed(self, sender: Number, recipient: Number | None = None) -> list[Passing]:
        """What went over the wire from one number (to another)."""
        return [p for p in self.wire if p.sender == sender and recipient in (None, p.recipient)]

    def plain_on_wire(self) -> list[Passing]:
        """Messages of phones that were not encrypted."""
        return [passing for passing in self.wire if not passing.encrypted]

    # --- the hostile carrier -----------------------------------------------------------------------------------
    def _tap(self, seen: Seen) -> Interference | None:
        message = seen.message
        if not isinstance(message, Request) or message.method != "MESSAGE":
            return self.options_rule(seen)
        if seen.sender is None or seen.recipient is None:
            return None
        inbound = unwrap(message, seen.recipient, 0, max_body=1 << 18, trust_from=False)
        passing = Passing(message, seen.sender, seen.recipient, inbound)
        self.wire.append(passing)
        if passing.encrypted:
            self.keys.look(passing.body)
        self._changed.set()
        return next((done for rule in list(self.rules) if (done := rule(passing)) is not None), None)

    def rule(self, rule: Rule, *, sender: Number | None = None, times: int | None = None) -> Callable[[], None]:
        """Have the carrier do something, to the first `times` messages (of one number); gives how to end it."""
        left = [times]

        def bounded(passing: Passing) -> Interference | None:
            if left[0] == 0 or sender not in (None, passing.sender):
                return None
            done = rule(passing)
            if done is not None and left[0] is not None:
                left[0] -= 1
            return done

        self.rules.append(bounded)
        return lambda: self.rules.remove(bounded)

    async def forge(
        self,
        to: Number,
        body: bytes,
        *,
        sender: Number,
        message_id: str = "",
        content_type: str = MEDIA_TYPE,
        times: int = 1,
    ) -> MessageId:
        """Give a message of the carrier's own making to every phone of a number; returns when they have dealt with it."""
        identifier = MessageId(message_id or f"forged-{os.urandom(6).hex()}")
        request = self.request(to, body, sender=sender, message_id=identifier, content_type=content_type)
        there = [phone for phone in self._online() if phone.number == to]
        before = [len(phone.taken) for phone in there]
        for _ in range(times):
            self.carrier.inject(request, to)
        await self.until(
            lambda: all(
                len([i for i in phone.taken[at:] if i.message_id == identifier]) >= times
                for phone, at in zip(there, before, strict=True)
            )
        )
        return identifier

    def request(
        self, to: Number, body: bytes, *, sender: Number, message_id: MessageId, content_type: str = MEDIA_TYPE
    ) -> Request:
        """A MESSAGE as this carrier would pass it on."""
        domain = self.carrier.domain
        cpim = encode_cpim(chat_message(content_type, body, message_id=message_id))
        profile = PagerProfile(Uri.of_number(sender, domain), domain, "forger")
        message = OutgoingMessage(to, message_id, conversation_of(sender, to), cpim, True)
        built = build_message(profile, message, (), os.urandom)
        identity = Uri.of_number(sender, domain).encode()
        headers = built.headers.without("P-Preferred-Identity").appended("P-Asserted-Identity", f"<{identity}>")
        return Request(built.method, built.uri, headers.appended("Max-Forwards", "69"), built.body)

    def _online(self) -> Iterable[Phone]:
        return [phone for phone in self.phones if hasattr(phone, "client")]
