"""A double of the platform of RCS Business Messaging, made from its public documentation (docs/chatbots.md).

It checks what the real one checks: the signature, scope, audience and age of the assertion, tokens, the agent's id, the
limits of messages by rules of its own, ids that were used, features of phones, times to live. It signs what it posts to
webhooks. What it is told to do wrong (`faults`) it does.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import aiohttp
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

__all__ = ["AGENT", "TOKEN", "Fault", "RbmDouble", "everything"]

AGENT, TOKEN = "shoe-shop", "TESTTOKEN0000001"
_SCOPE = "https://www.googleapis.com/auth/rcsbusinessmessaging"
_EMAIL, _KEY_ID = "bot@shop.iam.example.test", "key-1"
_ALL = frozenset(
    [
        "RICHCARD_STANDALONE",
        "RICHCARD_CAROUSEL",
        "ACTION_CREATE_CALENDAR_EVENT",
        "ACTION_DIAL",
        "ACTION_OPEN_URL",
        "ACTION_SHARE_LOCATION",
        "ACTION_VIEW_LOCATION",
        "ACTION_COMPOSE",
    ]
)
_NEEDS = {
    "standaloneCard": "RICHCARD_STANDALONE",
    "carouselCard": "RICHCARD_CAROUSEL",
    "dialAction": "ACTION_DIAL",
    "openUrlAction": "ACTION_OPEN_URL",
    "viewLocationAction": "ACTION_VIEW_LOCATION",
    "shareLocationAction": "ACTION_SHARE_LOCATION",
    "createCalendarEventAction": "ACTION_CREATE_CALENDAR_EVENT",
    "composeAction": "ACTION_COMPOSE",
}
_TRAFFIC = {"AUTHENTICATION", "TRANSACTION", "PROMOTION", "SERVICEREQUEST", "ACKNOWLEDGEMENT"}
# One key for all tests: making one takes longer than they do.
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True)
class Fault:
    """The next call is answered so. `taken`: it has its effect all the same, and only the answer is lost."""

    status: int
    retry_after: str | None = None
    taken: bool = False
    cut: bool = False


@dataclass
class RbmDouble:
    """Use it as an async context manager. `phones` are numbers with RCS and what they can do."""

    now: Any
    phones: dict[str, frozenset[str]] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    token_seconds: int = 3600
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By id, what phones got, in order."""
    delivered: set[str] = field(default_factory=set)
    revoked: list[str] = field(default_factory=list)
    events: list[tuple[str, str, str]] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    tokens_given: int = 0
    tokens_asked: int = 0
    account_deleted: bool = False
    files: list[str] = field(default_factory=list)
    _tokens: dict[str, int] = field(default_factory=dict)
    _ids: set[str] = field(default_factory=set)
    _runner: web.AppRunner | None = None
    url: str = ""

    async def __aenter__(self) -> RbmDouble:
        app = web.Application(client_max_size=1 << 20)
        app.router.add_post("/token", self._token)
        for method, path, handler in (
            ("POST", "/v1/phones/{phone}/agentMessages", self._send),
            ("DELETE", "/v1/phones/{phone}/agentMessages/{message}", self._revoke),
            ("POST", "/v1/phones/{phone}/agentEvents", self._event),
            ("GET", "/v1/phones/{phone}/capabilities", self._capabilities),
            ("POST", "/v1/users:batchGet", self._batch),
            ("POST", "/v1/files", self._files),
        ):
            app.router.add_route(method, path, self._guarded(handler))
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def key_file(self) -> bytes:
        """What the console gives for the service account."""
        pem = _KEY.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        members = {
            "type": "service_account",
            "client_email": _EMAIL,
            "private_key_id": _KEY_ID,
            "private_key": pem.decode(),
            "token_uri": f"{self.url}/token",
        }
        return json.dumps(members).encode()

    def forget_tokens(self) -> None:
        """None that was given is taken any more."""
        self._tokens.clear()

    # --- tokens --------------------------------------------------------------------------------------------------
    async def _token(self, request: web.Request) -> web.Response:
        self.tokens_asked += 1
        form = parse_qs((await request.read()).decode())
        if form.get("grant_type") != ["urn:ietf:params:oauth:grant-type:jwt-bearer"] or self.account_deleted:
            return web.json_response({"error": "invalid_grant"}, status=400)
        text, _, signature = form["assertion"][0].rpartition(".")
        header, claims = (json.loads(_unpadded(part)) for part in text.split("."))
        try:
            _KEY.public_key().verify(_unpadded(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = self.now() // 1000
        good = (
            header == {"alg": "RS256", "typ": "JWT", "kid": _KEY_ID}
            and claims["iss"] == _EMAIL
            and claims["scope"] == _SCOPE
            and claims["aud"] == f"{self.url}/token"
            and now - 300 <= claims["iat"] <= now + 300
            and 0 < claims["exp"] - claims["iat"] <= 3600
        )
        if not good:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.tokens_given += 1
        token = f"token-{self.tokens_given}"
        self._tokens[token] = now + self.token_seconds
        return web.json_response({"access_token": token, "expires_in": self.token_seconds, "token_type": "Bearer"})

    def _guarded(self, handler: Any) -> Any:
        async def guarded(request: web.Request) -> web.StreamResponse:
            self.calls.append((request.method, request.path))
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if self._tokens.get(token, 0) <= self.now() // 1000:
                return _error(401, "UNAUTHENTICATED")
            body = await request.read()
            if len(body) > 250_000:
                return _error(400, "INVALID_ARGUMENT")
            agent = request.query.get("agentId")
            if request.path in ("/v1/users:batchGet", "/v1/files"):
                agent = json.loads(body).get("agentId")
            if agent != AGENT:
                return _error(403, "PERMISSION_DENIED")
            fault = self.faults.popleft() if self.faults else None
            if fault is not None and not fault.taken:
                return self._fail(request, fault)
            answer: web.StreamResponse = await handler(request, body)
            return answer if fault is None else self._fail(request, fault)

        return guarded

    def _fail(self, request: web.Request, fault: Fault) -> web.Response:
        if fault.cut:
            assert request.transport is not None
            request.transport.abort()
        names = {429: "RESOURCE_EXHAUSTED", 404: "NOT_FOUND", 403: "PERMISSION_DENIED", 400: "INVALID_ARGUMENT"}
        answer = _error(fault.status, names.get(fault.status, "UNAVAILABLE"))
        if fault.retry_after is not None:
            answer.headers["Retry-After"] = fault.retry_after
        if 300 <= fault.status < 400:
            answer.headers["Location"] = "http://169.254.169.254/"
        return answer

    # --- the methods -----------------------------------------------------------------------------------------------
    async def _send(self, request: web.Request, body: bytes) -> web.Response:
        phone, name = request.match_info["phone"], request.query["messageId"]
        if not _is_uuid(name):
            return _error(400, "INVALID_ARGUMENT")
        if phone not in self.phones:
            return _error(404, "NOT_FOUND")
        message = json.loads(body)
        if not _is_message(message) or not _used(message) <= self.phones[phone]:
            return _error(400, "INVALID_ARGUMENT")
        if name not in self._ids:  # else it is silently passed over
            self._ids.add(name)
            self.messages[name] = message
        return web.json_response({"name": f"phones/{phone}/agentMessages/{name}", **message})

    async def _revoke(self, request: web.Request, body: bytes) -> web.Response:
        name = request.match_info["message"]
        if name not in self.messages or name in self.delivered:  # what a phone has cannot be taken back
            return _error(404, "NOT_FOUND")
        self.revoked.append(name)
        return web.json_response({})

    async def _event(self, request: web.Request, body: bytes) -> web.Response:
        phone, event = request.match_info["phone"], json.loads(body)
        if phone not in self.phones:
            return _error(404, "NOT_FOUND")
        if not _is_uuid(request.query["eventId"]):
            return _error(400, "INVALID_ARGUMENT")
        if event["eventType"] not in ("IS_TYPING", "READ") or ("messageId" in event) != (event["eventType"] == "READ"):
            return _error(400, "INVALID_ARGUMENT")
        if request.query["eventId"] not in self._ids:
            self._ids.add(request.query["eventId"])
            self.events.append((phone, event["eventType"], event.get("messageId", "")))
        return web.json_response(event)

    async def _capabilities(self, request: web.Request, body: bytes) -> web.Response:
        phone = request.match_info["phone"]
        if phone not in self.phones or not request.query.get("requestId"):
            return _error(404, "NOT_FOUND")
        return web.json_response({"features": [*sorted(self.phones[phone]), "SOMETHING_NEW"], "carrier": "Lab Mobile"})

    async def _batch(self, request: web.Request, body: bytes) -> web.Response:
        users = json.loads(body)["users"]
        sample = users[: len(users) * 3 // 4] if len(users) >= 500 else []  # the real one picks them by chance
        return web.json_response(
            {
                "reachableUsers": [user for user in users if user in self.phones],
                "totalRandomSampleUserCount": len(sample),
                "reachableRandomSampleUserCount": sum(user in self.phones for user in sample),
            }
        )

    async def _files(self, request: web.Request, body: bytes) -> web.Response:
        asked = json.loads(body)
        self.files.append(asked["fileUrl"])
        return web.json_response({"name": f"files/{len(self.files)}"})

    # --- users, and what they do -----------------------------------------------------------------------------------
    async def post(self, webhook: str, event: dict[str, Any], *, token: str = TOKEN) -> int:
        """Deliver an event as the platform does; how the webhook answered."""
        raw = json.dumps({"agentId": AGENT, **event}).encode()
        signature = base64.b64encode(hmac.digest(token.encode(), raw, "sha512")).decode()
        body = {"message": {"data": base64.b64encode(raw).decode(), "messageId": "pubsub-1"}, "subscription": "s"}
        async with aiohttp.ClientSession() as session:
            headers = {"X-Goog-Signature": signature}
            async with session.post(webhook, json=body, headers=headers) as answer:
                return answer.status

    async def user_says(self, webhook: str, phone: str, message_id: str, **content: Any) -> int:
        """A user writes, or taps."""
        return await self.post(webhook, {"senderPhoneNumber": phone, "messageId": message_id, **content})

    async def until(self, count: int) -> None:
        """Wait until phones have so many messages."""
        async with asyncio.timeout(10):
            while len(self.messages) < count:
                await asyncio.sleep(0)


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def everything() -> frozenset[str]:
    """What a phone of today can do."""
    return _ALL


def _is_message(message: dict[str, Any]) -> bool:
    """The platform's own rules, which are not ours to import."""
    content = message.get("contentMessage", {})
    kinds = [kind for kind in ("text", "uploadedRbmFile", "contentInfo", "richCard") if kind in content]
    ttl = message.get("ttl", "60s")
    cards = content.get("richCard", {})
    many = cards.get("carouselCard", {}).get("cardContents", [{}, {}])
    contents = [*many, cards.get("standaloneCard", {}).get("cardContent", {})]
    chips = content.get("suggestions", [])
    return (
        len(kinds) == 1
        and len(content.get("text", "")) <= 3072
        and len(chips) <= 11
        and 2 <= len(many) <= 10
        and all(len(card.get("title", "")) <= 200 and len(card.get("description", "")) <= 2000 for card in contents)
        and all(len(card.get("suggestions", [])) <= 4 for card in contents)
        and all(
            _is_suggestion(each) for each in (*chips, *(s for card in contents for s in card.get("suggestions", [])))
        )
        and message.get("messageTrafficType", "TRANSACTION") in _TRAFFIC
        and ttl.endswith("s")
        and 0 < int(ttl[:-1]) <= 15 * 86_400
        and not ("ttl" in message and "expireTime" in message)
    )


def _is_suggestion(suggestion: dict[str, Any]) -> bool:
    (said,) = suggestion.values()
    return 0 < len(said["text"]) <= 25 and 0 < len(said["postbackData"]) <= 2048


def _used(value: Any) -> frozenset[str]:
    if isinstance(value, dict):
        inner = frozenset().union(*(_used(each) for each in value.values())) if value else frozenset()
        return inner | frozenset(_NEEDS[name] for name in value if name in _NEEDS)
    return frozenset().union(*(_used(each) for each in value)) if isinstance(value, list) and value else frozenset()


def _error(status: int, name: str) -> web.Response:
    body = {"error": {"code": status, "message": "of +15550190: the text of the message", "status": name}}
    return web.json_response(body, status=status)


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
