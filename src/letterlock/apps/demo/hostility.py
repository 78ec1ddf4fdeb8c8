"""What the network does to the phones on the viewer's order: attacks on what passes, lies about keys, and what comes of one.

One trial at a time, of what was ordered last. A carrier cannot aim: what it hit is looked up in what the phones say they
sent, and if nobody wrote that, the trial waits for the next.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from ...carrier.hostile import Attack, HostileHand, Order, Struck
from ...carrier.settings import Settings as CarrierSettings
from ...client.environment import system_clock
from ...codec.sip import Request
from ...crypto.pyca import Pyca
from ...ids import Instant, Number
from .lying_directory import Lie, LyingDirectory
from .trial import Trial

__all__ = ["Hostility"]

_SECOND_THOUGHT_SECONDS = 1.5
_KEPT_SAYINGS = 400


class Hostility:
    """`hand` is for the carrier's taps, `front` for the directory that both phones ask. Lies are about `other`."""

    def __init__(
        self,
        one: Number,
        other: Number,
        inject: Callable[[Request, Number], None],
        published: Callable[[str, dict[str, Any]], None],
    ) -> None:
        """`published` hears of the orders and of the trial whenever one of them is another."""
        self.hand = HostileHand(domain=CarrierSettings().domain, rng=os.urandom, inject=inject, struck=self._struck)
        self.trial: Trial | None = None
        self._one, self._other = one, other
        self._published = published
        self._directory: LyingDirectory | None = None
        self._sent: set[str] = set()
        self._said: deque[dict[str, Any]] = deque(maxlen=_KEPT_SAYINGS)
        self._aimed_at: Number | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def front(self, honest: str, stack: AsyncExitStack) -> str:
        """What stands before a directory: before the first one it may lie, before the others nothing does."""
        if self._directory is not None:
            return honest
        self._directory = await stack.enter_async_context(
            LyingDirectory(honest, Pyca(), rng=os.urandom, now=system_clock)
        )
        return self._directory.url

    async def close(self) -> None:
        """No second thoughts any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- orders and lies -----------------------------------------------------------------------------------
    def orders(self) -> dict[str, Any]:
        """What is done to what passes now; for each how often, null: until it is switched off."""
        return {
            **{order.attack.value: {"times": order.times} for order in self.hand.orders},
            **({} if self.told is None else {self.told.value: {"times": None}}),
        }

    def order(self, attack: Attack, times: int | None, sender: Number | None = None) -> None:
        """From the next message on, whoever sends it, or this one alone."""
        self._aimed_at = sender
        self.hand.order(Order(attack, times, sender))
        self._begin_trial(attack.value)

    @property
    def told(self) -> Lie | None:
        """The lie that is told now."""
        return None if self._directory is None else self._directory.lie

    def lie(self, lie: Lie) -> bool:
        """From now on. Whether it was this one already."""
        again = self.told is lie
        self._tell(lie)
        self._begin_trial(lie.value)
        return again

    def withdraw(self, name: str) -> None:
        """This one no more."""
        if name in {attack.value for attack in Attack}:
            self.hand.withdraw(Attack(name))
        elif self.told is not None and self.told.value == name:
            self._tell(None)
        self._published("orders", self.orders())

    def be_honest(self) -> None:
        """Nothing of the sort any more."""
        self.hand.be_honest()
        self._tell(None)
        self._published("orders", self.orders())

    def _tell(self, lie: Lie | None) -> None:
        if self._directory is not None:
            self._directory.about, self._directory.lie = self._other, lie

    # --- the trial -----------------------------------------------------------------------------------------
    def heard(self, saying: dict[str, Any]) -> None:
        """A phone said something, which may be about what was done."""
        self._said.append(saying)
        if saying["kind"] == "message-sent":
            self._sent.add(saying["message_id"])
        if self.trial is not None and self.trial.heard(saying):
            self._published("trial", self.trial.to_json())

    def settle(self, again: bool) -> None:
        """The phones were asked about the lie, and answered."""
        if self.trial is not None:
            self.trial.settled(again)
            self._published("trial", self.trial.to_json())

    def _begin_trial(self, name: str) -> None:
        """From now on it is followed what comes of this."""
        self.trial = Trial(name, system_clock(), self._one, self._other)
        self._published("orders", self.orders())
        self._published("trial", self.trial.to_json())

    def _struck(self, struck: Struck) -> None:
        trial, now = self.trial, system_clock()
        if trial is not None and trial.attack == struck.attack.value:
            trial.struck(struck.message_id, struck.sender or "", now)
            self._published("trial", trial.to_json())
            if struck.message_id:
                over = all(order.attack is not struck.attack for order in self.hand.orders)
                task = asyncio.get_running_loop().create_task(self._second_thought(trial, struck, now, over))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        self._published("orders", self.orders())

    async def _second_thought(self, trial: Trial, struck: Struck, at: Instant, over: bool) -> None:
        """What was hit is looked up in the phones: if it was no message, there is another try, or what was hit next is
        followed, where it is done to everything."""
        await asyncio.sleep(_SECOND_THOUGHT_SECONDS)
        if trial is not self.trial or trial.message_id in self._sent:
            return
        if struck.message_id in self._sent:
            trial.missed()
            trial.struck(struck.message_id, struck.sender or "", at)
            for saying in self._said:
                trial.heard(saying)
        elif over:
            self.hand.order(Order(struck.attack, 1, self._aimed_at))
            trial.missed()
            self._published("orders", self.orders())
        self._published("trial", trial.to_json())
