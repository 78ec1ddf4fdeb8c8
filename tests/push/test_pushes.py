"""The push service over its tables, on SQLite and PostgreSQL: who may register, what is counted, what is forgotten (SR-17)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Set
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from letterlock.errors import InputError, PushError
from letterlock.ids import Number
from letterlock.services.buckets import Rate
from letterlock.services.push import Fate, Pushes, PushKind, PushLimits, Reason, Subscription
from letterlock.services.push.outcome import Gone, Later, Outcome, Sent, Unknown
from letterlock.services.push.steps import Target

from .push_lab import ANA, QUICK, assert_apart, counts, settled, until

pytestmark = pytest.mark.anyio
BEN = Number("+15550199")
HOUR = 3_600_000


@dataclass
class Scripted:
    """A provider that answers from a script, then always that it was sent."""

    script: deque[Outcome | Exception] = field(default_factory=deque)
    accepted: list[tuple[str, int]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    began: int = 0
    kinds: Set[PushKind] = frozenset({PushKind.FCM})
    pool: str = "fcm"

    def __post_init__(self) -> None:
        self.gate.set()

    def target(self, subscription: Subscription) -> Target:
        return Target(subscription, self.pool, "")

    async def send(self, subscription: Subscription, collapse: str) -> Outcome:
        self.began += 1
        await self.gate.wait()
        outcome = self.script.popleft() if self.script else Sent()
        if isinstance(outcome, Exception):
            raise outcome
        if isinstance(outcome, Sent | Unknown):
            self.accepted.append((subscription.address, time.time_ns() // 1_000_000))
        return outcome

    async def close(self) -> None:
        pass


class Clock:
    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead


def phone(n: int = 0) -> Subscription:
    return Subscription(PushKind.FCM, f"registration-token-{n:04d}")


@contextlib.asynccontextmanager
async def opened(
    database: str, provider: Scripted, *, limits: PushLimits = QUICK, now: Any = None
) -> AsyncIterator[Pushes]:
    async with Pushes(database, [provider], limits=limits, now=now or Clock()) as pushes:
        yield pushes


async def test_every_wake_up_is_counted_once(database: str) -> None:
    provider = Scripted(deque([Later(Reason.FAILED), Sent(), Gone(Reason.UNREGISTERED)]))
    async with opened(database, provider) as pushes:
        assert await pushes.wake(ANA, "phone") is Fate.DROPPED, "nobody knows it"
        await pushes.subscribe(ANA, "phone", phone())
        assert await pushes.wake(ANA, "phone") is None
        assert await pushes.wake(ANA, "phone") in (None, Fate.COALESCED)
        found = await settled(pushes)
        assert found.requested == 3
        await pushes.wake(ANA, "phone")
        await settled(pushes)
        assert_apart(provider.accepted)


async def test_what_waits_survives_a_restart(database: str) -> None:
    provider = Scripted(deque([Later(Reason.FAILED, 300)]))
    async with opened(database, provider) as pushes:
        await pushes.subscribe(ANA, "phone", phone())
        await pushes.wake(ANA, "phone")
        await until(lambda: provider.began == 1)
        assert (await pushes.accounting()).waiting == 1
    async with opened(database, provider) as pushes:
        assert counts(await settled(pushes)) == {Fate.SENT: 1}


async def test_an_attempt_that_is_cut_off_counts_as_sent_and_is_made_again(database: str) -> None:
    provider = Scripted()
    provider.gate.clear()
    limits = replace(QUICK, attempt_ms=300, grace_ms=200, drain_ms=10)
    async with opened(database, provider, limits=limits) as pushes:
        await pushes.subscribe(ANA, "phone", phone())
        await pushes.wake(ANA, "phone")
        await until(lambda: provider.began == 1)
        cut_off = time.time_ns() // 1_000_000
    provider.gate.set()
    async with opened(database, provider, limits=limits) as pushes:
        assert counts(await settled(pushes)) == {Fate.SENT: 1}
    [(_, at)] = provider.accepted
    assert at - cut_off >= limits.window_ms


async def test_a_device_that_is_there_or_gone_is_not_woken(database: str) -> None:
    provider = Scripted()
    async with opened(database, provider, limits=replace(QUICK, window_ms=60_000)) as pushes:
        for n, device in enumerate(("phone", "tablet")):
            await pushes.subscribe(ANA, device, phone(10 + n))
            await pushes.wake(ANA, device)
        await until(lambda: len(provider.accepted) == 2)
        while (await pushes.accounting()).waiting:
            await asyncio.sleep(0.005)
        for device in ("phone", "tablet"):
            assert await pushes.wake(ANA, device) is None
        await pushes.present(ANA, "phone")
        await pushes.unsubscribe(ANA, "tablet")
        assert (await pushes.accounting()).ended == {
            (Fate.SENT, Reason.NONE): 2,
            (Fate.UNNEEDED, Reason.NONE): 1,
            (Fate.DROPPED, Reason.NO_SUBSCRIPTION): 1,
        }
        # Who comes back within the window is still not woken twice in it.
        await pushes.purge()
        await pushes.subscribe(ANA, "tablet", phone(1))
        assert await pushes.wake(ANA, "tablet") is None
        await asyncio.sleep(0.05)
        assert len(provider.accepted) == 2


async def test_a_new_address_is_not_lost_to_what_the_old_one_says(database: str) -> None:
    provider = Scripted(deque([Gone(Reason.UNREGISTERED)]))
    provider.gate.clear()
    async with opened(database, provider) as pushes:
        await pushes.subscribe(ANA, "phone", phone(1))
        await pushes.wake(ANA, "phone")
        await until(lambda: provider.began == 1)
        await pushes.subscribe(ANA, "phone", phone(2))
        provider.gate.set()
        assert counts(await settled(pushes)) == {Fate.SENT: 1}
        assert [address for address, _ in provider.accepted] == [phone(2).address]


async def test_an_app_under_a_new_name_is_not_woken_twice(database: str) -> None:
    provider = Scripted()
    async with opened(database, provider, limits=replace(QUICK, window_ms=60_000)) as pushes:
        await pushes.subscribe(ANA, "old name", phone())
        await pushes.wake(ANA, "old name")
        await until(lambda: provider.accepted)
        while (await pushes.accounting()).waiting:
            await asyncio.sleep(0.005)
        await pushes.subscribe(BEN, "his own", phone())  # two lines in one phone are two subscriptions
        await pushes.subscribe(ANA, "new name", phone())
        assert await pushes.wake(ANA, "old name") is Fate.DROPPED
        assert await pushes.wake(ANA, "new name") is None
        assert await pushes.wake(BEN, "his own") is None
        await until(lambda: len(provider.accepted) == 2)
        assert (await pushes.accounting()).waiting == 1


async def test_a_bug_in_a_provider_loses_no_wake_up_and_logs_no_address(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    provider = Scripted(deque([RuntimeError(f"about {phone().address}")]))
    with caplog.at_level(logging.DEBUG):
        async with opened(database, provider) as pushes:
            await pushes.subscribe(ANA, "phone", phone())
            await pushes.wake(ANA, "phone")
            assert counts(await settled(pushes)) == {Fate.SENT: 1}
    assert "bug in fcm: RuntimeError" in caplog.text
    assert "registration-token" not in caplog.text and "5550100" not in caplog.text


async def test_a_row_that_cannot_be_read_any_more_holds_up_nobody(database: str) -> None:
    provider = Scripted()
    async with opened(database, provider) as pushes:
        await pushes.subscribe(ANA, "phone", phone())
        await pushes._writer.run(
            lambda tables: tables.connection.execute("UPDATE devices SET subscription = ?", (b"{}",)).rowcount
        )
        await pushes.subscribe(ANA, "tablet", phone(1))
        await pushes.wake(ANA, "phone")
        await pushes.wake(ANA, "tablet")
        assert (await settled(pushes)).ended == {(Fate.DROPPED, Reason.EXPIRED): 1, (Fate.SENT, Reason.NONE): 1}


async def test_a_push_service_that_is_not_set_up(database: str) -> None:
    async with opened(database, Scripted()) as pushes:
        with pytest.raises(PushError) as caught:
            await pushes.subscribe(ANA, "phone", Subscription(PushKind.APNS, "ab" * 32, "an.app"))
        assert caught.value.code == "push.kind"
        await pushes.subscribe(ANA, "phone", phone())
    # The operator has taken it away since.
    async with Pushes(database, [], limits=QUICK) as pushes:
        await pushes.wake(ANA, "phone")
        assert (await settled(pushes)).ended == {(Fate.GIVEN_UP, Reason.NOT_SET_UP): 1}


async def test_sr_17_rates_come_before_work_and_are_counted(database: str) -> None:
    limits = replace(QUICK, wakes=Rate(3, HOUR), subscriptions=Rate(2, HOUR), window_ms=60_000)
    async with opened(database, Scripted(), limits=limits) as pushes:
        await pushes.subscribe(ANA, "phone", phone())
        fates = [await pushes.wake(ANA, "phone") for _ in range(5)]
        assert fates[3:] == [Fate.REFUSED, Fate.REFUSED]
        found = await pushes.accounting()
        assert (found.requested, found.ended[(Fate.REFUSED, Reason.RATE)]) == (5, 2)
        await pushes.subscribe(ANA, "tablet", phone(1))
        with pytest.raises(PushError) as caught:
            await pushes.subscribe(ANA, "watch", phone(2))
        assert caught.value.code == "push.rate" and caught.value.retry_after_s
        await pushes.subscribe(BEN, "phone", phone(3))


async def test_sr_17_an_account_keeps_its_latest_devices(database: str) -> None:
    clock = Clock()
    async with opened(database, Scripted(), limits=replace(QUICK, max_devices=3), now=clock) as pushes:
        for n in range(5):
            clock.ahead += 1000
            await pushes.subscribe(ANA, f"device {n}", phone(n))
        fates = [await pushes.wake(ANA, f"device {n}") for n in range(5)]
        assert fates == [Fate.DROPPED, Fate.DROPPED, None, None, None]


async def test_sr_17_who_does_not_register_any_more_is_forgotten(database: str) -> None:
    clock = Clock()
    provider = Scripted()
    async with opened(database, provider, now=clock) as pushes:
        await pushes.subscribe(ANA, "old", phone(1))
        await pushes.subscribe(ANA, "new", phone(2))
        clock.ahead = QUICK.subscription_ms - 1000
        await pushes.subscribe(ANA, "new", phone(2))
        clock.ahead += 2000
        await pushes.purge()
        await pushes.purge()
        rows = await pushes._writer.run(
            lambda tables: tables.connection.execute("SELECT device FROM devices").fetchall()
        )
        assert [row[0] for row in rows] == ["new"]
        assert await pushes.wake(ANA, "old") is Fate.DROPPED
        assert await pushes.wake(ANA, "new") is None


async def test_a_clock_that_is_set_back_holds_nothing_up_for_ever(database: str) -> None:
    clock = Clock()
    clock.ahead = 365 * 24 * HOUR
    provider = Scripted(deque([Later(Reason.FAILED)]))
    limits = replace(QUICK, longest_retry_ms=200, attempt_ms=100, grace_ms=50, window_ms=50)
    async with opened(database, provider, limits=limits, now=clock) as pushes:
        await pushes.subscribe(ANA, "phone", phone())
        await pushes.wake(ANA, "phone")
        await until(lambda: provider.began == 1)
    clock.ahead = 0
    async with opened(database, provider, limits=limits, now=clock) as pushes:
        assert counts(await settled(pushes, 5)) == {Fate.SENT: 1}


@pytest.mark.parametrize("device", ["", "x" * 256, "a\0b"])
async def test_what_is_no_device(database: str, device: str) -> None:
    async with opened(database, Scripted()) as pushes:
        with pytest.raises(InputError):
            await pushes.subscribe(ANA, device, phone())


async def test_nothing_of_whom_it_is_about_is_printed(database: str) -> None:
    """SR-10: whoever has an address or its keys can wake the device."""
    subscription = Subscription(
        PushKind.WEB_PUSH, "https://push.example.test/secret", p256dh=b"\x04" + b"s" * 64, auth=b"s" * 16
    )
    assert repr(subscription) == "Subscription(kind=<PushKind.WEB_PUSH: 'webpush'>, topic='')"
    async with opened(database, Scripted()) as pushes:
        await pushes.subscribe(ANA, "phone", phone())
        row = await pushes._writer.run(lambda tables: tables.device(ANA, "phone"))
        assert "registration-token" not in repr(row)


async def test_two_processes_on_one_database_wake_a_device_once(postgresql_url: str) -> None:
    provider = Scripted()
    async with opened(postgresql_url, provider) as one, opened(postgresql_url, provider) as other:
        for n in range(10):
            await one.subscribe(ANA, f"device {n}", phone(n))
        for _ in range(5):
            await asyncio.gather(*(each.wake(ANA, f"device {n}") for n in range(10) for each in (one, other)))
        found = await settled(one)
        assert found.requested == 100
        assert found.count(Fate.SENT) == len(provider.accepted)
        assert_apart(provider.accepted)
