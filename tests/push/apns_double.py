"""Apple's push service, as far as its documentation says: HTTP/2 over TLS on its own asyncio server, with scripted faults.

It checks provider tokens, path, headers and payload as Apple does, and notes every push that it acted on, answered or not.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import H2Error, ProtocolError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame, RstStreamFrame

from lab_certificate import LabCertificate

TOPIC = "test.example.letterlock"
TEAM = "TEAM123456"
KEY_ID = "KEY1234567"


@dataclass(frozen=True)
class Answer:
    """What to say, without acting on it unless it is 200."""

    status: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    timestamp: int | None = None


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request instead of an answer; `acts`: the push goes out all the same."""

    name: str
    acts: bool


GOAWAY_BEFORE = Fault("goaway below this stream", acts=False)
GOAWAY_AFTER = Fault("goaway that includes this stream, which is answered", acts=True)
GOAWAY_TWICE = Fault("goaway without a number, one below this stream, end", acts=False)
REFUSED_STREAM = Fault("rst refused_stream", acts=False)
RESET_STREAM = Fault("rst internal_error", acts=True)
RESET = Fault("the connection is reset after the request", acts=True)
SILENCE = Fault("no answer", acts=True)
GARBAGE = Fault("no frames of HTTP/2", acts=False)
LONG = Fault("an answer without an end", acts=False)
STRANGE = Fault("a header that is no text", acts=True)
HELD = Fault("an answer when `release` is set", acts=True)


@dataclass(frozen=True)
class Push:
    """A push that was acted on."""

    token: str
    at: int
    headers: dict[str, str]
    body: bytes


@dataclass
class ApnsDouble:
    """`script` is taken from request by request, then every one is answered 200. `now` is its clock, in milliseconds."""

    certificate: LabCertificate
    public_key: ec.EllipticCurvePublicKey
    script: deque[Answer | Fault] = field(default_factory=deque)
    by_token: dict[str, Answer | Fault] = field(default_factory=dict)
    now: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    max_streams: int = 100
    window: int | None = None
    """The first flow control window of a stream; opened to the usual one by `open_windows`."""
    goaway_at_once: int = 0
    """How many connections to send away before their first request."""
    mute: bool = False
    """Whether it says nothing at all, not even its settings."""
    accepted: list[Push] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    seen: bytearray = field(default_factory=bytearray)
    connections: int = 0
    most_open: int = 0
    pings: int = 0
    release: asyncio.Event = field(default_factory=asyncio.Event)
    provider_tokens: set[str] = field(default_factory=set)
    port: int = 0
    live: set[_Connection] = field(default_factory=set)

    async def __aenter__(self) -> ApnsDouble:
        tls = self.certificate.server_context()
        tls.set_alpn_protocols(["h2"])
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(self), "127.0.0.1", self.port, ssl=tls
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        self._server.close()
        for connection in list(self.live):
            connection.transport.abort()
        await self._server.wait_closed()

    def open_windows(self) -> None:
        for connection in self.live:
            connection.open_windows()

    def goaway_all(self) -> None:
        """A graceful GOAWAY on every connection, between requests or in the middle of them."""
        for connection in list(self.live):
            connection.goaway(connection.highest)

    def fault_for(self, token: str) -> Answer | Fault:
        if token in self.by_token:
            return self.by_token[token]
        return self.script.popleft() if self.script else Answer(200)


@dataclass
class _Request:
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)


