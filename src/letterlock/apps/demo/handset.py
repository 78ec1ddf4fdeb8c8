"""A phone of the page: a profile of its own and a real `letterlock daemon` on it, whose page is shown in a frame.

The demo speaks to it as any program of the user does: JSON-RPC and events over the daemon's unix socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from ...errors import Bug, LetterlockError
from .phone import Phone

__all__ = ["Handset", "PhoneRefused"]

_START_SECONDS = 120.0
"""One that cannot start ends, and is not waited for; a slow machine with two of them at once takes long."""
_END_SECONDS = 3.0
_LINE = 1 << 20
_AGAIN_SECONDS = 0.5


class PhoneRefused(LetterlockError):
    """The phone answered a call with an error: its `data` is what the page of the phone would get, too."""

    code = "demo.phone"

    def __init__(self, message: str, data: dict[str, Any]) -> None:
        super().__init__(message, code=str(data.get("code", "demo.phone")))
        self.data = data


@dataclass(slots=True)
class Handset:
    """`phone` says who and where. `url` is its daemon's address once it is switched on."""

    phone: Phone
    url: str = ""
    _process: asyncio.subprocess.Process | None = None
    _session: aiohttp.ClientSession | None = None

    @property
    def name(self) -> str:
        return self.phone.name

    @property
    def number(self) -> str:
        return self.phone.number

    async def switch_on(self, frame_origin: str) -> None:
        """Start the daemon; its page may be shown in frames of pages of `frame_origin`."""
        phone = self.phone
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"{__package__}.tethered", "-o", "json", "daemon",
            "--profile", str(phone.profile), "--key-file", str(phone.key_file), "--allow-frame", frame_origin,
            stdin=asyncio.subprocess.PIPE,  # nothing is written to it: its end is our end (`tethered`)
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "XDG_STATE_HOME": str(phone.folder / "state")},
            limit=_LINE,
            # Ctrl-C is for the demo, which then ends its phones one after the other.
            start_new_session=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(_START_SECONDS):
                line = await self._process.stdout.readline()
            said = json.loads(line)
        except (TimeoutError, ValueError):
            raise Bug(f"{self.name}'s phone does not start: {await self._complaint()}") from None
        self.url = said["url"]
        self._session = aiohttp.ClientSession(
            "http://localhost", connector=aiohttp.UnixConnector(said["socket"]), timeout=aiohttp.ClientTimeout(60)
        )

    async def switch_off(self) -> None:
        """End the daemon."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self._process is None:
            return
        process, self._process = self._process, None
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_END_SECONDS):
                await process.communicate()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

    async def login_url(self) -> str:
        """An address that logs a frame in, once, within two minutes."""
        async with self._talk.post("/api/v1/login") as answer:
            return str((await answer.json())["login"])

    async def call(self, method: str, **params: Any) -> Any:
        """Do one of the daemon's verbs. Raises PhoneRefused."""
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            async with self._talk.post("/api/v1/rpc", json=call) as answer:
                said = await answer.json()
        except (aiohttp.ClientError, TimeoutError):
            raise PhoneRefused(f"{self.name}'s phone does not answer", {}) from None
        if "error" in said:
            raise PhoneRefused(str(said["error"].get("message")), said["error"].get("data") or {})
        return said["result"]

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Every event of this phone from its first on, until it is switched off. A stream that breaks is taken up again."""
        after = 0
        while self._session is not None:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async for event in self._stream(after):
                    after = event["cursor"]
                    yield event
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _stream(self, after: int) -> AsyncIterator[dict[str, Any]]:
        timeout = aiohttp.ClientTimeout(None)
        async with self._talk.get("/api/v1/events", params={"after": str(after)}, timeout=timeout) as answer:
            kind = "message"
            async for line in answer.content:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "event":
                    kind = value
                elif name == "data" and kind == "message":
                    yield json.loads(value)
                elif not name:
                    kind = "message"

    @property
    def _talk(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise Bug(f"{self.name}'s phone is switched off")
        return self._session

    async def _complaint(self) -> str:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        _, said = await self._process.communicate()
        return said.decode(errors="replace").strip()[-500:]
