"""Durable sends per second: encrypt and commit, SQLCipher with synchronous=FULL. `./run bench engine [--json]`.

One real profile (client, driver, engine, `signal`, store) sends texts of 200 characters to one contact whose
session is established. A send counts when `chat.send` returns, so when its commit is on disk: the session's
new state, the message, the outbox row and the event. The network takes every frame at once and answers
nothing else, so what follows a send (the network's answer is recorded too) is part of the load.

ops: `send_1`, one after the other; `send_32`, 32 in flight. Medians of several runs.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from client.phones import BEN, Town, event
from letterlock.client import Client
from letterlock.engine.events import MessageDelivered
from report import Row, row, show

TEXT = "x" * 200


async def measure(runs: int, one: int, many: int) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="letterlock-bench-") as folder:
        town = Town(Path(folder))
        async with town.two() as (ana, ben):
            chat = await ana.chat(BEN)
            await chat.send("first")
            await event(ana, MessageDelivered)
            await ben.close()  # from here on nobody shares the processor with the sender
            singles, crowds = [], []
            for _ in range(runs):
                singles.append(await rate(ana, one, 1))
                crowds.append(await rate(ana, many, 32))
    return [
        row("send_1", one * runs, statistics.median(singles), "1/s"),
        row("send_32", many * runs, statistics.median(crowds), "1/s"),
    ]


async def rate(client: Client, count: int, in_flight: int) -> float:
    """Sends per second."""
    chat = await client.chat(BEN)

    async def worker(n: int) -> None:
        for _ in range(n):
            await chat.send(TEXT)

    began = time.perf_counter()
    await asyncio.gather(*(worker(count // in_flight) for _ in range(in_flight)))
    took = time.perf_counter() - began
    await client.settled()
    return count / took


def main() -> None:
    parser = argparse.ArgumentParser(description="durable sends per second")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--one", type=int, default=300, help="sends per run, one after the other")
    parser.add_argument("--many", type=int, default=3200, help="sends per run, 32 in flight")
    options = parser.parse_args()
    rows = asyncio.run(measure(options.runs, options.one, options.many))
    show("engine", rows, as_json=options.json)


if __name__ == "__main__":
    main()
