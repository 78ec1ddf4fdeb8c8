"""A directory in a process of its own that may kill itself: `directory_process.py DATABASE KILL_AT`.

It prints its URL, then one JSON line per code. With KILL_AT n > 0 it gets SIGKILL when the n-th bundle has
been handed out, after the commit and before a byte of the answer leaves.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

from aiohttp import web

from letterlock.services.directory import Directory, DirectoryLimits, IssuedCode, Rate

NOW = 1_790_000_000_000


async def main(database: str, kill_at: int) -> None:
    def show(issued: IssuedCode) -> None:
        print(json.dumps({"number": issued.number, "code": issued.code}), flush=True)

    plenty = Rate(100_000, 1000)
    limits = DirectoryLimits(bundles=plenty, bundles_of_one_device=plenty)
    directory = Directory(database, on_code=show, limits=limits, now=lambda: NOW)
    answered = 0

    async def die(request: web.Request, response: web.StreamResponse) -> None:
        nonlocal answered
        answered += request.path == "/v1/bundles"
        if answered == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    if kill_at:
        directory.app.on_response_prepare.append(die)
    await directory.start()
    print(directory.url, flush=True)
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
