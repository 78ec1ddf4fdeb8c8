"""A directory that lies where a test says so: it stands before the real one and changes what goes out to whom.

Requests reach the real service with their signatures, answers are altered on their way back, so that the
client's own HTTP code and the service are both in the test.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
from aiohttp import web

from letterlock.ids import Number
from letterlock.trust.requests import HEADER, RequestSignature, decode_signature
from letterlock.trust.signed_list import decode_list

__all__ = ["BundleLie", "ListsLie", "LyingDirectory"]

ListsLie = Callable[[RequestSignature, Number, int, Sequence[bytes]], Sequence[bytes]]
"""(who asks, about whom, since which serial, the honest answer) to the answer; nothing means: no such number."""
BundleLie = Callable[[RequestSignature, Number, int, bytes | None], bytes | None]
"""(who asks, about whom, which device, the honest answer) to the answer; None means: no keys of this device."""


class LyingDirectory:
    """`lists` and `bundle` are the lies; without them it is honest."""

    def __init__(self, honest: str) -> None:
        self.lists: ListsLie | None = None
        self.bundle: BundleLie | None = None
        self._honest = honest
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self.url = ""

    async def start(self) -> None:
        application = web.Application(client_max_size=1 << 20)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._session = aiohttp.ClientSession()
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        signature = request.headers.get(HEADER)
        who = decode_signature(signature) if signature else None
        status, answer = await self._forward(request, body, signature)
        query = json.loads(body) if body else {}
        if who is not None and request.path == "/v1/lists/query" and self.lists is not None:
            honest = [_bytes(item) for item in answer["lists"]] if status == 200 else []
            status, answer = _lists(self.lists(who, Number(query["number"]), query["since"], honest))
        if who is not None and request.path == "/v1/bundles" and self.bundle is not None:
            honest_bundle = _bytes(answer["bundle"]) if status == 200 else None
            bundle = self.bundle(who, Number(query["number"]), query["device"], honest_bundle)
            status, answer = (200, {"bundle": _text(bundle)}) if bundle is not None else _none("directory.no_prekeys")
        return web.json_response(answer, status=status)

    async def _forward(self, request: web.Request, body: bytes, signature: str | None) -> tuple[int, dict[str, Any]]:
        assert self._session is not None
        headers = {HEADER: signature} if signature else {}
        async with self._session.request(
            request.method, self._honest + request.path_qs, data=body or None, headers=headers
        ) as response:
            return response.status, await response.json()


def _lists(lists: Sequence[bytes]) -> tuple[int, dict[str, Any]]:
    if not lists:
        return _none("directory.unknown_number")
    last = decode_list(lists[-1])
    return 200, {"account": _text(bytes(16)), "serial": last.serial, "lists": [_text(item) for item in lists]}


def _none(code: str) -> tuple[int, dict[str, Any]]:
    return 404, {"code": code, "message": "no keys", "hint": ""}


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
