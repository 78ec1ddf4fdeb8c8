"""A focus in a process of its own: `python focus_process.py DATABASE PROXY_PORT KILL_AT WHEN`; its SIP port goes to
standard output. With KILL_AT n > 0 it gets SIGKILL at its n-th commit: WHEN `before` it is done, or `after`, before
anybody has been told.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from focus.town import DOMAIN, FAST, NOW
from letterlock.services.focus import Focus, MlsSettings
from rcc16.certificates import CRYPTO, Lab


async def main(database: str, proxy: int, kill_at: int, when: str) -> None:
    mls = MlsSettings(Lab().anchors, CRYPTO)
    focus = Focus(database, domain=DOMAIN, proxy=("127.0.0.1", proxy), settings=FAST, mls=mls, clock=lambda: NOW)
    await focus.start()
    commits = -1  # the first is that of setting the trace

    def trace(statement: str) -> None:
        # Called on the writer's thread before each statement: nobody is told of a commit before the writer goes on.
        nonlocal commits
        if statement == "COMMIT":
            commits += 1
            if commits == kill_at and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
        elif commits == kill_at and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    if kill_at:
        await focus._writer.run(lambda tables: tables.connection.raw.set_trace_callback(trace))
    print(focus.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
