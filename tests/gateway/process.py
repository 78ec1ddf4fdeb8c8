"""The gateway as a process that can be killed and started again, on one database and one port."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from letterlock.carrier import Carrier

__all__ = ["GatewayProcess"]

_SCRIPT = Path(__file__).with_name("crash_gateway.py")


class GatewayProcess:
    def __init__(self, folder: Path, carrier: Carrier) -> None:
        self.folder, self.carrier = folder, carrier
        self.port = 0
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, **config: Any) -> None:
        config = {
            "database": str(self.folder / "gateway.db"),
            "carrier": self.carrier.port,
            "domain": self.carrier.domain,
            "port": self.port,
            **config,
        }
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(_SCRIPT),
            json.dumps(config),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)},
        )
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            self.port = json.loads(await self.process.stdout.readline())["port"]

    async def died(self) -> int:
        assert self.process is not None
        async with asyncio.timeout(30):
            return await self.process.wait()

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
