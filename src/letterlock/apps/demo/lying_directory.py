"""A directory that lies when it is told to. It stands before the real one and changes what goes out about one number.

It has no key of anybody: it can hide, and put in what it has made itself. What a client makes of that is in its device
list rules (SR-04) and in the comparison of codes.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp import web

from ... import ids, trust
from ...crypto.provider import CryptoProvider
from ...ids import DeviceId, Instant, Number, Rng
from ...trust.requests import HEADER
from ...trust.signed_list import decode_list, encode_list

__all__ = ["Lie", "LyingDirectory"]

_MOST = 1 << 20


class Lie(enum.Enum):
    """What may be said of a number; the value names it outside."""

    GHOST = "ghost"
    """The owner's own list, with one device more; the owner has not signed that."""
    IMPOSTOR = "impostor"
    """Another list altogether, signed in order, with keys that the directory has made."""
    HIDE = "hide"
    """Nobody of that number is known."""


class LyingDirectory:
    """Use as an async context manager. `about` and `lie` may be set at any time; None is the truth."""

    def __init__(self, honest: str, crypto: CryptoProvider, *, rng: Rng, now: Callable[[], Instant]) -> None:
        self.lie: Lie | None = None
        self.about: Number | None = None
        self.told: Callable[[Lie], None] = lambda lie: None
        self._honest = honest
        self._crypto = crypto
        self._rng = rng
        self._now = now
        self._impostors: dict[Number, bytes] = {}
        self._last: dict[str, bytes] = {}
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self.url = ""

    async def __aenter__(self) -> LyingDirectory:
        app = web.Application(client_max_size=_MOST)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._session = aiohttp.ClientSession(auto_decompress=False)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        assert self._session is not None
        body = await request.read()
        signature = request.headers.get(HEADER)
        headers = {HEADER: signature} if signature else {}
        if "Content-Type" in request.headers:
            headers["Content-Type"] = request.headers["Content-Type"]
        async with self._session.request(
            request.method, self._honest + request.path_qs, data=body or None, headers=headers
        ) as answer:
            status, said = answer.status, await answer.read()
        if request.path in ("/v1/lists/query", "/v1/bundles"):
            asked = json.loads(body)
            self._remember(asked, status, said)
            if self.lie is not None:
                status, said = self._lied(self.lie, request.path, asked, status, said)
        return web.Response(status=status, body=said, content_type="application/json")

    def _lied(self, lie: Lie, path: str, asked: dict[str, Any], status: int, said: bytes) -> tuple[int, bytes]:
        if asked.get("number") != self.about:
            return status, said
        number = ids.number(str(self.about))
        self.told(lie)
        if lie is Lie.HIDE:
            return _none("directory.unknown_number")
        if path == "/v1/bundles":
            # Of keys that it has made up there is nobody who would answer.
            return _none("directory.no_prekeys") if lie is Lie.IMPOSTOR else (status, said)
        if lie is Lie.IMPOSTOR:
            return _lists([self._impostor(number)], json.loads(said) if status == 200 else {})
        last = self._last.get(number)
        if status != 200 or last is None:
            return status, said
        answer = json.loads(said)
        # Whoever knows the last list is told of none newer: then it is the forged one alone.
        honest = [base64.b64decode(item) for item in answer["lists"]]
        return _lists([*honest, self._haunted(number, last)], answer)

    def _remember(self, asked: dict[str, Any], status: int, said: bytes) -> None:
        lists = json.loads(said).get("lists") if status == 200 else None
        if lists:
            self._last[str(asked.get("number"))] = base64.b64decode(lists[-1])

    def _haunted(self, number: Number, honest: bytes) -> bytes:
        """The list with a device more, its serial moved on; the signature is the old one, for there is no other."""
        content = decode_list(honest)
        spki = content.participant_spki
        device = DeviceId(max(entry.device for entry in content.devices) + 1)
        entry = dataclasses.replace(self._entry(number, spki, device), added_at=self._now())
        return encode_list(
            dataclasses.replace(
                content,
                serial=content.serial + 1,
                issued=self._now(),
                previous_head=trust.head_of(honest),
                devices=(*content.devices, entry),
            )
        )

    def _impostor(self, number: Number) -> bytes:
        """One for each number and demo: a person has one such enemy, not a new one at each look."""
        if number not in self._impostors:
            private = self._crypto.p256_generate(self._rng)
            spki = self._crypto.p256_spki(self._crypto.p256_public(private))
            made = trust.create_list(
                number=number,
                participant_spki=spki,
                primary=self._entry(number, spki, DeviceId(1)),
                sign=lambda message: self._crypto.p256_sign(private, message),
                crypto=self._crypto,
                now=self._now(),
            )
            self._impostors[number] = made.encoded
        return self._impostors[number]

    def _entry(self, number: Number, spki: bytes, device: DeviceId) -> trust.DeviceEntry:
        private, public = self._crypto.x25519_generate(self._rng)
        return trust.create_entry(
            number=number,
            participant_spki=spki,
            device=device,
            registration_id=1 + int.from_bytes(self._rng(1), "big"),
            identity_key=b"\x05" + public,
            sign_identity=lambda message: self._crypto.xeddsa_sign(private, message, self._rng),
            capabilities=("signal",),
            name="laptop",
        )


def _lists(lists: list[bytes], answer: dict[str, Any]) -> tuple[int, bytes]:
    said = {
        "account": base64.b64encode(bytes(16)).decode(),
        **answer,
        "serial": decode_list(lists[-1]).serial,
        "lists": [base64.b64encode(item).decode() for item in lists],
    }
    return 200, json.dumps(said).encode()


def _none(code: str) -> tuple[int, bytes]:
    return 404, json.dumps({"code": code, "message": "no keys", "hint": ""}).encode()
