"""The proxy is restarted in mid-session: what it knew is gone, and nothing of what was said is lost or shown twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from e2e.world import ANA, BEN, Phone
from faults.lab import LARGE, ROOMY, SOON, Lab
from faults.middlebox import Middlebox, Plan
from letterlock.carrier.msrp_tap import MsrpInterference, MsrpSeen
from letterlock.engine.events import MessageAccepted, MessageDelivered, MessageExpired, MessageFailed
from letterlock.transport.rcs.presence import RcsState

pytestmark = pytest.mark.anyio

_KINDS = pytest.mark.parametrize("encrypted", [True, False], ids=["encrypted", "plain"])


async def only_once(lab: Lab, *phones: Phone) -> None:
    """Nothing was shown twice, and nothing has failed."""
    for phone in phones:
        await phone.client.settled()
        assert {text: count for text, count in Counter(await phone.heard()).items() if count > 1} == {}
        assert await phone.told(MessageFailed) == await phone.told(MessageExpired) == []


async def ended(lab: Lab, sender: Phone, message_id: str, encrypted: bool) -> None:
    """Its sender knows that it is there: from the other end, or without encryption from the network."""
    if encrypted:
        await lab.delivered(sender, message_id)
    else:
        # Or from an unauthenticated receipt that came before the network's answer.
        await sender.seen(MessageAccepted | MessageDelivered, lambda event: event.message_id == message_id)  # type: ignore[arg-type]


@_KINDS
async def test_a_half_sent_large_body_over_the_relay(tmp_path: Path, encrypted: bool) -> None:
    """The relay, which is the proxy's, goes down with half of it; sessions come up again over the new one."""
    async with Lab.open(tmp_path) as lab:
        make = lab.pair if encrypted else lab.plain_pair
        ana, ben = await make(ANA, BEN, limits=ROOMY, relay=True)
        half = asyncio.Event()

        def hold(seen: MsrpSeen) -> MsrpInterference | None:
            if seen.request.byte_range is not None and seen.request.byte_range.start > 30_000:
                half.set()
                return MsrpInterference()
            return None

        lab.msrp_rules.append(hold)
        sent = await ana.say(BEN, LARGE)
        async with asyncio.timeout(10):
            await half.wait()
        await lab.stop_carrier()
        lab.msrp_rules.clear()
        meanwhile = await ana.say(BEN, "while the proxy is away")
        await lab.start_carrier()
        await ended(lab, ana, sent, encrypted)
        await ended(lab, ana, meanwhile, encrypted)
        assert (await ben.hears(LARGE)).encrypted is encrypted
        await ben.hears("while the proxy is away")
        await only_once(lab, ana, ben)


@_KINDS
async def test_a_half_sent_large_body_over_a_connection_of_their_own(tmp_path: Path, encrypted: bool) -> None:
    """The connection survives, its dialog does not: both ends give it up and open another."""
    async with Lab.open(tmp_path) as lab, Middlebox.open() as box:
        lab.sip_rules.append(box.rule)
        make = lab.pair if encrypted else lab.plain_pair
        ana, ben = await make(ANA, BEN, limits=ROOMY)
        box.plans.append(Plan(hold_forward=30_000))
        sent = await ana.say(BEN, LARGE)
        await box.until(lambda: box.passed and len(box.passed[-1].forward) > 30_000)
        await lab.restart_carrier()
        await ended(lab, ana, sent, encrypted)
        assert (await ben.hears(LARGE)).encrypted is encrypted
        assert len(box.passed) > 1, "another session carried it"
        await only_once(lab, ana, ben)


@_KINDS
@pytest.mark.parametrize("relay", [False, True], ids=["direct", "relay"])
async def test_many_messages_in_flight_in_a_session(tmp_path: Path, relay: bool, encrypted: bool) -> None:
    """Both talk all the time while the proxy is restarted, twice."""
    async with Lab.open(tmp_path) as lab:
        make = lab.pair if encrypted else lab.plain_pair
        ana, ben = await make(ANA, BEN, limits=SOON, relay=relay, rcs={"max_pager": 0})
        sent = []

        async def talk(one: Phone, other: Phone) -> None:
            for number in range(40):
                text = f"{one.name} {number}"
                sent.append((one, other, text, await one.say(other.number, text)))
                if number % 8 == 0:
                    await other.hears(text)

        talking = asyncio.gather(talk(ana, ben), talk(ben, ana))
        for least in (10, 40):
            await lab.until(lambda least=least: len(sent) > least)  # type: ignore[misc]
            await lab.restart_carrier()
        await talking
        for one, other, text, message_id in sent:
            await other.hears(text)
            await ended(lab, one, message_id, encrypted)
        assert sum(len(lab.asked("INVITE", phone.number)) for phone in (ana, ben)) >= 2
        await only_once(lab, ana, ben)


async def test_the_user_sees_why_and_that_it_goes_on(tmp_path: Path) -> None:
    """While the proxy is away the state says so, and each message waits with a reason."""
    async with Lab.open(tmp_path) as lab:
        ana, ben = await lab.pair(ANA, BEN, limits=SOON, rcs={"register_wait_s": 0.05})
        transport = lab.transport_of(ana)
        await lab.stop_carrier()
        await lab.until(lambda: transport.real.status.state is not RcsState.REGISTERED)
        sent = await ana.say(BEN, "is anybody there?")
        await lab.until(lambda: bool(transport.answers(sent)))
        (error,) = transport.answers(sent)[:1]
        assert isinstance(error, Exception)
        assert getattr(error, "code", "") == "transport.offline"
        assert getattr(error, "hint", "") == "the message is kept and sent when the carrier can be reached"
        assert transport.real.status.reason
        await lab.start_carrier()
        await lab.delivered(ana, sent)
        await lab.once(ben, "is anybody there?")
