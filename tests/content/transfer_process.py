"""One upload or download in a process of its own, to be killed: reads a JSON object, prints progress and the outcome."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import resource
import sys
import time
from typing import Any

from letterlock.errors import LetterlockError
from letterlock.transport.content.client import ContentClient
from letterlock.transport.content.config import ContentSettings, DownloadState, ServerAccount, UploadState


def say(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


async def main(task: dict[str, Any]) -> None:
    def progress(done: int, total: int | None) -> None:
        say(done=done)

    async def keep(state: DownloadState) -> None:
        say(tag=state.tag, announced=None if state.announced is None else state.announced.hex())

    if "most" in task:
        resource.setrlimit(resource.RLIMIT_FSIZE, (task["most"], task["most"]))
    settings = ContentSettings(block=task.get("block", 65_536), first_pause_s=0.05)
    account = ServerAccount(task["url"], "+15550100", "x")
    now = lambda: time.time_ns() // 1_000_000  # noqa: E731
    async with ContentClient(account, rng=os.urandom, now=now, settings=settings) as client:
        try:
            if "upload" in task:
                document = await client.upload(UploadState(**task["upload"]), progress)
                say(file=document.file.url, size=document.file.size)
            else:
                given = task["download"]
                announced = bytes.fromhex(given["announced"]) if given.get("announced") else None
                state = dataclasses.replace(DownloadState(**{**given, "announced": None}), announced=announced)
                say(path=(await client.download(state, progress, keep)).path)
        except LetterlockError as error:
            say(error=error.code)
    say(memory_kib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


asyncio.run(main(json.loads(sys.argv[1])))
