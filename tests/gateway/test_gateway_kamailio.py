"""The same through Kamailio, which we did not write: by request and over a session, and its restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.lab import ANA, BEN, QUICK, SECRET, Inbox, Lab, eventually, text
from interop.kamailio import LAB_PASSWORD, Kamailio, missing
from letterlock.services.gateway import CarrierProfile, Gateway
from letterlock.transport.gateway.transport import GatewayTransport

pytestmark = [pytest.mark.anyio, pytest.mark.kamailio]


@pytest.fixture
def kamailio() -> Iterator[Kamailio]:
    if reason := missing():
        pytest.skip(reason)
    with Kamailio(lab_password=LAB_PASSWORD) as running:
        yield running


async def test_through_kamailio_and_its_restart(tmp_path: Path, kamailio: Kamailio) -> None:
    profile = CarrierProfile(
        "127.0.0.1",
        kamailio.tcp_port,
        kamailio.domain,
        tls=False,
        msrp_relay=f"msrp://127.0.0.1:{kamailio.msrp_port};tcp",
    )
    gateway = Gateway(str(tmp_path / "gateway.db"), profile, Lab.password, SECRET)
    await gateway.start()
    lab, anas, bens = Lab(tmp_path), Inbox(), Inbox()
    made = []
    for number, inbox in ((ANA, anas), (BEN, bens)):
        config = lab.config(number, url=gateway.url, sip_password=LAB_PASSWORD)
        made.append(GatewayTransport(config, inbox.take, settings=QUICK))
    ana, ben = made
    try:
        for each in made:
            await each.start()
        async with asyncio.timeout(15):
            await asyncio.gather(ana.registered(), ben.registered())
        assert (await ana.send(text(ANA, BEN, "by request"))).accepted
        large = text(BEN, ANA, "x" * 60_000)
        assert (await ben.send(large)).accepted
        await eventually(lambda: bens.texts == ["by request"] and [i.body for i in anas.got] == [large.body])
        await asyncio.to_thread(kamailio.halt)
        await eventually(lambda: not ana._registered.is_set())
        await asyncio.to_thread(kamailio.start)
        async with asyncio.timeout(30):
            await asyncio.gather(ana.registered(), ben.registered())
        assert (await ana.send(text(ANA, BEN, "after its restart"))).accepted
        await eventually(lambda: bens.texts[-1] == "after its restart")
    finally:
        for each in made:
            await each.close()
        await gateway.close()
