"""SR-06: SIGKILL of the gateway at each of its checkpoints, with messages under way in both directions.

What the network was told that we have arrives; what the client was told that the network has was handed over; a request
whose answer was on the disk goes to the network once.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.lab import ANA, BEN, Inbox, Lab, eventually, text
from gateway.process import GatewayProcess
from gateway.raw import enrolled, raw_link
from letterlock.carriage import NetworkResult, Outbound
from letterlock.codec.gateway import RequestId, Result, Send
from letterlock.errors import TransportError
from letterlock.services.gateway.house import CHECKPOINTS
from letterlock.transport.gateway.requests import named
from letterlock.transport.gateway.transport import GatewayTransport
from letterlock.transport.rcs.transport import RcsTransport

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

COUNT = 12


@contextlib.asynccontextmanager
async def place(folder: Path) -> AsyncIterator[tuple[Lab, GatewayProcess]]:
    lab = Lab(folder)
    await lab.carrier.start()
    process = GatewayProcess(folder, lab.carrier)
    try:
        yield lab, process
    finally:
        await lab.closing.aclose()
        await process.kill()
        await lab.carrier.close()


async def handed_over(transport: GatewayTransport | RcsTransport, outbound: Outbound) -> NetworkResult:
    """As the engine does it: the same again until the network has it."""
    while True:
        try:
            result = await transport.send(outbound)
        except TransportError:
            await asyncio.sleep(0.05)
            continue
        if result.accepted:
            return result
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
async def test_sr06_killed_at_each_checkpoint(tmp_path: Path, checkpoint: str) -> None:
    async with place(tmp_path) as (lab, process):
        await process.start(kill_at=checkpoint, nth=4)
        lab.port = process.port
        anas, bens = Inbox(), Inbox()
        ana, ben = await lab.native(ANA, anas), await lab.linked(BEN, bens)
        down = [text(ANA, BEN, f"down {at}") for at in range(COUNT)]
        up = [text(BEN, ANA, f"up {at}") for at in range(COUNT)]

        async def each(transport: GatewayTransport | RcsTransport, outbounds: list[Outbound]) -> None:
            for outbound in outbounds:
                await handed_over(transport, outbound)

        async with asyncio.timeout(40):
            sending = asyncio.gather(each(ana, down), each(ben, up))
            assert await process.died() == -signal.SIGKILL, f"{checkpoint} was not passed"
            await process.start()
            await sending
            await eventually(lambda: {i.message_id for i in bens.got} == {o.message_id for o in down}, 20)
            await eventually(lambda: {i.message_id for i in anas.got} == {o.message_id for o in up}, 20)
        # What came twice came as the same bytes, which the engine knows; and not more often than something ended.
        for inbox, outbounds in ((bens, down), (anas, up)):
            bodies = {outbound.message_id: outbound.body for outbound in outbounds}
            assert all(bodies[inbound.message_id] == inbound.body for inbound in inbox.got)
        often = Counter(inbound.message_id for inbound in anas.got)
        assert sum(often.values()) - len(often) <= 1
        if checkpoint == "result.committed":
            assert max(often.values()) == 1  # the answer was remembered: nothing goes out again


async def test_sr06_a_client_that_was_killed_asks_again_and_nothing_goes_out_twice(tmp_path: Path) -> None:
    """The answer was given to a process that is no more; the next one asks for the same."""
    async with place(tmp_path) as (lab, process):
        await process.start()
        lab.port = process.port
        anas = Inbox()
        await lab.native(ANA, anas)
        config, outbound = await enrolled(lab.config(BEN)), text(BEN, ANA, "once")
        asked = named(
            Send(
                RequestId(bytes(16)),
                outbound.to,
                outbound.message_id,
                outbound.conversation,
                outbound.content_type,
                outbound.body,
            )
        )
        async with raw_link(config) as link:
            await link.hello()
            await link.say(asked)
            assert (await link.next(Result)).accepted
        # Here it is killed, before it has said that it has the answer; and the gateway as well.
        await process.kill()
        await process.start()
        again = await lab.linked(BEN)
        assert (await again.send(outbound)).accepted
        assert (await again.send(text(BEN, ANA, "another"))).accepted
        await eventually(lambda: len(anas.got) == 2)
        assert anas.texts == ["once", "another"]
        # Settled by now: the same is a new attempt, as the engine means it when no receipt came.
        assert (await again.send(outbound)).accepted
        await eventually(lambda: anas.texts == ["once", "another", "once"])
