"""The security code of somebody who is known by RCC.16 alone: both keys are asked for before it is shown."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

from e2e.rcc16_town import RCC16, Person, town
from letterlock.engine import events as ev
from letterlock.ids import Number

ANA, BEN = Number("+15550100"), Number("+15550199")


def test_the_code_is_of_the_keys_that_the_server_has_now(tmp_path: Path) -> None:
    """SR-13: and nobody's packages are drained by looking twice."""
    asyncio.run(_the_code_is_of_the_keys_that_the_server_has_now(tmp_path))


async def _the_code_is_of_the_keys_that_the_server_has_now(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        ana, ben = await place.person(ANA, RCC16), await place.person(BEN, RCC16)
        for person in (ana, ben):  # nobody has signed lists of the other, as of a number of another vendor
            await person.go()
            person.environment = replace(person.environment, directory=lambda *_: None)
            await person.come()
        chat = await ana.client.chat(BEN)
        await chat.send("hello")
        await ben.until(lambda events: any(isinstance(event, ev.MessageReceived) for event in events))
        await ana.client.settled()
        first = await chat.fresh_code()
        assert first.fresh and first.fetched_at > 0
        assert first.code.digits == (await (await ben.client.chat(ANA)).fresh_code()).code.digits
        again = await chat.fresh_code()
        assert not again.fresh and again.code == first.code
        assert not [event for event in await ana.events() if isinstance(event, ev.KeysChanged)]


def test_the_code_of_somebody_with_a_new_phone_is_that_of_the_new_phone(tmp_path: Path) -> None:
    """Also where that phone has not spoken yet; and the change is told."""
    asyncio.run(_the_code_of_somebody_with_a_new_phone(tmp_path))


async def _the_code_of_somebody_with_a_new_phone(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        ana, ben = await place.person(ANA, RCC16), await place.person(BEN, RCC16)
        chat = await ana.client.chat(BEN)
        await chat.send("hello")
        await ben.until(lambda events: any(isinstance(event, ev.MessageReceived) for event in events))
        await ana.client.settled()
        before = await chat.security_code()
        await ben.go()
        ben.folder.rename(tmp_path / "lost")
        await _a_second_later()
        await _has_packages(await place.person(BEN, RCC16))
        shown = await chat.fresh_code()
        assert shown.fresh and shown.code != before
        assert {event.chat for event in await ana.events() if isinstance(event, ev.KeysChanged)} == {BEN}
        assert chat.security.value == "keys-new"


async def _has_packages(person: Person) -> None:
    """Until then the server hands out those of the phone before."""
    async with asyncio.timeout(60):
        while True:
            found = await person.client.certificate()
            if found is not None and found.packages:
                return
            await person.client.settled()
            await asyncio.sleep(0)


async def _a_second_later() -> None:
    """What proves a number ends at a whole second, and the later one counts: no operator sends two codes within one."""
    began = int(time.time())
    while int(time.time()) == began:
        await asyncio.sleep(0.05)
