"""Where the platform tells an agent what users write: its address is proven, each delivery signed, repeats known (B5).

A delivery is answered at once and waits in a queue of bounded length. When that is full the platform is told to come
again: it does so for seven days, so nothing is lost while a bot is slow. A delivery carries no signed time, so the ids
of the latest ones are remembered against replay.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import logging
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from aiohttp import web

from ...codec.addresses import is_loopback
from ...codec.chatbot.limits import ChatbotLimits
from ...codec.chatbot.rbm_events import AgentEvent, ServerEvent, decode_agent_event
from ...errors import DecodeError, InputError

__all__ = ["Webhook", "WebhookSettings", "is_signed"]

_log = logging.getLogger(__name__)

_LIMITS = ChatbotLimits(
    max_body=256 * 1024,
    max_depth=16,
    max_cards=12,
    max_chips=32,
    max_label=200,
    max_postback=4_096,
    max_title=400,
    max_description=4_000,
    max_url=4_096,
)
_MAX_SECRET = 256


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """Bounds (SR-08). `path` is what the platform posts to."""

    path: str = "/"
    max_waiting: int = 1_000
    remembered: int = 10_000
    max_body: int = 512 * 1024
    body_s: float = 10.0
    """How long a body may take to come."""


def is_signed(client_token: str, raw: bytes, signature: str) -> bool:
    """Whether the platform signed this: HMAC-SHA-512 over the decoded data, in constant time."""
    good = base64.b64encode(hmac.digest(client_token.encode(), raw, "sha512"))
    return hmac.compare_digest(good, signature.encode("ascii", "replace"))


class Webhook:
    """Listens for the platform, and is iterated for what it says: `async for event in webhook`.

    `client_token` is the one that was chosen in the console. Without `tls` it listens on this machine alone, behind
    whatever ends TLS (SR-19).
    """

    def __init__(
        self,
        client_token: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        settings: WebhookSettings | None = None,
    ) -> None:
        if len(client_token) < 8 or not client_token.isascii():
            raise InputError("the client token is too short to prove anything", code="input.rbm")
        if tls is None and not is_loopback(host):
            raise InputError(
                f"a webhook in the clear at {host}", code="input.rbm", hint="give tls, or put a proxy before 127.0.0.1"
            )
        self._token = client_token
        self._host, self._port, self._tls = host, port, tls
        self._settings = settings or WebhookSettings()
        self._waiting: asyncio.Queue[AgentEvent | None] = asyncio.Queue(self._settings.max_waiting + 1)
        self._known: dict[bytes, None] = {}  # digests of ids, oldest first
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Webhook:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        app = web.Application(client_max_size=self._settings.max_body)
        app.router.add_post(self._settings.path, self._posted)
        # A body is what was signed: nothing is unpacked.
        self._runner = web.AppRunner(
            app, access_log=None, auto_decompress=False, shutdown_timeout=self._settings.body_s
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, ssl_context=self._tls)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Take no more; what waits is still iterated, and then the iteration ends."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            self._waiting.put_nowait(None)

    @property
    def url(self) -> str:
        """Where it listens."""
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{self._host}:{self._port}{self._settings.path}"

    def __aiter__(self) -> Webhook:
        return self

    async def __anext__(self) -> AgentEvent:
        event = await self._waiting.get()
        if event is None:
            self._waiting.put_nowait(None)
            raise StopAsyncIteration
        return event

    # --- the platform ------------------------------------------------------------------------------------------
    async def _posted(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(self._settings.body_s):
                read = await request.read()
        except TimeoutError:
            return web.Response(status=408)
        try:
            body = json.loads(read)
        # Too deep is a RecursionError.
        except (ValueError, RecursionError):
            return web.Response(status=400)
        if not isinstance(body, dict):
            return web.Response(status=400)
        if "clientToken" in body:
            return self._shake_hands(body)
        raw = _data(body)
        if raw is None:
            return web.Response(status=400)
        if not is_signed(self._token, raw, request.headers.get("X-Goog-Signature", "")):
            return web.Response(status=403)
        return self._take(raw)

    def _shake_hands(self, body: dict[str, Any]) -> web.Response:
        """The platform proves that it knows the token, and gets its secret back."""
        token, secret = body.get("clientToken"), body.get("secret")
        if not isinstance(token, str) or not isinstance(secret, str) or not 0 < len(secret) <= _MAX_SECRET:
            return web.Response(status=400)
        if not secret.isascii() or not secret.isprintable():
            return web.Response(status=400)
        if not hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode()):
            return web.Response(status=400)
        return web.Response(text=secret, content_type="text/plain", headers={"X-Content-Type-Options": "nosniff"})

    def _take(self, raw: bytes) -> web.Response:
        try:
            event = decode_agent_event(raw, _LIMITS)
        except DecodeError as error:
            # Signed, and of no use: refused it would come for a week and hold up what is behind it.
            _log.warning("the platform says something that cannot be read: %s", error.code)
            return web.Response(status=200)
        # Phones choose the ids of messages: nobody may have another's taken for a repeat of his own (SR-05).
        said_by = event.phone if isinstance(event, ServerEvent) else event.sender
        name = repr((type(event).__name__, event.agent_id, said_by, event.id))
        known = hashlib.sha256(name.encode()).digest()
        if known in self._known:
            return web.Response(status=200)
        if self._waiting.qsize() >= self._settings.max_waiting:
            return web.Response(status=503, headers={"Retry-After": "10"})
        self._waiting.put_nowait(event)
        self._known[known] = None
        if len(self._known) > self._settings.remembered:
            del self._known[next(iter(self._known))]
        return web.Response(status=200)


def _data(body: dict[str, Any]) -> bytes | None:
    message = body.get("message")
    data = message.get("data") if isinstance(message, dict) else None
    if not isinstance(data, str):
        return None
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
