"""The focus when two things happen at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from focus.town import Town, number

pytestmark = pytest.mark.anyio


async def test_two_devices_that_make_the_same_conference_at_once_make_one(tmp_path: Path) -> None:
    """The id is the group's: a member with two phones must not be in two conferences of one group."""
    async with Town(tmp_path) as town:
        phone, tablet = town.device(1), town.device(1, "2")
        await asyncio.gather(
            phone.create(number(2), contribution="group"), tablet.create(number(2), contribution="group")
        )
        assert len(town.focus._rooms.all()) == 1
        assert not town.focus._rooms._locks
        assert not town.focus._rooms._creating
