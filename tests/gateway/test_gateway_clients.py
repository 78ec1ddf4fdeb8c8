"""Whole clients through a gateway: the scenarios of tests/client, and SIGKILL of a phone at its checkpoints.

The engine does not notice: the same conversation, the same checks, over the same carrier, with a gateway in between.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from client.phones import ANA, BEN, event, texts
from client.test_crash_sender_receiver import _check, _converse, _delivered, _shown_once
from gateway.client_lab import GatewayLab
from gateway.lab import eventually
from letterlock.client import Client, GatewayAccount
from letterlock.engine.events import GroupJoined, MessageDelivered, MessageReceived
from letterlock.engine.security import Security
from letterlock.errors import GatewayError, InputError

pytestmark = [pytest.mark.anyio]

CAM = "+15550155"


def opened(lab: GatewayLab, path: Path) -> Client:
    return Client.open(path, passphrase="tulip", environment=lab.environment)


async def test_two_clients_talk_encrypted_and_in_a_group(tmp_path: Path) -> None:
    async with GatewayLab.running(tmp_path) as lab:
        paths = [await lab.create(number) for number in (ANA, BEN, CAM)]
        async with opened(lab, paths[0]) as ana, opened(lab, paths[1]) as ben, opened(lab, paths[2]) as cam:
            chat = await ana.chat(BEN)
            sent = await chat.send("hi ben")
            assert await texts(ben, 1) == ["hi ben"]
            assert chat.security is Security.ENCRYPTED
            assert (await event(ana, MessageDelivered)).event.message_id == sent
            group = await ana.create_group([BEN, CAM], "Hikers")
            await event(cam, GroupJoined)
            await group.send("up we go")
            assert await texts(cam, 1) == ["up we go"]
            await (await cam.group(group.name)).send("coming")
            received = await event(ben, MessageReceived, where=lambda e: e.text == "coming")
            assert received.event.sender == CAM
        assert lab.watch.reused() == []
        assert lab.watch.frames


async def test_one_client_of_the_gateway_and_one_that_speaks_with_the_carrier_itself(tmp_path: Path) -> None:
    async with GatewayLab.running(tmp_path) as lab:
        ana = await lab.create(ANA)
        ben = await super(GatewayLab, lab).create(BEN)
        async with opened(lab, ana) as a:
            await (await a.chat(BEN)).send("before you came", wait=True)
            async with opened(lab, ben) as b:
                assert await texts(b, 1) == ["before you came"]
        # Ana is away: the gateway keeps what Ben says.
        async with opened(lab, ben) as b:
            await (await b.chat(ANA)).send("while you were away")
            await b.settled()
        async with opened(lab, ana) as a:
            assert await texts(a, 1) == ["while you were away"]


async def test_sr06_a_message_whose_answer_was_lost_goes_out_again_and_is_shown_once(tmp_path: Path) -> None:
    """The network has it, and the gateway could not write that down: the same bytes under the same id, which Ben knows."""
    passed: list[str] = []

    def checkpoint(name: str) -> None:
        passed.append(name)
        if name == "result.before" and passed.count(name) == 1:
            raise RuntimeError

    async with GatewayLab.running(tmp_path, checkpoint=checkpoint) as lab:
        ana = await lab.create(ANA)
        ben = await super(GatewayLab, lab).create(BEN)
        async with opened(lab, ben):
            pass  # away: or his receipt would say that he has it, and nothing would go again
        async with opened(lab, ana) as a:
            chat = await a.chat(BEN)
            await chat.send("once", wait=True)
            await eventually(lambda: passed.count("result.before") == 2, 30)  # it went out twice
            await chat.send("after", wait=True)
            await eventually(lambda: passed.count("result.committed") == 2)
            async with opened(lab, ben) as b:
                assert await texts(b, 2) == ["once", "after"]
        assert lab.watch.reused() == []


async def test_the_settings_are_kept_and_a_wrong_password_is_heard_of_at_set_up(tmp_path: Path) -> None:
    async with GatewayLab.running(tmp_path) as lab:

        async def code() -> str:
            return lab.codes[ANA]

        async def create(account: GatewayAccount) -> None:
            await Client.create(
                tmp_path / "ana", ANA, directory=lab.directory.url, code=code, gateway=account,
                passphrase="tulip", environment=lab.environment,
            )  # fmt: skip

        right = GatewayAccount.new(lab.gateway.url, "lab", ANA, "lab")
        with pytest.raises(GatewayError) as refused:
            await create(dataclasses.replace(right, password="wrong"))
        assert refused.value.code == "gateway.unauthenticated"
        with pytest.raises(InputError):
            GatewayAccount.new("http://gateway.example.net", "lab", ANA, "lab")
        await create(right)
        assert "lab" not in repr(right).replace("letterlock", "")
        async with opened(lab, tmp_path / "ana") as me:
            # Nobody has that number; the gateway has asked the carrier.
            assert await (await me.chat(BEN)).capabilities() == ()


@pytest.mark.slow
@pytest.mark.parametrize("checkpoint", ["transmit.after", "receive.committed"])
async def test_sr06_a_phone_of_the_gateway_is_killed(tmp_path: Path, checkpoint: str) -> None:
    async with GatewayLab.running(tmp_path) as lab:
        paths = await lab.create(ANA), await lab.create(BEN)
        ben = await lab.phone(paths[1])
        ana = await lab.phone(paths[0], kill_at=checkpoint, nth=2)
        await _converse(lab, ana, ben, ["before"])
        ana.say(arm=True)
        await _converse(lab, ana, ben, ["one", "two", "three"])
        ana.say(send=[BEN, "four"])
        assert await ana.died(), f"{checkpoint} was not passed twice"
        again = await lab.phone(paths[0])
        await _converse(lab, again, ben, ["after"])
        promised = {**ana.sent, **again.sent}
        await _delivered(again, set(promised.values()))
        await _delivered(ben, set(ben.sent.values()))
        _shown_once(ben)
        _shown_once(ana, again)
        await again.quit()
        await ben.quit()
        await _check(lab, paths, promised, ben.sent)
