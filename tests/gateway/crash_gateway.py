"""A gateway in a process of its own that may kill itself: `crash_gateway.py CONFIG`, one JSON line when it listens.

With `kill_at` it gets SIGKILL when it passes that checkpoint for the `nth` time.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

from letterlock.services.buckets import Rate
from letterlock.services.gateway import CarrierProfile, Gateway, GatewayLimits


class Bomb:
    def __init__(self, kill_at: str | None, nth: int) -> None:
        self.kill_at, self.left = kill_at, nth

    def __call__(self, name: str) -> None:
        if name == self.kill_at:
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


async def main(config: dict[str, Any]) -> None:
    plenty = Rate(1_000_000, 1_000)
    gateway = Gateway(
        config["database"],
        CarrierProfile("127.0.0.1", config["carrier"], config["domain"], tls=False),
        lambda number: f"pw {number}",
        b"s" * 32,
        port=config["port"],
        limits=GatewayLimits(tidy_ms=5, sends=plenty, frame_rate=plenty, links=plenty, enrolments=plenty),
        checkpoint=Bomb(config.get("kill_at"), config.get("nth", 1)),
    )
    await gateway.start()
    print(json.dumps({"port": gateway.port}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
