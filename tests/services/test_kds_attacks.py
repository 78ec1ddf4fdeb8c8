"""Who wants to make others unreachable, or the server slow: with a valid account, without one, and as another server."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest
from aiohttp import web

from letterlock.codec import kds as codec
from letterlock.conversation_seam import ClaimOutcome
from letterlock.errors import KdsError
from letterlock.ids import Number
from letterlock.services.buckets import Rate
from letterlock.services.kds import Routing
from letterlock.services.kds.federation import CLAIM_PATH
from rcc16.certificates import CRYPTO, key_pair
from services.kds_lab import ANA, BEN, DAY, EASY, Device, Key, Town, Turning, ask, signed

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("both_databases")]

MALLORY, TRENT = Number("+15550666"), Number("+15550777")


async def _claim(device: Device) -> ClaimOutcome:
    return (await device.client.claim([BEN]))[BEN].outcome


async def test_sr13_one_account_does_not_use_up_anothers_last_resort(tmp_path: Path) -> None:
    """Whoever has emptied a pool keeps nobody else from the package that is left."""
    limits = dataclasses.replace(EASY, last_resort=Rate(5, DAY), last_resort_by_one=Rate(2, DAY))
    async with Town.open(tmp_path, limits=limits) as town:
        mallory, ana, ben = [await town.enrolled(who) for who in (MALLORY, ANA, BEN)]
        await ben.publish(1)
        outcomes = [await _claim(mallory) for _ in range(8)]
        assert outcomes == [ClaimOutcome.SERVED] * 3 + [ClaimOutcome.REFUSED] * 5
        assert await _claim(ana) is ClaimOutcome.SERVED


async def test_sr13_one_account_does_not_empty_anothers_pool_again_and_again(tmp_path: Path) -> None:
    limits = dataclasses.replace(EASY, claims_of_one=Rate(4, 600_000), claims_of_one_a_day=Rate(6, DAY))
    async with Town.open(tmp_path, limits=limits) as town:
        mallory, ben = await town.enrolled(MALLORY), await town.enrolled(BEN)
        await ben.publish(20)
        served = 0
        for _ in range(4):
            served += [await _claim(mallory) for _ in range(4)].count(ClaimOutcome.SERVED)
            town.clock.now += 600_000
        assert served == 6


async def test_sr17_withdrawals_are_limited_because_they_are_remembered(tmp_path: Path) -> None:
    async with Town.open(tmp_path, limits=dataclasses.replace(EASY, withdrawals=Rate(3, DAY))) as town:
        mallory = await town.enrolled(MALLORY)
        for index in range(3):
            await mallory.client.withdraw(bytes([index]) * 16, mallory.account)
        with pytest.raises(KdsError) as caught:
            await mallory.client.withdraw(b"x" * 16, mallory.account)
        assert (caught.value.code, caught.value.status) == ("kds.rate", 429)


async def test_sr17_nobody_has_a_large_body_read(tmp_path: Path) -> None:
    """JSON of a megabyte keeps the event loop for tens of milliseconds: only an upload may be so large, and it is looked
    at when its sender is known."""
    large = b'{"a":[' + b"{}," * 200_000 + b"{}]}"
    async with Town.open(tmp_path) as town:
        mallory = await town.enrolled(MALLORY)
        nobody = town.device(TRENT)
        for path, sender in (
            ("/mls/v1/certificate", None),
            ("/mls/v1/keypackages/claim", mallory),
            ("/mls/v1/devices/withdraw", mallory),
        ):
            signature = None if sender is None else signed(sender, "POST", path, large)
            status, answer = await ask(town, "POST", path, large, signature)
            assert (status, answer["code"]) == (413, "kds.body"), path
        path = "/mls/v1/keypackages"
        status, answer = await ask(town, "POST", path, large, signed(nobody, "POST", path, large))
        assert (status, answer["code"]) == (401, "kds.unauthenticated")
        status, answer = await ask(town, "POST", path, large, signed(mallory, "POST", path, large))
        assert (status, answer["code"]) == (400, "kds.body")


async def test_a_new_signer_of_anchors_signs_a_list_of_its_own(tmp_path: Path) -> None:
    """Clients are told of the new signer: a list of the old one would be refused by all of them."""
    async with Town.open(tmp_path) as town:
        before = await town.device(ANA).client.anchors(town.anchor_source, None, CRYPTO)
        await town.restart(anchors_signer=Key(key_pair("another signer of anchors")))
        after = await town.device(BEN).client.anchors(town.anchor_source, before, CRYPTO)
        assert after.certificates == before.certificates
        assert after.generation == before.generation + 1


async def test_a_server_that_does_not_answer_holds_up_its_own_numbers_only(tmp_path: Path) -> None:
    asked, let_go = asyncio.Semaphore(0), asyncio.Event()

    async def silent(request: web.Request) -> web.Response:
        asked.release()
        await let_go.wait()
        return web.Response(status=500)

    app = web.Application()
    app.router.add_post(CLAIM_PATH, silent)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    clock = Turning()
    limits = dataclasses.replace(EASY, max_asked_at_once=2)
    try:
        async with (
            Town.open(tmp_path, str(tmp_path / "there.db"), name="there", kds=7, clock=clock) as there,
            Town.open(tmp_path, limits=limits, clock=clock) as here,
        ):
            peer = dataclasses.replace(there.as_peer(), url=f"http://127.0.0.1:{runner.addresses[0][1]}")
            await here.restart(limits, routing=Routing(2, [peer], [("+49", 7)]))
            mallory, ana, ben = [await here.enrolled(who) for who in (MALLORY, ANA, BEN)]
            await ben.publish(1)
            waiting = [asyncio.create_task(mallory.client.claim([Number(f"+4930100{n}")])) for n in range(2)]
            for _ in waiting:
                await asked.acquire()
            path, body = "/mls/v1/keypackages/claim", codec.encode(codec.ClaimRequest(Number("+49301009")))
            status, answer = await ask(here, "POST", path, body, signed(ana, "POST", path, body))
            assert (status, answer["code"]) == (503, "kds.peer")
            assert "wait" in answer["message"]
            assert await _claim(ana) is ClaimOutcome.SERVED
            let_go.set()
            await asyncio.gather(*waiting)
            status, answer = await ask(here, "POST", path, body, signed(ana, "POST", path, body))
            assert "500" in answer["message"] or "signed" in answer["message"]
    finally:
        let_go.set()
        await runner.cleanup()