class _Connection(asyncio.Protocol):
    def __init__(self, double: ApnsDouble) -> None:
        self.double = double
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        values: dict[int, int] = {SettingCodes.MAX_CONCURRENT_STREAMS: double.max_streams}
        if double.window is not None:
            values[SettingCodes.INITIAL_WINDOW_SIZE] = double.window
        self.requests: dict[int, _Request] = {}
        self.highest = 0
        self.last = 2**31 - 1
        """What a GOAWAY has promised not to act on is above this."""
        self.ended = False
        self.answering: set[asyncio.Task[None]] = set()
        self.h2.local_settings = Settings(client=False, initial_values=values)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.double.connections += 1
        self.double.live.add(self)
        if self.double.mute:
            return
        self.h2.initiate_connection()
        self.flush()
        if self.double.goaway_at_once:
            self.double.goaway_at_once -= 1
            self.goaway(0)

    def connection_lost(self, exc: Exception | None) -> None:
        self.double.live.discard(self)
        for task in self.answering:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        if self.double.mute:
            return
        try:
            for event in self.h2.receive_data(data):
                if not self.ended:
                    self.on_event(event)
        except ProtocolError:
            self.transport.abort()
            raise
        self.flush()

    def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.RequestReceived):
            assert event.stream_id is not None
            self.requests[event.stream_id] = _Request({str(n): str(v) for n, v in event.headers or ()})
            self.highest = event.stream_id
            self.double.most_open = max(self.double.most_open, self.h2.open_inbound_streams)
        elif isinstance(event, events.DataReceived):
            self.requests[event.stream_id or 0].body += event.data or b""
            self.h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
        elif isinstance(event, events.StreamEnded):
            request = self.requests.pop(event.stream_id or 0)
            if (event.stream_id or 0) <= self.last:
                self.on_request(event.stream_id or 0, request)
        elif isinstance(event, events.PingReceived):
            self.double.pings += 1

    def on_request(self, stream: int, request: _Request) -> None:
        double, headers = self.double, request.headers
        double.seen += repr(sorted(headers.items())).encode() + bytes(request.body)
        token = headers[":path"].rpartition("/")[2]
        refusal = self.refusal(request)
        fault = refusal or double.fault_for(token)
        push = Push(token, time.time_ns() // 1_000_000, headers, bytes(request.body))
        if isinstance(fault, Answer):
            if fault.status == 200:
                double.accepted.append(push)
            self.answer(stream, fault)
            return
        if fault.acts:
            double.accepted.append(push)
        if fault is GOAWAY_BEFORE:
            self.goaway(stream - 2)
        elif fault is GOAWAY_AFTER:
            self.goaway(stream)
            self.answer(stream, Answer(200))
        elif fault is GOAWAY_TWICE:
            self.goaway(2**31 - 1)
            self.goaway(stream - 2)
            self.transport.close()
            self.ended = True
        elif fault is REFUSED_STREAM:
            self.transport.write(RstStreamFrame(stream, error_code=7).serialize())
        elif fault is RESET_STREAM:
            self.transport.write(RstStreamFrame(stream, error_code=2).serialize())
        elif fault is RESET:
            self.transport.abort()
            self.ended = True
        elif fault is GARBAGE:
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 50)
        elif fault is LONG:
            self.h2.send_headers(stream, [(":status", "429")])
            for _ in range(3):
                self.h2.send_data(stream, b"x" * 16_000)
            self.flush()
        elif fault is STRANGE:
            self.h2.config.header_encoding = None
            self.h2.send_headers(stream, [(b":status", b"200"), (b"x-strange", b"\xff\xfe")], end_stream=True)
            self.double.answers.append(200)
        elif fault is HELD:
            task = asyncio.create_task(self.held(stream))
            self.answering.add(task)

    async def held(self, stream: int) -> None:
        await self.double.release.wait()
        self.answer(stream, Answer(200))

    def answer(self, stream: int, answer: Answer) -> None:
        self.double.answers.append(answer.status)
        members: dict[str, Any] = {"reason": answer.reason} if answer.reason else {}
        if answer.timestamp is not None:
            members["timestamp"] = answer.timestamp
        body = json.dumps(members).encode() if members else b""
        try:
            self.h2.send_headers(stream, [(":status", str(answer.status)), *answer.headers], end_stream=not body)
            if body:
                self.h2.send_data(stream, body, end_stream=True)
        except H2Error:
            return  # the client has given the stream up
        self.flush()

    def goaway(self, last_stream: int) -> None:
        """Past h2, whose connection would end with it: the streams below are still to be answered."""
        self.last = min(self.last, last_stream)
        self.transport.write(GoAwayFrame(0, last_stream_id=last_stream, error_code=0).serialize())

    def open_windows(self) -> None:
        self.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 65_535})
        self.flush()

    def flush(self) -> None:
        data = self.h2.data_to_send()
        if data and not self.ended:
            self.transport.write(data)

    # --- what Apple checks ---------------------------------------------------------------------------
    def refusal(self, request: _Request) -> Answer | None:
        headers = request.headers
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme != "bearer":
            return Answer(403, "MissingProviderToken")
        issued = self.issued(token)
        if issued is None:
            return Answer(403, "InvalidProviderToken")
        self.double.provider_tokens.add(token)
        if not 0 <= self.double.now() // 1000 - issued <= 3600:
            return Answer(403, "ExpiredProviderToken")
        if headers.get(":method") != "POST":
            return Answer(405, "MethodNotAllowed")
        if not re.fullmatch("/3/device/[0-9a-f]+", headers[":path"]):
            return Answer(404, "BadPath")
        if "apns-topic" not in headers:
            return Answer(400, "MissingTopic")
        if headers["apns-topic"] != TOPIC:
            return Answer(400, "TopicDisallowed")
        if headers.get("apns-push-type") not in ("background", "alert"):
            return Answer(400, "InvalidPushType")
        if headers["apns-push-type"] == "background" and headers.get("apns-priority") != "5":
            return Answer(400, "BadPriority")
        if len(headers.get("apns-collapse-id", "").encode()) > 64:
            return Answer(400, "BadCollapseId")
        if not headers.get("apns-expiration", "0").isdecimal():
            return Answer(400, "BadExpirationDate")
        if not request.body:
            return Answer(400, "PayloadEmpty")
        if len(request.body) > 4096:
            return Answer(413, "PayloadTooLarge")
        return None

    def issued(self, token: str) -> int | None:
        """When a provider token was made; None when it is not the team's."""
        text, _, signature = token.rpartition(".")
        raw = _decoded(signature)
        try:
            self.double.public_key.verify(
                encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")),
                text.encode(),
                ec.ECDSA(hashes.SHA256()),
            )
        except InvalidSignature:
            return None
        header, claims = (json.loads(_decoded(part)) for part in text.split("."))
        if (header["alg"], header["kid"], claims["iss"], len(raw)) != ("ES256", KEY_ID, TEAM, 64):
            return None
        issued: int = claims["iat"]
        return issued


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
