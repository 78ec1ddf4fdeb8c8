"""Endpoints of Web Push and UnifiedPush over TLS: they check VAPID, decrypt what they got with `http_ece`, and do as scripted."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections import deque
from dataclasses import dataclass, field

import http_ece
from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lab_certificate import LabCertificate
from letterlock.services.push import PushKind, Subscription

RESET = "reset"
SILENCE = "silence"


@dataclass
class App:
    """A browser or an app behind a distributor: its keys, and what reached it."""

    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = b"0123456789abcdef"

    @property
    def point(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@dataclass(frozen=True)
class Push:
    app: str
    at: int
    headers: dict[str, str]
    opened: bytes


@dataclass
class WebDouble:
    """`script` is what the next requests get: a status with headers, RESET or SILENCE after they were acted on; else 201."""

    certificate: LabCertificate
    script: deque[tuple[int, dict[str, str]] | str] = field(default_factory=deque)
    accepted: list[Push] = field(default_factory=list)
    apps: dict[str, App] = field(default_factory=dict)
    seen: bytearray = field(default_factory=bytearray)
    vapid_keys: set[str] = field(default_factory=set)
    requests: int = 0
    port: int = 0

    async def __aenter__(self) -> WebDouble:
        app = web.Application()
        app.router.add_post("/push/{app}", self._push)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self.certificate.server_context()).start()
        self.port = self._runner.addresses[0][1]
        self._silent = asyncio.Event()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._silent.set()
        await self._runner.cleanup()

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.port}"

    def register(self, name: str, kind: PushKind = PushKind.UNIFIED_PUSH) -> Subscription:
        app = self.apps.setdefault(name, App())
        return Subscription(kind, f"{self.origin}/push/{name}", p256dh=app.point, auth=app.auth)

    async def _push(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        body = await request.read()
        self.seen += repr(sorted(request.headers.items())).encode() + request.path.encode() + body
        self._check_vapid(request.headers["Authorization"])
        name = request.match_info["app"]
        status, headers = 201, {}
        fault = self.script.popleft() if self.script else None
        if isinstance(fault, tuple):
            status, headers = fault
        if status == 201:
            app = self.apps[name]
            opened = http_ece.decrypt(body, private_key=app.private, auth_secret=app.auth, version="aes128gcm")
            self.seen += opened
            given = {header.lower(): value for header, value in request.headers.items()}
            self.accepted.append(Push(name, time.time_ns() // 1_000_000, given, opened))
        if fault == RESET:
            assert request.transport is not None
            request.transport.abort()
        if fault == SILENCE:
            with contextlib.suppress(asyncio.CancelledError):
                await self._silent.wait()
        return web.Response(status=status, headers=headers)

    def _check_vapid(self, authorization: str) -> None:
        scheme, _, parameters = authorization.partition(" ")
        assert scheme == "vapid"
        given = dict(each.strip().split("=", 1) for each in parameters.split(","))
        self.vapid_keys.add(given["k"])
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _decoded(given["k"]))
        text, _, signature = given["t"].rpartition(".")
        raw = _decoded(signature)
        der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        key.verify(der, text.encode(), ec.ECDSA(hashes.SHA256()))
        claims = json.loads(_decoded(text.partition(".")[2]))
        assert claims["aud"] == self.origin and claims["sub"] == "mailto:operator@example.test"
        assert 0 < claims["exp"] - time.time() <= 86_400


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
