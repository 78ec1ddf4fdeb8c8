"""The same with a proxy that we did not write: Kamailio is stopped and started in mid-session, and its relay with it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from e2e.world import Phone
from faults.lab import LARGE, ROOMY, SOON, Lab
from interop.kamailio import LAB_PASSWORD, Kamailio, missing
from letterlock.engine.events import MessageExpired, MessageFailed
from letterlock.ids import Number
from letterlock.transport.rcs.presence import RcsState

pytestmark = [pytest.mark.anyio, pytest.mark.kamailio]

ANA, BEN = Number("+15550170"), Number("+15550171")
# The relay of Kamailio holds whole chunks.
_RELAYED = {"chunk": 2048}


class KamailioAsCarrier:
    """What the lab asks of a carrier, of Kamailio. It is started and stopped by the test."""

    def __init__(self, kamailio: Kamailio, lab: KamailioLab) -> None:
        self._kamailio = kamailio
        self._lab = lab
        self.port = kamailio.tcp_port
        self.domain = kamailio.domain
        self.msrp_uri = f"msrp://127.0.0.1:{kamailio.msrp_port};tcp"

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def online(self, number: Number) -> int:
        return sum(
            transport.real.status.state is RcsState.REGISTERED
            for transport in self._lab.transports.values()
            if transport.real._config.number == number
        )


class KamailioLab(Lab):
    kamailio: Kamailio

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.carrier = KamailioAsCarrier(self.kamailio, self)  # type: ignore[assignment]

    async def halt(self) -> None:
        await asyncio.to_thread(self.kamailio.halt)

    async def restart_carrier(self) -> None:
        await self.halt()
        await asyncio.to_thread(self.kamailio.start)


@pytest.fixture(scope="module")
def kamailio() -> Iterator[Kamailio]:
    if reason := missing():
        pytest.skip(reason)
    with Kamailio(lab_password=LAB_PASSWORD) as running:
        yield running


@pytest.fixture
async def lab(kamailio: Kamailio, tmp_path: Path) -> AsyncIterator[KamailioLab]:
    KamailioLab.kamailio = kamailio
    async with KamailioLab.open(tmp_path) as lab:
        assert isinstance(lab, KamailioLab)
        yield lab


async def only_once(*phones: Phone) -> None:
    for phone in phones:
        await phone.client.settled()
        assert {text: count for text, count in Counter(await phone.heard()).items() if count > 1} == {}
        assert await phone.told(MessageFailed) == await phone.told(MessageExpired) == []


@pytest.mark.parametrize("relay", [False, True], ids=["direct", "relay"])
async def test_messages_in_flight(lab: KamailioLab, relay: bool) -> None:
    ana, ben = await lab.pair(
        ANA,
        BEN,
        limits=SOON,
        relay=relay,
        sessions=_RELAYED if relay else {},
        rcs={"max_pager": 0, "register_wait_s": 10},
    )
    sent = []

    async def talk(one: Phone, other: Phone) -> None:
        for number in range(20):
            text = f"{one.name} {number}"
            sent.append((one, other, text, await one.say(other.number, text)))
            if number % 5 == 0:
                await other.hears(text)

    talking = asyncio.gather(talk(ana, ben), talk(ben, ana))
    real = lab.transport_of(ana).real
    await lab.until(lambda: len(sent) > 8 and real.sessions.open_with(BEN))
    assert (real.media._relay is not None) is relay
    await lab.restart_carrier()
    await talking
    for one, other, text, message_id in sent:
        await other.hears(text)
        await lab.delivered(one, message_id)
    await only_once(ana, ben)


@pytest.mark.parametrize("relay", [False, True], ids=["direct", "relay"])
async def test_a_large_body(lab: KamailioLab, relay: bool) -> None:
    """Three of them, one after the other; the proxy goes down behind the first."""
    ana, ben = await lab.pair(
        ANA, BEN, limits=ROOMY, relay=relay, sessions=_RELAYED if relay else {}, rcs={"register_wait_s": 10}
    )
    sent = [await ana.say(BEN, f"{number} {LARGE}") for number in range(3)]
    await ben.hears(f"0 {LARGE}")
    assert len(lab.transport_of(ana).real.sessions)
    await lab.restart_carrier()
    sent.append(await ana.say(BEN, "and a small one"))
    for message_id in sent:
        await lab.delivered(ana, message_id)
    for number in range(3):
        await ben.hears(f"{number} {LARGE}")
    await only_once(ana, ben)
