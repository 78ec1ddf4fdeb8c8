"""A push service in a process that kills itself: `push_process.py DATABASE LOG KILL_AT before|after FIRST COUNT`.

Its provider is a file: a line for each wake-up that went out, with its time. At the KILL_AT-th attempt it gets SIGKILL, before
that line is written or after; with 0, never, and it ends when every wake-up has. It prints a line for each that was asked for.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Set

from letterlock.ids import Number
from letterlock.services.push import Pushes, PushKind, PushLimits, Subscription
from letterlock.services.push.outcome import Outcome, Sent
from letterlock.services.push.steps import Target

LIMITS = PushLimits(window_ms=200, attempt_ms=200, grace_ms=100, first_retry_ms=10)
ANA = Number("+15550100")


class FileProvider:
    """Writes a line down, as a push service would its log."""

    kinds: Set[PushKind] = frozenset({PushKind.FCM})
    pool = "fcm"

    def __init__(self, log: str, kill_at: int, when: str) -> None:
        self._log, self._kill_at, self._when = log, kill_at, when
        self._attempts = 0

    def target(self, subscription: Subscription) -> Target:
        return Target(subscription, self.pool, "")

    async def send(self, subscription: Subscription, collapse: str) -> Outcome:
        self._attempts += 1
        last = self._attempts == self._kill_at
        if last and self._when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        with open(self._log, "a") as file:
            file.write(f"{subscription.address} {time.time_ns() // 1_000_000}\n")
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return Sent()

    async def close(self) -> None:
        pass


async def main(database: str, log: str, kill_at: int, when: str, first: int, count: int) -> None:
    async with Pushes(database, [FileProvider(log, kill_at, when)], limits=LIMITS) as pushes:
        for n in range(first, first + count):
            await pushes.subscribe(ANA, f"device {n}", Subscription(PushKind.FCM, f"registration-{n:06d}"))
            await pushes.wake(ANA, f"device {n}")
            print("asked", flush=True)
        while (found := await pushes.accounting()).waiting or kill_at:
            await asyncio.sleep(0.01)
        print(found.requested, {fate.value: number for (fate, _), number in found.ended.items()}, flush=True)


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]), int(sys.argv[6])))
