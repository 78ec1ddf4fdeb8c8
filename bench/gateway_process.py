"""The carrier and the gateway of `bench_gateway.py`, each in a process of its own: `gateway_process.py ROLE JSON`."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from letterlock.carrier import Accounts, Carrier, Settings
from letterlock.services.buckets import Rate
from letterlock.services.gateway import CarrierProfile, Gateway, GatewayLimits
from processes import Answer, serve

PASSWORD = "benchmark"
SECRET = b"s" * 32


def resident() -> int:
    """Bytes, of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def carrier() -> None:
    settings = Settings(max_numbers=1_000_000, max_connections=100_000)
    running = Carrier("127.0.0.1", 0, Accounts.lab(PASSWORD), settings=settings)
    await running.start()

    async def on_command(command: list[str]) -> Answer:
        return {}

    try:
        await serve({"port": running.port, "domain": running.domain}, on_command)
    finally:
        await running.close()


async def gateway(config: dict[str, Any]) -> None:
    plenty = Rate(10_000_000, 1_000)
    limits = dataclasses.replace(
        GatewayLimits(),
        sends=plenty,
        requests=plenty,
        frame_rate=plenty,
        links=plenty,
        enrolments=plenty,
        addresses=plenty,
        max_in_flight_by_address=256,
        registrations_per_s=500,
        heartbeat_ms=600_000,
    )
    running = Gateway(
        config["database"],
        CarrierProfile("127.0.0.1", config["carrier"], config["domain"], tls=False),
        lambda number: PASSWORD,
        SECRET,
        limits=limits,
    )
    await running.start()

    async def on_command(command: list[str]) -> Answer:
        lines = list(running._lines._lines.values())
        return {
            "resident": resident(),
            "registered": sum(line.notices._registration.state == "registered" for line in lines),
            "linked": len(running._lines.linked_devices()),
        }

    try:
        await serve({"port": running.port}, on_command)
    finally:
        await running.close()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    asyncio.run(carrier() if sys.argv[1] == "carrier" else gateway(json.loads(sys.argv[2])))
