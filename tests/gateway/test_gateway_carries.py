"""Messages through a gateway: there and back, over ends of either side."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.lab import ANA, BEN, Inbox, Lab, eventually, text
from letterlock.transport.gateway.transport import GatewayState

pytestmark = pytest.mark.anyio


async def test_two_clients_of_one_gateway(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        anas, bens = Inbox(), Inbox()
        ana, ben = await lab.linked(ANA, anas), await lab.linked(BEN, bens)
        assert ana.status.state is GatewayState.REGISTERED
        for at in range(20):
            assert (await ana.send(text(ANA, BEN, f"to ben {at}"))).accepted
        assert (await ben.send(text(BEN, ANA, "to ana"))).accepted
        await eventually(lambda: len(bens.got) == 20 and len(anas.got) == 1)
        assert bens.texts == [f"to ben {at}" for at in range(20)]
        assert bens.got[0].sender == ANA
        assert bens.got[0].recipient == BEN


async def test_a_native_client_and_one_of_a_gateway(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        anas, bens = Inbox(), Inbox()
        ana, ben = await lab.native(ANA, anas), await lab.linked(BEN, bens)
        sent = text(ANA, BEN, "é" * 30_000)  # over a session
        assert (await ana.send(sent)).accepted
        assert (await ben.send(text(BEN, ANA, "ü" * 30_000))).accepted
        await eventually(lambda: bens.got and anas.got)
        assert bens.got[0].body == sent.body
        assert bens.got[0].message_id == sent.message_id
        assert "oma.cpm.msg" in (await ben.features(ANA) or ())


async def test_what_comes_while_the_client_is_away_waits_for_it(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        bens = Inbox()
        ana, ben = await lab.linked(ANA), await lab.linked(BEN, bens)
        await ben.close()
        for at in range(5):
            assert (await ana.send(text(ANA, BEN, f"{at}"))).accepted
        assert bens.got == []
        await lab.linked(BEN, bens)
        await eventually(lambda: len(bens.got) == 5)
        assert bens.texts == list("01234")


async def test_a_gateway_that_ends_and_begins_again_has_lost_nothing(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        bens = Inbox()
        ana, ben = await lab.native(ANA), await lab.linked(BEN, bens)
        await ben.close()
        assert (await ana.send(text(ANA, BEN, "before"))).accepted
        await lab.end()
        await lab.begin()
        assert len(lab.gateway._lines) == 1
        again = await lab.linked(BEN, bens)
        assert (await ana.send(text(ANA, BEN, "after"))).accepted
        await eventually(lambda: len(bens.got) == 2)
        assert bens.texts == ["before", "after"]
        assert (await again.send(text(BEN, ANA, "yes"))).accepted


async def test_a_client_links_again_by_itself(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        bens = Inbox()
        ana, ben = await lab.native(ANA), await lab.linked(BEN, bens)
        await lab.end()
        await eventually(lambda: ben.status.state is GatewayState.OFFLINE)
        await lab.begin()
        await ben.registered()
        assert (await ana.send(text(ANA, BEN, "hello again"))).accepted
        await eventually(lambda: bens.texts == ["hello again"])


async def test_a_number_that_is_nowhere_is_answered_as_the_carrier_answers(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        ana = await lab.linked(ANA)
        native = await lab.native(BEN)
        missing = "not a number of anybody"
        through = await ana.send(text(ANA, "+15550001", missing))  # type: ignore[arg-type]
        direct = await native.send(text(BEN, "+15550001", missing))  # type: ignore[arg-type]
        assert (through.accepted, through.status) == (direct.accepted, direct.status)


async def test_without_a_carrier_the_client_is_told_why(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        ana = await lab.linked(ANA)
        await lab.carrier.close()
        await eventually(lambda: ana.status.state is GatewayState.LINKED)
        assert "carrier" in ana.status.reason
        await lab.carrier.start()
