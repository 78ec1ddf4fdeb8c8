"""W3C WebDriver, as far as these tests need it, by both wires that browsers of today have for it.

WebKit's driver speaks HTTP (`Http`); Firefox speaks the same commands by its own Marionette (`Marionette`), whose only
translator into HTTP, geckodriver, no distribution packages. Commands go by Marionette's names, which are those of the
standard (W3C WebDriver, section "Endpoints"), and `Http` knows their addresses.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from typing import Any, Protocol

import aiohttp

__all__ = ["ELEMENT", "Http", "Marionette", "Refused", "Wire"]

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # by this key the standard says that a value is an element
_PATIENCE = 30.0
_JSON = {"Content-Type": "application/json"}

_ADDRESSES = {
    "WebDriver:Navigate": ("POST", "/url"),
    "WebDriver:ExecuteScript": ("POST", "/execute/sync"),
    "WebDriver:ExecuteAsyncScript": ("POST", "/execute/async"),
    "WebDriver:ElementClick": ("POST", "/element/{id}/click"),
    "WebDriver:ElementSendKeys": ("POST", "/element/{id}/value"),
    "WebDriver:GetComputedLabel": ("GET", "/element/{id}/computedlabel"),
    "WebDriver:GetComputedRole": ("GET", "/element/{id}/computedrole"),
    "WebDriver:GetActiveElement": ("GET", "/element/active"),
    "WebDriver:TakeScreenshot": ("GET", "/screenshot"),
    "WebDriver:SetWindowRect": ("POST", "/window/rect"),
    "WebDriver:PerformActions": ("POST", "/actions"),
}


class Refused(Exception):
    """The browser did not do it; `error` is the standard's name for why."""

    def __init__(self, command: str, error: str, message: str) -> None:
        super().__init__(f"{command}: {error}: {message}")
        self.error = error


class Wire(Protocol):
    """A session with one browser."""

    async def call(self, command: str, **parameters: Any) -> Any:
        """What the browser answers. Raises Refused."""


class Http:
    """A session by the addresses of the standard."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session, self._base = session, base
        self.version = ""

    @classmethod
    @contextlib.asynccontextmanager
    async def begun(cls, driver: str, capabilities: dict[str, Any]) -> AsyncIterator[Http]:
        timeout = aiohttp.ClientTimeout(total=_PATIENCE)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            wire = cls(session, driver)
            begun = await wire._send("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
            wire.version = begun["capabilities"]["browserVersion"]
            wire._base = f"{driver}/session/{begun['sessionId']}"
            try:
                yield wire
            finally:
                await wire._send("DELETE", "", None)

    async def call(self, command: str, **parameters: Any) -> Any:
        method, path = _ADDRESSES[command]
        path = path.format(**parameters)
        return await self._send(method, path, parameters if method == "POST" else None)

    async def _send(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        # A stream: of large bodies in one piece aiohttp warns.
        data = None if body is None else io.BytesIO(json.dumps(body).encode())
        async with self._session.request(method, self._base + path, data=data, headers=_JSON) as answer:
            value = (await answer.json(content_type=None))["value"]
        if answer.status != 200:
            raise Refused(path, value.get("error", ""), value.get("message", ""))
        return value


class Marionette:
    """A session by Firefox's own protocol: `LENGTH:[0, id, command, parameters]`, answered by `[1, id, error, result]`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer, self._count = reader, writer, 0

    @classmethod
    @contextlib.asynccontextmanager
    async def begun(cls, port: int) -> AsyncIterator[Marionette]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 26)
        try:
            wire = cls(reader, writer)
            await wire._read()  # a greeting with the version of the protocol
            await wire.call("WebDriver:NewSession", strictFileInteractability=False)
            yield wire
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def call(self, command: str, **parameters: Any) -> Any:
        self._count += 1
        sent = json.dumps([0, self._count, command, parameters]).encode()
        self._writer.write(b"%d:%b" % (len(sent), sent))
        async with asyncio.timeout(_PATIENCE):
            _, _, error, result = await self._read()
        if error is not None:
            raise Refused(command, error["error"], error["message"])
        return result["value"] if isinstance(result, dict) and "value" in result else result

    async def _read(self) -> Any:
        length = await self._reader.readuntil(b":")
        return json.loads(await self._reader.readexactly(int(length[:-1])))
