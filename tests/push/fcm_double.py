"""Google's token endpoint and FCM's HTTP v1 over TLS: they check the service account's assertion and every access token."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from lab_certificate import LabCertificate

PROJECT = "letterlock-test"
EMAIL = "push@letterlock-test.iam.gserviceaccount.example"
RESET = "reset"
SILENCE = "silence"
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"


def error(status: int, code: str = "", field_name: str = "") -> tuple[int, dict[str, Any]]:
    """An error as Google writes them."""
    details: list[dict[str, Any]] = [{"@type": FCM_ERROR, "errorCode": code}] if code else []
    if field_name:
        violation = {"field": field_name, "description": "no"}
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]})
    return status, {"error": {"code": status, "status": "X", "details": details}}


@dataclass
class FcmDouble:
    """`script` is what the next sends get: a status with a body, RESET or SILENCE after they were acted on; else 200."""

    certificate: LabCertificate
    key: rsa.RSAPrivateKey
    script: deque[tuple[int, dict[str, Any]] | str] = field(default_factory=deque)
    retry_after: str = ""
    token_status: int = 200
    lasts_s: int = 3600
    accepted: list[tuple[str, int]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    seen: bytearray = field(default_factory=bytearray)
    given: list[str] = field(default_factory=list)
    valid: set[str] = field(default_factory=set)
    answers: list[int] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> FcmDouble:
        app = web.Application()
        app.router.add_post("/token", self._token)
        app.router.add_post("/v1/projects/{project}/messages:send", self._send)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self.certificate.server_context()).start()
        self.port = self._runner.addresses[0][1]
        self._silent = asyncio.Event()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._silent.set()
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def service_account(self) -> bytes:
        """The file that the Firebase console gives."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        members = {
            "type": "service_account", "project_id": PROJECT, "private_key_id": "k1", "private_key": pem.decode(),
            "client_email": EMAIL, "token_uri": f"{self.url}/token",
        }  # fmt: skip
        return json.dumps(members).encode()

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        text, _, signature = str(form["assertion"]).rpartition(".")
        self.key.public_key().verify(_decoded(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
        header, claims = (json.loads(_decoded(part)) for part in text.split("."))
        assert (header["alg"], header["kid"]) == ("RS256", "k1")
        assert (claims["iss"], claims["aud"]) == (EMAIL, f"{self.url}/token")
        assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
        assert 0 < claims["exp"] - claims["iat"] <= 3600
        if self.token_status != 200:
            return web.json_response({"error": "invalid_grant"}, status=self.token_status)
        token = f"ya29.{len(self.given)}"
        self.given.append(token)
        self.valid.add(token)
        return web.json_response({"access_token": token, "expires_in": self.lasts_s, "token_type": "Bearer"})

    async def _send(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen += repr(sorted(request.headers.items())).encode() + request.path.encode() + body
        assert request.match_info["project"] == PROJECT
        message = json.loads(body)["message"]
        status, answer = 200, {"name": "projects/letterlock-test/messages/1"}
        fault = self.script.popleft() if self.script else None
        if request.headers["Authorization"].removeprefix("Bearer ") not in self.valid:
            status, answer = error(401)
        elif isinstance(fault, tuple):
            status, answer = fault
        if status == 200:
            self.accepted.append((message["token"], time.time_ns() // 1_000_000))
            self.bodies.append(message)
        if fault == RESET:
            assert request.transport is not None
            request.transport.abort()
        if fault == SILENCE:
            await self._silent.wait()
        self.answers.append(status)
        headers = {"Retry-After": self.retry_after} if self.retry_after and status in (429, 503) else {}
        return web.json_response(answer, status=status, headers=headers)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
