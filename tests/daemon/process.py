"""`letterlock daemon` as a process of its own, which may be killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from daemon.town import Town
from daemon.visitor import Visitor

__all__ = ["Process", "environment", "serving"]


def environment(both: Town) -> dict[str, str]:
    """Of a process that works with the profiles of a town."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(part for part in sys.path if part),
        "LETTERLOCK_PASSPHRASE": "tulip",
        "XDG_STATE_HOME": str(both.folder / "state"),
    }


class Process:
    """`said` is what it printed as JSON: url, login, socket."""

    def __init__(
        self, process: asyncio.subprocess.Process, said: dict[str, str], session: aiohttp.ClientSession
    ) -> None:
        self.process, self.said = process, said
        self.program = Visitor(session, "http://localhost", {})

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


@contextlib.asynccontextmanager
async def serving(
    both: Town, folder: Path, *arguments: str, verb: str = "daemon", **more: Any
) -> AsyncIterator[Process]:
    """Killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "letterlock", verb, "--profile", str(folder), "-o", "json", *arguments),
        env=environment(both),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        **more,
    )
    try:
        assert process.stdout is not None and process.stderr is not None
        async with asyncio.timeout(60):
            line = await process.stdout.readline()
            assert line, (await process.stderr.read()).decode()
        said = json.loads(line)
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(said["socket"])) as session:
            yield Process(process, said, session)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
