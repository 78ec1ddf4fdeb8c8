"""The world of the end-to-end tests with the demo's hostile hand in the carrier, and its lying directory in front."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from e2e.world import ANA, BEN, LIMITS, Phone, World
from letterlock.apps.demo.lying_directory import LyingDirectory
from letterlock.carrier import Interference, Seen
from letterlock.carrier.hostile import Attack, HostileHand, Order, Struck
from letterlock.codec.sip import Request
from letterlock.crypto.pyca import Pyca
from letterlock.engine.events import MessageDelivered
from letterlock.engine.limits import EngineLimits
from letterlock.ids import Number

__all__ = ["HostileWorld"]

DELAY_MS = 150


class HostileWorld(World):
    """`hand` is in the carrier's tap, `struck` what it did, `liar` stands before the directory."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.struck: list[Struck] = []
        self.hand = HostileHand(
            domain=self.carrier.domain,
            rng=os.urandom,
            inject=self._inject,
            struck=self.struck.append,
            delay_ms=DELAY_MS,
        )
        self.liar: LyingDirectory

    @classmethod
    @contextlib.asynccontextmanager
    async def hostile(cls, folder: Path) -> AsyncIterator[HostileWorld]:
        async with cls.open(folder) as world:
            assert isinstance(world, HostileWorld)
            async with LyingDirectory(world.service.url, Pyca(), rng=os.urandom, now=world.clock) as liar:
                world.liar, honest = liar, world.directory
                world.directory = liar  # type: ignore[assignment]
                yield world
                world.directory = honest
                # Whoever asks the directory does so before it is gone.
                await world._switch_off()
                world.phones.clear()

    async def talking(self, limits: EngineLimits = LIMITS) -> tuple[Phone, Phone]:
        """Ana and Ben, who have written to each other while everybody was honest. `limits` are Ana's."""
        ana, ben = await self.phone(ANA, limits=limits), await self.phone(BEN)
        for one, other, text in ((ana, ben, "hello"), (ben, ana, "hello too")):
            await self.arrives(one, other, text)
        return ana, ben

    async def arrives(self, one: Phone, other: Phone, text: str) -> None:
        sent = await one.say(other.number, text)
        assert (await other.hears(text)).encrypted
        await one.seen(MessageDelivered, lambda event: event.message_id == sent)

    def order(self, attack: Attack, times: int | None = 1) -> None:
        self.hand.order(Order(attack, times, sender=ANA))

    def _tap(self, seen: Seen) -> Interference | None:
        super()._tap(seen)  # which takes note
        return self.hand.tap(seen)

    def _inject(self, request: Request, to: Number) -> None:
        asyncio.get_running_loop().call_soon(self.carrier.inject, request, to)
