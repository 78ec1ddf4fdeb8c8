"""Each hostile button on an RCC.16 group, whose messages go over sessions to the carrier's focus and from there to everybody:
the whole network of the demo, phones with the real client, and their own records."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from client.phones import CHEAP
from e2e.world import LIMITS
from letterlock.apps.demo.network import Network
from letterlock.apps.demo.phone import Phone
from letterlock.carrier import read_wire_log
from letterlock.carrier.hostile import Attack, HostileHand, Order, Struck
from letterlock.carrier.msrp_tap import MsrpInterference, MsrpSeen
from letterlock.carrier.settings import Settings as CarrierSettings
from letterlock.client import Client, Environment, Group
from letterlock.engine.events import (
    Event,
    GroupJoined,
    MessageDelivered,
    MessageDisplayed,
    MessageFailed,
    MessageReceived,
)
from letterlock.ids import Number

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

ANA, BEN, CLEO = Number("+15550100"), Number("+15550199"), Number("+15550122")
PATIENCE_SECONDS = 30.0


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


class QuickPhone(Phone):
    """What takes half a minute in the product takes less than a second."""

    @property
    def environment(self) -> Environment:
        state = self.folder / "state" / "letterlock" / "generations"
        return dataclasses.replace(Environment(), state=state, engine_limits=LIMITS, argon2=CHEAP)


class Regatta:
    """Ana, Ben and Cleo in a group, who have said something when everybody was honest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.struck: list[Struck] = []
        self.kept: list[MsrpSeen] = []
        self.hand = HostileHand(
            domain=CarrierSettings().domain,
            rng=os.urandom,
            inject=self._inject,
            struck=self.struck.append,
            delay_ms=300,
        )
        self.clients: dict[Number, Client] = {}
        self.group: Group
        self._network: Network

    async def start(self, stack: AsyncExitStack) -> None:
        self._network = await Network.start(
            self.folder, self.folder / "wire.log", stack, tap=self.hand.tap, msrp_tap=self._msrp
        )
        for name, number in (("ana", ANA), ("ben", BEN), ("cleo", CLEO)):
            phone = QuickPhone(name, number, self.folder / name)
            await self._network.set_up(phone, ("rcc16",))
            self.clients[number] = await stack.enter_async_context(phone.client())
        self.group = await self.clients[ANA].create_group([BEN, CLEO], "Regatta at dawn")
        for number in (BEN, CLEO):
            await self.until(number, lambda events: any(isinstance(event, GroupJoined) for event in events))
        await self.says("all aboard")

    async def says(self, text: str) -> str:
        """In the group, by Ana, until both have it and her phone knows."""
        sent = await self.group.send(text)
        for number in (BEN, CLEO):
            await self.until(number, lambda events: text in [e.text for e in received(events)])
        await self.until(
            ANA,
            lambda events: (
                {BEN, CLEO} <= {e.member for e in events if isinstance(e, MessageDelivered) and e.message_id == sent}
            ),
        )
        return sent

    async def until(self, number: Number, condition: Callable[[list[Event]], bool]) -> list[Event]:
        events: list[Event] = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for recorded in self.clients[number].events(after=0):
                events.append(recorded.event)
                if condition(events):
                    break
        return events

    async def events(self, number: Number) -> list[Event]:
        """Everything until now."""
        await self.clients[number].settled()
        last = await self.clients[number].cursor()
        found: list[Event] = []
        async for recorded in self.clients[number].events(after=0):
            found.append(recorded.event)
            if recorded.cursor >= last:
                break
        return found

    def _msrp(self, seen: MsrpSeen) -> MsrpInterference | None:
        done = self.hand.msrp_tap(seen)
        if done is not None:
            self.kept.append(seen)
        return done

    def _inject(self, request: Any, to: Number) -> None:
        asyncio.get_running_loop().call_soon(self._network.carrier.inject, request, to)


def received(events: list[Event]) -> list[MessageReceived]:
    return [event for event in events if isinstance(event, MessageReceived)]


@pytest.fixture(scope="module")
async def regatta(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Regatta]:
    async with AsyncExitStack() as stack:
        regatta = Regatta(tmp_path_factory.mktemp("regatta"))
        await regatta.start(stack)
        yield regatta


@pytest.mark.parametrize("attack", [a for a in Attack if a is not Attack.STRIP], ids=lambda attack: attack.value)
async def test_sr05_whatever_is_done_at_the_focus_all_have_it_once_as_written(regatta: Regatta, attack: Attack) -> None:
    """SR-01, SR-05, SR-13: by what the three phones recorded."""
    text = f"start at five, whatever {attack.value} means"
    already = len(regatta.struck)
    regatta.kept.clear()
    regatta.hand.order(Order(attack, 1, sender=ANA))
    sent = await regatta.says(text)
    (struck,) = regatta.struck[already:]
    assert (struck.attack, struck.message_id, struck.sender) == (attack, sent, ANA)
    assert regatta.kept, "in a session, and not beside it"
    for number in (BEN, CLEO):
        events = received(await regatta.events(number))
        assert [event.text for event in events].count(text) == 1
        assert all(event.encrypted for event in events)
    told = await regatta.events(ANA)
    bad = [e for e in told if isinstance(e, MessageFailed | MessageDisplayed) and e.message_id == sent]
    assert bad == []
    assert all(event.authenticated for event in told if isinstance(event, MessageDelivered))
    assert not readable(regatta, text)


async def test_sr01_stripped_on_its_way_to_the_focus_it_fails_where_its_writer_sees_it(regatta: Regatta) -> None:
    """SR-01, SR-02: the focus takes no plain text into an encrypted group. It goes in no other form; nobody is told anything else."""
    text = "start at five, in a transparent envelope"
    regatta.hand.order(Order(Attack.STRIP, 1, sender=ANA))
    sent = await regatta.group.send(text)
    told = await regatta.until(ANA, lambda events: any(_failed(event, sent) for event in events))
    assert [event.status for event in told if _failed(event, sent)] == [403]  # type: ignore[attr-defined]
    for number in (BEN, CLEO):
        assert text not in [event.text for event in received(await regatta.events(number))]
    assert not readable(regatta, text)
    (shown,) = [message for message in await regatta.group.messages() if message.message_id == sent]
    assert shown.outcome is not None
    assert shown.outcome.reason == "the network forbids messages to this group", "its id would name it to nobody"
    await regatta.says("and in the usual one")


def _failed(event: Event, message_id: str) -> bool:
    return isinstance(event, MessageFailed) and event.message_id == message_id


def readable(regatta: Regatta, text: str) -> bool:
    """Whether it stands anywhere in what the carrier has seen."""
    streams = read_wire_log(regatta.folder / "wire.log").visible()
    return any(text.encode() in stream.data for stream in streams)
