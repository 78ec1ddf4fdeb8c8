"""Devices that are away are woken: when, how often, and with nothing in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.client_lab import GatewayLab
from gateway.lab import ANA, BEN, Inbox, Lab, eventually, text
from gateway.raw import raw_link
from letterlock.client import Client
from letterlock.codec.gateway import Message
from letterlock.codec.push_subscription import PushKind, Subscription
from letterlock.errors import InputError, TransportError
from letterlock.services.gateway import GatewayLimits
from letterlock.services.push import Fate, Pushes
from letterlock.services.push.outcome import Outcome, Sent
from letterlock.services.push.steps import Target

pytestmark = pytest.mark.anyio

PHONE = Subscription(PushKind.APNS, "ab" * 32, "org.example.app")
TABLET = Subscription(PushKind.APNS, "cd" * 32, "org.example.app")


class Provider:
    """A push service that takes everything and remembers it."""

    kinds = frozenset({PushKind.APNS})
    pool = "apns"

    def __init__(self) -> None:
        self.woken: list[tuple[Subscription, str]] = []

    def target(self, subscription: Subscription) -> Target:
        return Target(subscription, self.pool, "")

    async def send(self, subscription: Subscription, collapse: str) -> Outcome:
        self.woken.append((subscription, collapse))
        return Sent()

    async def close(self) -> None:
        pass


async def away(lab: Lab, push: Subscription | None = PHONE) -> None:
    """Ben was here, has said where he can be woken, and has gone."""
    ben = await lab.linked(BEN)
    await ben.subscribe(push)
    await ben.close()
    await eventually(lambda: lab.gateway._lines.linked_devices() == [])


def place(folder: Path, **changes: Any) -> tuple[Provider, Pushes, Callable[[], Any]]:
    provider = Provider()
    pushes = Pushes(str(folder / "push.db"), [provider])
    limits = GatewayLimits(tidy_ms=5, **changes)
    return provider, pushes, lambda: Lab.running(folder, pushes=pushes, limits=limits)


async def test_a_device_that_is_away_is_woken_once_for_many_messages(tmp_path: Path) -> None:
    provider, pushes, running = place(tmp_path)
    async with pushes, running() as lab:
        await away(lab)
        ana = await lab.native(ANA)
        for at in range(10):
            assert (await ana.send(text(ANA, BEN, f"the violet text {at}"))).accepted
        await eventually(lambda: provider.woken)
        assert [subscription for subscription, _ in provider.woken] == [PHONE]
        # SR-18: it says that there is something, and nothing of what or from whom.
        assert ANA not in repr(provider.woken) and "violet" not in repr(provider.woken)
        assert (await pushes.accounting()).requested == 1


async def test_who_is_there_is_not_woken_and_who_takes_nothing_is(tmp_path: Path) -> None:
    # Longer than a busy machine takes from the network to the client.
    provider, pushes, running = place(tmp_path, wake_after_ms=2_000)
    async with pushes, running() as lab:
        await away(lab)
        ana, bens = await lab.native(ANA), Inbox()
        ben = await lab.linked(BEN, bens)
        await ana.send(text(ANA, BEN, "seen at once"))
        await eventually(lambda: bens.texts == ["seen at once"])
        line = lab.gateway._lines.find(BEN, lab.config(BEN).instance)
        assert line is not None
        # The gateway hears of it a moment later; what is not acknowledged when he goes would wake him.
        await eventually(lambda: line._acknowledged >= line._newest)
        await ben.close()
        async with raw_link(lab.config(BEN)) as link:
            await link.hello()
            await ana.send(text(ANA, BEN, "arrives, and is not acknowledged"))
            await link.next(Message)
            assert provider.woken == []
            await eventually(lambda: provider.woken)


async def test_another_subscription_takes_its_place_and_none_wakes_nobody(tmp_path: Path) -> None:
    provider, pushes, running = place(tmp_path, wake_every_ms=1)
    async with pushes, running() as lab:
        await away(lab)
        await away(lab, TABLET)
        ana = await lab.native(ANA)
        await ana.send(text(ANA, BEN, "one"))
        await eventually(lambda: provider.woken)
        assert [subscription for subscription, _ in provider.woken] == [TABLET]
        await away(lab, None)
        await ana.send(text(ANA, BEN, "two"))
        async with asyncio.timeout(5):
            while not (await pushes.accounting()).count(Fate.DROPPED):
                await asyncio.sleep(0.01)
        assert len(provider.woken) == 1


async def test_a_subscription_that_is_refused_and_a_gateway_that_wakes_nobody(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    _, pushes, running = place(tmp_path / "a")
    async with pushes, running() as lab:
        ben = await lab.linked(BEN)
        with pytest.raises(TransportError) as refused:
            await ben.subscribe(Subscription(PushKind.FCM, "f" * 32))
        assert refused.value.code == "push.kind"
    async with Lab.running(tmp_path / "b") as lab:
        ben = await lab.linked(BEN)
        with pytest.raises(TransportError) as refused:
            await ben.subscribe(PHONE)
        assert refused.value.code == "gateway.push"


async def test_a_device_that_is_removed_is_woken_no_more(tmp_path: Path) -> None:
    _, pushes, running = place(tmp_path)
    async with pushes, running() as lab:
        await away(lab)
        instance = lab.config(BEN).instance
        device = await lab.gateway._writer.run(lambda tables: lab.gateway._office.forget(tables, BEN, instance))
        await lab.gateway._gone(device)
        assert await pushes.wake(BEN, instance) is Fate.DROPPED


async def test_a_client_says_where_it_can_be_woken(tmp_path: Path) -> None:
    """Through the process that owns the profile, and only where somebody takes its messages."""
    provider = Provider()
    async with Pushes(str(tmp_path / "push.db"), [provider]) as pushes, GatewayLab.running(tmp_path, pushes) as lab:
        ana, ben = await lab.create(ANA), await super(GatewayLab, lab).create(BEN)
        owner = Client.open(ana, passphrase="tulip", environment=lab.environment)
        async with owner, Client.open(ana, passphrase="tulip", environment=lab.environment) as other:
            assert owner.owner and not other.owner
            await other.set_push(PHONE)
            with pytest.raises(TransportError) as unknown:
                await other.set_push(Subscription(PushKind.FCM, "f" * 32))
            assert unknown.value.code == "push.kind"
        async with Client.open(ben, passphrase="tulip", environment=lab.environment) as me:
            with pytest.raises(InputError) as refused:
                await me.set_push(PHONE)
            assert refused.value.code == "push.no_gateway"
            await (await me.chat(ANA)).send("wake up")
            await eventually(lambda: provider.woken)
