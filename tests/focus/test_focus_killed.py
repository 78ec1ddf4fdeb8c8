"""SIGKILL at each commit of the focus: what was acknowledged is handed out, once and in order (SR-06)."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from focus.town import Town

pytestmark = pytest.mark.anyio


class FocusProcess:
    """A focus as `Town` needs it: started, closed, with a port."""

    def __init__(self, database: Path, proxy: tuple[str, int], kill_at: int, when: str) -> None:
        self.port = 0
        self._arguments = (str(database), str(proxy[1]), str(kill_at), when)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        tests = Path(__file__).parent.parent
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(tests / "focus" / "focus_process.py"),
            *self._arguments,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": f"{tests.parent / 'src'}:{tests}"},
        )
        assert self._process.stdout is not None
        self.port = int(await self._process.stdout.readline())

    async def died(self) -> None:
        assert self._process is not None
        async with asyncio.timeout(20):
            await self._process.wait()

    async def close(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kill_at", [1, 2, 3, 5, 8])
async def test_nothing_acknowledged_is_lost(tmp_path: Path, kill_at: int, when: str) -> None:
    kills = [kill_at, 0]
    town = Town(tmp_path, focus=lambda proxy: FocusProcess(tmp_path / "focus.db", proxy, kills.pop(0), when))
    async with town:
        ana, bob = town.device(1), town.device(2)
        bob.answers = None
        created = await _tried(ana.create(bob.number))
        acknowledged = []
        if created == 200:
            for i in range(8):
                if await _tried(ana.say(f"m{i}", message_id=f"m{i}")) != 200:
                    break
                acknowledged.append(f"m{i}")
        await town.focus.died()
        await town.stop_focus()

        await town.start_focus()
        # The member restarts what it believes to be gone; a conference of which it has heard is still the same one.
        before = ana.focus
        assert await ana.create(bob.number) == 200
        assert created != 200 or ana.focus == before
        for i in range(len(acknowledged), 9):
            # What was not acknowledged is sent again under the same id, whether it was kept or not.
            assert await ana.say(f"m{i}", message_id=f"m{i}") == 200
        bob.answers = True
        assert await bob.got(9) == [f"m{i}" for i in range(9)]
        assert await ana.say("end") == 200
        assert await bob.got(10) == [*(f"m{i}" for i in range(9)), "end"]


async def _tried(work: object) -> int:
    """The status, 0 when the focus died over it."""
    try:
        return await asyncio.wait_for(work, 5)  # type: ignore[arg-type]
    except (TimeoutError, AssertionError):
        return 0
