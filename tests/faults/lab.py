"""Phones with the real client over the real transport, a carrier that can be restarted, silent, absurd or a liar, and a
middlebox that can cut an MSRP connection at any byte.

It stands on `e2e.world`. Times are short, so that what takes minutes happens within a test; nothing sleeps.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from e2e.lying_directory import LyingDirectory
from e2e.world import LIMITS, PASSWORD, Phone, World
from letterlock.carriage import Inbound, NetworkResult, Outbound
from letterlock.carrier import Accounts, Carrier, Interference, Seen
from letterlock.carrier.msrp_tap import MsrpInterference, MsrpSeen
from letterlock.carrier.settings import Settings as CarrierSettings
from letterlock.client import Environment
from letterlock.client.identity import Identity
from letterlock.client.network import OnMessage, Transport
from letterlock.client.settings import Settings
from letterlock.codec.sip import Request
from letterlock.engine.events import MessageDelivered
from letterlock.engine.limits import EngineLimits
from letterlock.ids import Instant, MessageId, Number
from letterlock.transport.msrp.settings import MsrpSettings
from letterlock.transport.rcs.config import SessionConfig
from letterlock.transport.rcs.transport import RcsTransport

__all__ = ["LARGE", "ROOMY", "SOON", "Lab", "NoisyTransport", "Wall", "msrp_settings"]

SOON = dataclasses.replace(LIMITS, retry_first_ms=20, retry_longest_ms=40)
"""The engine tries again almost at once."""

ROOMY = dataclasses.replace(LIMITS, max_text=200_000, max_entity=230_000)
"""Texts that no request can hold: they can only go over a session."""

LARGE = "a long letter. " * 6_000


def msrp_settings(**changes: Any) -> MsrpSettings:
    """Short patience with a silent peer."""
    plain = MsrpSettings()
    times = {"transaction_ms": 1_000, "report_ms": 1_000, "bind_ms": 1_000, "stalled_ms": 1_000}
    return MsrpSettings(endpoint=dataclasses.replace(plain.endpoint, **{**times, **changes}), connect_s=1.0)


@dataclasses.dataclass
class NoisyTransport:
    """The real transport, and what it answered to each message that was handed to it."""

    real: RcsTransport
    handed: list[tuple[Outbound, NetworkResult | Exception]] = dataclasses.field(default_factory=list)

    async def start(self) -> None:
        await self.real.start()

    async def send(self, outbound: Outbound) -> NetworkResult:
        try:
            result = await self.real.send(outbound)
        except Exception as error:
            self.handed.append((outbound, error))
            raise
        self.handed.append((outbound, result))
        return result

    async def close(self) -> None:
        await self.real.close()

    def answers(self, message_id: MessageId) -> list[NetworkResult | Exception]:
        """All answers for one message, in order."""
        return [answer for outbound, answer in self.handed if outbound.message_id == message_id]


class Wall:
    """A phone's own clock: the world's, and what somebody has set it by."""

    def __init__(self, world: Callable[[], Instant]) -> None:
        self._world = world
        self.offset = 0

    def __call__(self) -> Instant:
        return self._world() + self.offset


class Lab(World):
    """See the module. `sip_rules` see every INVITE, its answers and every REGISTER; `msrp_rules` what leaves the relay."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.sip_seen: list[Seen] = []
        self.sip_rules: list[Callable[[Seen], Interference | None]] = []
        self.msrp_seen: list[MsrpSeen] = []
        self.msrp_rules: list[Callable[[MsrpSeen], MsrpInterference | None]] = []
        self.transports: dict[str, NoisyTransport] = {}  # the latest of each device
        self.walls: dict[str, Wall] = {}
        self.carrier_settings = CarrierSettings()
        self.options_rule = self._sip
        self.carrier = self._made(0, 0)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, folder: Path) -> AsyncIterator[Lab]:
        lab = cls(folder)
        async with contextlib.AsyncExitStack() as stack:
            await lab.carrier.start()
            stack.push_async_callback(lab._close_carrier)
            await lab.service.start()
            stack.push_async_callback(lab.service.close)
            lab.directory = LyingDirectory(lab.service.url)
            await lab.directory.start()
            stack.push_async_callback(lab.directory.close)
            await lab.prepare(stack)
            stack.push_async_callback(lab._switch_off)
            yield lab
            # Whatever happened, no phone has used a message key twice (SR-06).
            assert lab.keys.reused() == []

    async def prepare(self, stack: contextlib.AsyncExitStack) -> None:
        """What has to be there before the first phone."""

    # --- the carrier -------------------------------------------------------------------------------------------
    def _made(self, port: int, msrp_port: int) -> Carrier:
        return Carrier(
            "127.0.0.1",
            port,
            Accounts.lab(PASSWORD),
            tap=self._tap,
            msrp_port=msrp_port,
            msrp_tap=self._msrp,
            wire_log=self.folder / "wire.log",
            settings=self.carrier_settings,
        )

    async def _close_carrier(self) -> None:
        await self.carrier.close()

    async def stop_carrier(self) -> None:
        """It is gone, with all that it knew."""
        await self.carrier.close()

    async def start_carrier(self) -> None:
        """Another one, on the same ports."""
        assert self.carrier.msrp_port is not None
        self.carrier = self._made(self.carrier.port, self.carrier.msrp_port)
        await self.carrier.start()

    async def restart_carrier(self) -> None:
        await self.stop_carrier()
        await self.start_carrier()

    def _sip(self, seen: Seen) -> Interference | None:
        self.sip_seen.append(seen)
        self._changed.set()
        return next((done for rule in list(self.sip_rules) if (done := rule(seen)) is not None), None)

    def _msrp(self, seen: MsrpSeen) -> MsrpInterference | None:
        self.msrp_seen.append(seen)
        self._changed.set()
        return next((done for rule in list(self.msrp_rules) if (done := rule(seen)) is not None), None)

    def asked(self, method: str, sender: Number | None = None) -> list[Request]:
        """The requests of a method that passed, of one number or all."""
        return [
            seen.message
            for seen in self.sip_seen
            if isinstance(seen.message, Request) and seen.message.method == method and sender in (None, seen.sender)
        ]

    # --- phones -------------------------------------------------------------------------------------------------
    def set_clock(self, phone: Phone, by: int) -> None:
        """Somebody sets this phone's clock, by so many milliseconds."""
        self.walls[phone.name].offset += by

    def transport_of(self, phone: Phone) -> NoisyTransport:
        return self.transports[phone.name]

    async def pair(
        self, one: Number, other: Number, first: dict[str, Any] | None = None, **changes: Any
    ) -> tuple[Phone, Phone]:
        """Two phones that have written to each other. `first` is for the first of them alone."""
        a, b = await self.phone(one, **{**changes, **(first or {})}), await self.phone(other, **changes)
        for sender, receiver, text in ((a, b, "hello"), (b, a, "hello too")):
            await self.arrives(sender, receiver, text)
        return a, b

    async def arrives(self, sender: Phone, receiver: Phone, text: str) -> MessageId:
        """Say something and wait until it is there and its sender knows."""
        sent = await sender.say(receiver.number, text)
        assert (await receiver.hears(text)).encrypted
        await sender.seen(MessageDelivered, lambda event: event.message_id == sent)
        return sent

    async def plain_pair(
        self, one: Number, other: Number, first: dict[str, Any] | None = None, **changes: Any
    ) -> tuple[Phone, Phone]:
        """Two phones for which no keys are found, and whose users chose to write to each other all the same (SR-01)."""

        def hidden(who: Any, number: Number, since: int, honest: Sequence[bytes]) -> Sequence[bytes]:
            return honest if who.number == number else ()

        self.directory.lists = hidden
        a, b = await self.phone(one, **{**changes, **(first or {})}), await self.phone(other, **changes)
        for sender, receiver in ((a, b), (b, a)):
            chat = await sender.ask_directory(receiver.number)
            (option,) = await chat.options()
            await chat.send("hello", allow=option)
            assert not (await receiver.hears("hello")).encrypted
        return a, b

    async def delivered(self, phone: Phone, message_id: MessageId) -> MessageDelivered:
        return await phone.seen(MessageDelivered, lambda event: event.message_id == message_id)

    async def once(self, phone: Phone, text: str) -> None:
        """It was shown, and shown once."""
        await phone.hears(text)
        await phone.client.settled()
        assert (await phone.heard()).count(text) == 1

    def _device(self, number: Number, name: str, limits: EngineLimits, changes: dict[str, Any]) -> Phone:
        sessions: dict[str, Any] = {"open_s": 1.0, "answer_s": 1.0, **changes.pop("sessions", {})}
        relay = changes.pop("relay", False)
        config: dict[str, Any] = {
            "max_pager": 48_000,
            "backoff_s": (0.02, 0.05),
            "register_wait_s": 5.0,
            "answer_timeout_s": 2.0,
            "connect_timeout_s": 2.0,
            **changes.pop("rcs", {}),
        }
        msrp = changes.pop("msrp", None) or msrp_settings()
        phone = super()._device(number, name, limits, changes)

        def transport(
            environment: Environment, settings: Settings, identity: Identity, on_message: OnMessage
        ) -> Transport | None:
            if settings.sip is None:
                return None

            async def noted(inbound: Inbound) -> None:
                if inbound.content_type.startswith("application/vnd.letterlock"):
                    self.keys.look(inbound.body)
                await on_message(inbound)
                phone.taken.append(inbound)
                self._changed.set()

            to_relay = {"msrp_relay": str(self.carrier.msrp_uri)} if relay else {}
            made = RcsTransport(
                dataclasses.replace(
                    settings.sip.config(identity.number, settings.instance),
                    sessions=SessionConfig(**{**sessions, **to_relay}),
                    **config,
                ),
                noted,
                rng=environment.rng,
                clock=environment.clock,
                msrp=msrp,
            )
            self.transports[name] = NoisyTransport(made)
            return self.transports[name]

        self.walls[name] = Wall(self.clock)
        phone.environment = dataclasses.replace(phone.environment, transport=transport, clock=self.walls[name])
        return phone
