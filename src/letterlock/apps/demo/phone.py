"""A phone of the demo: a profile of its own and a process of its own, which can be switched off or killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ...client import Chat, Client, Environment
from ...engine.events import Recorded
from ...errors import Bug

__all__ = ["Phone"]

_START_SECONDS = 20.0


@dataclass(slots=True)
class Phone:
    """`name` is for people; `folder` holds the profile, its key file and its generation number."""

    name: str
    number: str
    folder: Path
    process: asyncio.subprocess.Process | None = None
    _log: list[bytes] = field(default_factory=list)

    @property
    def profile(self) -> Path:
        return self.folder / "profile"

    @property
    def key_file(self) -> Path:
        return self.folder / "key"

    @property
    def environment(self) -> Environment:
        return Environment(state=self.folder / "state" / "letterlock" / "generations")

    async def switch_on(self, *options: str) -> None:
        """Start `letterlock listen` with these options and wait until it owns the profile."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "letterlock",
            "-o",
            "json",
            "listen",
            "--profile",
            str(self.profile),
            "--key-file",
            str(self.key_file),
            *options,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "XDG_STATE_HOME": str(self.folder / "state")},
        )
        assert self.process.stderr is not None
        try:
            async with asyncio.timeout(_START_SECONDS):
                while b"listening" not in (line := await self.process.stderr.readline()):
                    self._log.append(line)
                    if not line:
                        raise Bug(f"{self.name}'s phone does not start: {b''.join(self._log).decode(errors='replace')}")
        except TimeoutError:
            raise Bug(f"{self.name}'s phone does not start within {_START_SECONDS:g} s") from None

    async def switch_off(self) -> None:
        """The phone says goodbye to the carrier and ends."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """SIGKILL: nothing is finished, nothing is flushed."""
        await self._end(signal.SIGKILL)

    async def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        await self.process.wait()
        self.process = None

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """The profile, through the phone's process while it runs."""
        async with Client.open(self.profile, key_file=self.key_file, environment=self.environment) as client:
            yield client

    @asynccontextmanager
    async def chat(self, other: Phone) -> AsyncIterator[Chat]:
        """The chat with another phone."""
        async with self.client() as client:
            yield await client.chat(other.number)

    async def events(self) -> list[Recorded]:
        """Everything that this phone has recorded so far."""
        async with self.client() as client:
            last = await client.cursor()
            found: list[Recorded] = []
            if last:
                async for recorded in client.events(after=0):
                    found.append(recorded)
                    if recorded.cursor >= last:
                        break
            return found
