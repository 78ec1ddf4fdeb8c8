"""SIGKILL between the commit of an attempt and its answer: nothing is lost, nothing goes out twice within its window (SR-06)."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import os
import sys
from pathlib import Path

import pytest

import letterlock

from .push_lab import assert_apart

pytestmark = pytest.mark.anyio
WINDOW_MS = 200


async def run(folder: Path, kill_at: int, when: str, first: int, count: int) -> list[str]:
    """What the process printed."""
    script = Path(__file__).parent / "push_process.py"
    env = {**os.environ, "PYTHONPATH": str(Path(letterlock.__file__).parents[1])}
    arguments = [str(folder / "push.db"), str(folder / "log"), str(kill_at), when, str(first), str(count)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), *arguments, stdout=asyncio.subprocess.PIPE, env=env
    )
    try:
        async with asyncio.timeout(20):
            printed, _ = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    assert process.returncode == (-9 if kill_at else 0)
    return printed.decode().splitlines()


@pytest.mark.slow
async def test_killed_again_and_again(tmp_path: Path) -> None:
    asked = 0
    for n, (kill_at, when) in enumerate([(1, "before"), (1, "after"), (3, "after"), (2, "before")]):
        asked += len(await run(tmp_path, kill_at, when, n * 5, 5))
    *_, last = await run(tmp_path, 0, "never", 100, 5)
    requested, counts = last.split(maxsplit=1)
    ended = ast.literal_eval(counts)
    assert int(requested) == sum(ended.values())
    assert asked + 5 <= int(requested) <= asked + 5 + 4, "one may have been committed and not told, at each kill"
    assert set(ended) == {"sent"}, "an attempt without an answer was made again, after its window"
    lines = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert len({device for device, _ in lines}) == int(requested), "whoever was to be woken was"
    assert_apart(((device, int(at)) for device, at in lines), WINDOW_MS)
    assert len(lines) > int(requested), "what went out before a kill counted as unknown, and went out again"
