"""Conferences through the real edge: made, joined, changed, left, restarted; over loopback with a proxy of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from focus.town import DOMAIN, Town

pytestmark = pytest.mark.anyio


async def test_a_conference_and_a_message_to_all(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        assert await ana.create(bob.number, carla.number, subject="lunch") == 200
        assert ana.focus.startswith("sip:conf-")
        assert await ana.say("hello") == 200
        for device in (bob, carla):
            assert await device.got(1) == ["hello"]
            assert device.inbox[0].sender == f"sip:{ana.number}@{DOMAIN}"
            assert device.focus == ana.focus
            assert device.contribution == "c-1"
        assert ana.inbox == []
