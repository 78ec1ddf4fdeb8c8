"""What the carrier says that others can do, through two real profiles: asked, kept, told when it changes, never believed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from client.lab import Lab
from client.phones import ANA, BEN, event, texts
from letterlock.client import Client
from letterlock.engine.events import CapabilitiesChanged, MessageReceived
from letterlock.engine.security import Security

pytestmark = pytest.mark.anyio


async def test_a_change_is_told_and_takes_nothing_off_the_encryption(tmp_path: Path) -> None:
    """SR-02: a phone that offers less, or a carrier that says so, changes how a message goes and nothing else."""
    async with Lab.running(tmp_path) as lab:
        ana_path, ben_path = await lab.create(ANA), await lab.create(BEN)
        pager = dataclasses.replace(lab.environment, sessions=False)
        async with Client.open(ana_path, passphrase="tulip", environment=lab.environment) as ana:
            chat = await ana.chat(BEN)
            async with Client.open(ben_path, passphrase="tulip", environment=lab.environment) as ben:
                await chat.send("first")
                assert await texts(ben, 1) == ["first"]
                before = await chat.capabilities()
                assert before is not None and "oma.cpm.session" in before
            async with Client.open(ben_path, passphrase="tulip", environment=pager) as ben:
                await chat.send("so that Ben is there")
                await texts(ben, 2)
                # What is known is not asked again; a fresh question brings the change.
                assert await chat.capabilities() == before
                now = await chat.capabilities(fresh=True)
                assert now is not None and set(before) - set(now) == {"oma.cpm.session", "oma.cpm.session.group"}
                told = (await event(ana, CapabilitiesChanged)).event
                assert told == CapabilitiesChanged(chat.number, now, before)
                assert chat.security is Security.ENCRYPTED
                sent = await chat.send("second")
                received = (await event(ben, MessageReceived, where=lambda each: each.message_id == sent)).event
                assert received.text == "second" and received.encrypted
            # Nobody there: nobody knows, and what was known stays.
            assert await chat.capabilities(fresh=True) is None
            assert await chat.capabilities() == now
