"""SIGKILL at a commit of the focus's database while members change an MLS group: no accepted commit is lost, and no two
are accepted for one epoch (SR-06). Members that hear nothing send the same bytes again, as clients do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from focus.mls_town import Member, MlsTown
from focus.ordering import GROUP_ID
from focus.test_focus_killed import FocusProcess
from letterlock.rcc16.wire.control import ClientMessage

pytestmark = pytest.mark.anyio


class _Play:
    """What the members do, one thing after the other; goes on where it was interrupted."""

    def __init__(self, town: MlsTown) -> None:
        self.ana, self.bob, self.carla, self.dan = (town.member(index) for index in (1, 2, 3, 4))
        self.inside = [self.ana, self.bob, self.carla]
        self.asked: ClientMessage | None = None
        ana, bob, carla, dan = (each.phone for each in (self.ana, self.bob, self.carla, self.dan))
        self.steps: list[tuple[Member, Callable[[], ClientMessage]]] = [
            (self.ana, lambda: ana.found([bob, carla])),
            (self.bob, bob.commit),
            (self.carla, lambda: carla.add(dan)),
            (self.dan, dan.commit),
            (self.ana, ana.commit),
        ]

    async def come(self) -> None:
        """A member whose conference is not there any more makes it again."""
        ana = self.ana.device
        if not ana.focus or await ana.call(ana.focus) != 200:
            others = [each.device.number for each in self.inside[1:]]
            assert await ana.create(*others, contribution=GROUP_ID.decode()) == 200
        for each in self.inside[1:]:
            await each.device.attending() if not each.device.focus else await each.device.call(ana.focus)

    async def go(self) -> None:
        while self.steps:
            member, step = self.steps[0]
            if self.asked is None:
                self.asked = step()
            # A focus that has come back calls whom it has something for while they call it: one of the sessions goes.
            async with asyncio.timeout(20):
                while await member.send(self.asked) != 200:
                    await asyncio.sleep(0.05)
            await member.told(self.asked.message_id)
            assert self.asked.message_id in member.acceptances, member.refusals
            member.phone.accepted()
            self.asked = None
            self.steps.pop(0)
            if member is self.carla:
                self.inside.append(self.dan)
            for each in self.inside:
                if each is not member:
                    await each.took(member.phone.g.epoch)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kill_at", [3, 4, 5, 7])
async def test_no_accepted_commit_is_lost_and_no_two_win(tmp_path: Path, kill_at: int, when: str) -> None:
    kills = [kill_at, 0]
    town = MlsTown(tmp_path, focus=lambda proxy: FocusProcess(tmp_path / "focus.db", proxy, kills.pop(0), when))
    async with town:
        play = _Play(town)
        playing = asyncio.ensure_future(_played(play))
        await town.focus.died()
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
        await town.stop_focus()

        await town.start_focus()
        await play.come()
        await play.go()
        assert not play.steps
        assert len({each.phone.g.epoch_authenticator for each in play.inside}) == 1
        assert play.ana.phone.g.epoch == 5


async def _played(play: _Play) -> None:
    await play.come()
    await play.go()
