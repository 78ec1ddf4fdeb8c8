"""The push service as its callers see it: register a device, wake it, account for what became of every wake-up."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...codec.push_subscription import Subscription
from ...errors import InputError, LetterlockError, PushError
from ...ids import Instant, Number, Rng
from ..buckets import Buckets
from ..http import system_now
from ..writer import Writer
from . import steps
from .attempts import Attempts
from .limits import PushLimits
from .outcome import Fate, Reason
from .provider import Provider
from .tables import Tables

__all__ = ["Accounting", "Pushes"]

_log = logging.getLogger("letterlock.push")

_MAX_DEVICE = 255
_PURGE_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Accounting:
    """What became of all wake-ups that were ever asked for: `requested` is the sum of `ended` and `waiting`."""

    requested: int
    waiting: int
    ended: Mapping[tuple[Fate, Reason], int]

    def count(self, fate: Fate) -> int:
        """Of one fate, whatever the reason."""
        return sum(count for (each, _), count in self.ended.items() if each is fate)


class Pushes:
    """Wakes devices. An asynchronous context: `async with Pushes(...) as pushes`.

    `account` is a number, `device` any name of up to 255 characters that its caller has for the device. Whoever calls has
    authenticated the device (SR-17). `database` is a file, which is locked for this process, or a URL. The providers are
    closed with this.
    """

    def __init__(
        self,
        database: str,
        providers: Sequence[Provider],
        *,
        limits: PushLimits | None = None,
        now: Callable[[], Instant] = system_now,
        rng: Rng = os.urandom,
    ) -> None:
        self._limits = limits or PushLimits()
        self._now, self._rng = now, rng
        self._providers = tuple(providers)
        self._by_kind = {kind: provider for provider in self._providers for kind in provider.kinds}
        self._writer = Writer(database, Tables, PushError, "push")
        self._attempts = Attempts(self._writer, self._providers, self._limits, now)
        self._buckets = Buckets(self._limits.max_buckets)
        self._refused = 0
        self._purging: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the database and go on where the last process ended. Raises StoreError."""
        await self._writer.start()
        async with contextlib.AsyncExitStack() as begun:
            begun.push_async_callback(self.close)
            await self.purge()
            begun.pop_all()
        self._attempts.start()
        self._purging = asyncio.create_task(self._purge_for_ever())

    async def close(self) -> None:
        """End what is under way, as far as it ends soon; the rest is on the disk."""
        if self._purging is not None:
            self._purging.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._purging
            self._purging = None
        await self._attempts.close()
        with contextlib.suppress(LetterlockError):  # counts of refusals alone
            await self._count_refused()
        await self._writer.close()
        for provider in self._providers:
            await provider.close()

    async def __aenter__(self) -> Pushes:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def subscribe(self, account: Number, device: str, subscription: Subscription) -> None:
        """From now on the device is woken there. The same again refreshes it: apps do so at every start.

        Raises PushError: `push.kind` for a push service that the operator has not set up, `push.topic` for an app that is
        not the operator's, `push.address` for one that is not of the Internet, `push.rate`; BadPublicKey, StoreError.
        """
        _check(device)
        now = self._now()
        self._buckets.spend(PushError, "subscribe", account, self._limits.subscriptions, now)  # SR-17
        provider = self._by_kind.get(subscription.kind)
        if provider is None:
            raise PushError(
                f"{subscription.kind.value} is not set up here",
                code="push.kind",
                hint="register with another push service; the operator sets them up",
                status=422,
            )
        target = provider.target(subscription)
        # 24 characters for URLs: what the Topic header of Web Push takes, and APNs' collapse identifier.
        collapse = base64.urlsafe_b64encode(self._rng(18)).decode()
        limits = self._limits
        await self._writer.run(lambda tables: steps.subscribe(tables, limits, account, device, target, collapse, now))
        self._attempts.look()

    async def unsubscribe(self, account: Number, device: str) -> None:
        """Wake it no more; what waits for it is dropped. Raises PushError `push.rate`, StoreError."""
        _check(device)
        self._buckets.spend(PushError, "subscribe", account, self._limits.subscriptions, self._now())
        await self._writer.run(lambda tables: steps.unsubscribe(tables, account, device))

    async def wake(self, account: Number, device: str) -> Fate | None:
        """Ask for a wake-up. None when it will go out, otherwise how it has ended already. Raises StoreError.

        It returns once the wake-up is on the disk, and does not wait for the push service.
        """
        _check(device)
        now = self._now()
        if self._buckets.take("wake", (account, device), self._limits.wakes, now):  # SR-17: before any work
            self._refused += 1
            return Fate.REFUSED
        fate = await self._writer.run(lambda tables: steps.wake(tables, account, device, now))
        if fate is None:
            self._attempts.look()
        return fate

    async def present(self, account: Number, device: str) -> None:
        """The device is there by itself: what waits for it is not needed. Raises StoreError."""
        _check(device)
        await self._writer.run(lambda tables: steps.arrive(tables, account, device))

    async def accounting(self) -> Accounting:
        """Raises StoreError."""
        await self._count_refused()
        ended, waiting = await self._writer.run(lambda tables: (tables.counts(), tables.waiting()))
        return Accounting(sum(ended.values()) + waiting, waiting, ended)

    async def purge(self) -> None:
        """Drop what is older than its bound; done at the start and every hour (SR-17)."""
        now = self._now()
        await self._writer.run(lambda tables: steps.purge(tables, self._limits, now))
        await self._count_refused()

    async def _count_refused(self) -> None:
        """Refusals are counted in memory: whoever comes too often causes no write each time."""
        count, self._refused = self._refused, 0
        if not count:
            return
        try:
            await self._writer.run(lambda tables: tables.add(Fate.REFUSED, Reason.RATE, count))
        except BaseException:  # also when cancelled: they are counted another time
            self._refused += count
            raise

    async def _purge_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_PURGE_EVERY_S)
            try:
                await self.purge()
            except LetterlockError as error:
                _log.error("cannot drop what is old: %s", error)


def _check(device: str) -> None:
    if not 0 < len(device) <= _MAX_DEVICE or "\0" in device:
        raise InputError("a device's name has 1 to 255 characters", code="input.device")
