"""The world of the tests of faults with the demo's hostile hand in both taps: everything goes over sessions through the
carrier's relay, also what a `signal` group says, which is a message to each of its members."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from e2e.world import ANA, BEN, CAROL, Phone
from faults.lab import Lab
from letterlock.carrier import Interference, MsrpInterference, MsrpSeen, Seen
from letterlock.carrier.hostile import Attack, HostileHand, Order, Struck
from letterlock.client import Group
from letterlock.codec.sip import Request
from letterlock.engine.events import GroupJoined, MessageDelivered
from letterlock.ids import Number

__all__ = ["DELAY_MS", "SessionWorld"]

DELAY_MS = 150
_SESSIONS = {"max_pager": 0}


class SessionWorld(Lab):
    """`hand` is in both taps, `struck` what it did; `in_sessions` how much of that was in sessions."""

    def __init__(self, folder: Path) -> None:
        self.struck: list[Struck] = []
        self.in_sessions: list[MsrpSeen] = []
        super().__init__(folder)
        self.hand = HostileHand(
            domain=self.carrier.domain,
            rng=os.urandom,
            inject=lambda request, to: self._inject(request, to),
            struck=self.struck.append,
            delay_ms=DELAY_MS,
        )

    def order(self, attack: Attack, times: int | None = 1) -> None:
        self.hand.order(Order(attack, times, sender=ANA))

    async def talking(self, **changes: Any) -> tuple[Phone, Phone]:
        """Ana and Ben, who have written to each other over a session."""
        return await self.pair(ANA, BEN, relay=True, rcs=_SESSIONS, **changes)

    async def grouped(self, **changes: Any) -> tuple[Phone, Phone, Group]:
        """Ana and Ben in a group with Carol, in which something was said already."""
        ana, ben = await self.talking(**changes)
        carol = await self.phone(CAROL, relay=True, rcs=_SESSIONS)
        group = await ana.client.create_group([BEN, CAROL], "Regatta")
        for phone in (ben, carol):
            await phone.seen(GroupJoined)
        await self.told(ana, ben, group, "all aboard")
        return ana, ben, group

    async def told(self, ana: Phone, ben: Phone, group: Group, text: str) -> str:
        """Ana says it in the group, Ben hears it, and Ana's phone knows."""
        sent = await group.send(text)
        assert (await ben.hears(text)).encrypted
        await ana.seen(MessageDelivered, lambda event: event.message_id == sent and event.member == BEN)
        return sent

    def _tap(self, seen: Seen) -> Interference | None:
        super()._tap(seen)  # which takes note
        return self.hand.tap(seen)

    def _msrp(self, seen: MsrpSeen) -> MsrpInterference | None:
        super()._msrp(seen)
        done = self.hand.msrp_tap(seen)
        if done is not None:
            self.in_sessions.append(seen)
        return done

    def _inject(self, request: Request, to: Number) -> None:
        asyncio.get_running_loop().call_soon(self.carrier.inject, request, to)
