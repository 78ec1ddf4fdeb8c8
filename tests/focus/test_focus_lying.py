"""The focus that lies, so that other tests can rely on its lies: what members with no signed log would believe."""

from __future__ import annotations

from pathlib import Path

import pytest

from focus.lying import LyingFocus
from focus.town import DOMAIN, FAST, Town, number

pytestmark = pytest.mark.anyio


def lying_town(folder: Path) -> Town:
    return Town(
        folder,
        focus=lambda proxy: LyingFocus(str(folder / "focus.db"), domain=DOMAIN, proxy=proxy, settings=FAST),
    )


async def test_a_ghost_and_rosters_that_differ(tmp_path: Path) -> None:
    async with lying_town(tmp_path) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        lies = town.focus.lies
        lies.ghosts[None] = (number(66),)
        lies.ghosts[bob.number] = (number(77),)
        lies.hidden[bob.number] = (carla.number,)
        await ana.create(bob.number, carla.number)
        await bob.attending()
        ana.subscribe()
        bob.subscribe()
        await ana.until(lambda device: set(device.members) == {ana.number, bob.number, carla.number, number(66)})
        await bob.until(lambda device: set(device.members) == {ana.number, bob.number, number(66), number(77)})


async def test_a_message_withheld_and_another_re_sent(tmp_path: Path) -> None:
    async with lying_town(tmp_path) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        await ana.create(bob.number, carla.number)
        town.focus.lies.withheld = lambda reader, sender, message_id: (reader, message_id) == (bob.number, "m-2")
        for i in (1, 2, 3):
            assert await ana.say(f"text {i}", message_id=f"m-{i}") == 200
        assert await carla.got(3) == ["text 1", "text 2", "text 3"]
        assert await bob.got(2) == ["text 1", "text 3"]
        assert town.focus.resend("m-1", reader=bob.number, sender=carla.number) == 1
        await bob.got(3)
        assert bob.inbox[2].sender == f"sip:{carla.number}@{DOMAIN}"
        assert bob.inbox[2].body == b"text 1"
