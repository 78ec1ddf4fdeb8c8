"""Every decision of the carrier, without sockets and clocks: messages in, effects out.

A request is let in when it comes over a connection that has registered the number it speaks for, or
with Digest credentials for it; who it is from is then written by us and by nobody else. REGISTER goes
to `registrar`, MESSAGE and OPTIONS to `proxy`, all else is refused.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ..codec.sip import Challenge, Credentials, Headers, NameAddr, Params, Request, Response, Uri, Via
from ..errors import DecodeError
from ..ids import Instant, Number, Rng
from ..sip.digest_server import DigestServer, Outcome
from ..sip.message import new_tag, request_problem, response_to, with_received
from .accounts import Accounts
from .location import Locations
from .mailbox import Mailbox
from .proxy import Effect, Hangup, Proxy, Send
from .registrar import Registrar
from .settings import Settings
from .tap import Interference, Message, Seen, Tap

__all__ = ["Carriage", "Effect", "Hangup", "Send"]

_ALLOW = "REGISTER, MESSAGE, OPTIONS"
_HOUSEKEEPING_MS = 1000
_ADDED, _ADDED_LINES = 1024, 8  # bytes and lines of header that a request and its answer gain on the way

_Job: TypeAlias = Callable[[Instant], list[Effect]]


@dataclass(slots=True)
class _Peer:
    """One open connection."""

    host: str
    port: int
    failures: int = 0
    malformed: int = 0


class Carriage:
    """The whole of it. `transport` is TCP or TLS, `host` and `port` where it listens, `names` what else it is called."""

    def __init__(
        self,
        settings: Settings,
        accounts: Accounts,
        *,
        transport: str,
        host: str,
        port: int,
        key: bytes,
        rng: Rng,
        tap: Tap | None = None,
    ) -> None:
        self.locations = Locations(settings.grace_ms)
        self.mailbox = Mailbox(settings.mailbox)
        self._settings = settings
        self._accounts = accounts
        self._tap = tap
        self._rng = rng
        self._names = frozenset({settings.domain, host, f"[{host}]"})
        self._port = port
        self._sent_by = Via(transport, f"[{host}]" if ":" in host else host, port, Params())
        route = f"<sip:{self._sent_by.sent_by};transport={transport.lower()};lr>"
        self._digest = DigestServer(
            settings.domain, key, accounts.password_of, algorithms=settings.algorithms, qop=settings.qop
        )
        self._registrar = Registrar(settings, self._digest, self.locations, route, rng)
        self._proxy = Proxy(settings, self.locations, self.mailbox, self._sent_by, rng, self._tap_response, self._at)
        self._peers: dict[int, _Peer] = {}
        self._jobs: list[tuple[Instant, int, _Job]] = []
        self._sequence = 0
        self._housekeeping_at: Instant = 0

    # --- input -------------------------------------------------------------------------------------
    def connected(self, connection: int, host: str, port: int) -> None:
        """A peer opened a connection."""
        self._peers[connection] = _Peer(host, port)

    def received(self, connection: int, message: Message, now: Instant) -> list[Effect]:
        """One message from a peer. Never raises on hostile input."""
        if connection not in self._peers:
            return []
        try:
            if isinstance(message, Response):
                return self._proxy.on_response(connection, message, now)
            return self._request(connection, message, now)
        except DecodeError as error:
            if isinstance(message, Response) or message.method == "ACK":
                return []
            return [Send(connection, response_to(message, 400, f"Bad Request ({error.code})", tag=self._tag()))]

    def malformed(self, connection: int) -> list[Effect]:
        """A framed message that did not parse."""
        peer = self._peers[connection]
        peer.malformed += 1
        return [Hangup(connection, "malformed messages")] if peer.malformed >= self._settings.max_malformed else []

    def disconnected(self, connection: int, now: Instant) -> list[Effect]:
        """The connection is gone, and with it every contact on it: none stays behind to be tried in vain."""
        if self._peers.pop(connection, None) is None:
            return []
        forgotten = [device for device in self.locations.on(connection) if self.locations.release(device, now)]
        self.mailbox.forget(device.key for device in forgotten)
        return self._proxy.on_disconnect(connection, now)

    def on_deadline(self, now: Instant) -> list[Effect]:
        """Do what is due."""
        effects: list[Effect] = []
        while self._jobs and self._jobs[0][0] <= now:
            effects += heapq.heappop(self._jobs)[2](now)
        effects += self._proxy.on_deadline(now)
        if self._housekeeping_at <= now:
            self._housekeeping_at = now + _HOUSEKEEPING_MS
            _, forgotten = self.locations.expire(now)
            self.mailbox.forget(device.key for device in forgotten)
            self.mailbox.expire(now)
        return effects

    def next_deadline(self) -> Instant:
        """When to call `on_deadline` next, at the latest."""
        times = [self._housekeeping_at]
        if self._jobs:
            times.append(self._jobs[0][0])
        if (branch := self._proxy.next_deadline()) is not None:
            times.append(branch)
        return min(times)

    def inject(self, request: Request, phone: Number, now: Instant) -> list[Effect]:
        """Forge: send a request to all devices of a number as if somebody had sent it. For tests of hostile carriers."""
        return self._proxy.forward(None, request, phone, now)

    def has_registered(self, connection: int) -> bool:
        """Whether a number is bound over this connection."""
        return any(device.connection == connection for device in self.locations)

    # --- requests ------------------------------------------------------------------------------------
    def _request(self, connection: int, request: Request, now: Instant) -> list[Effect]:
        peer = self._peers[connection]
        if request.method == "ACK":
            return []
        problem = request_problem(request)
        if problem is not None:
            return [Send(connection, response_to(request, problem[0], problem[1], tag=self._tag()))]
        request = with_received(request, peer.host, peer.port)
        refusal = self._refusal(request)
        if refusal is not None:
            return [Send(connection, refusal)]
        if request.method == "REGISTER":
            return self._register(connection, request, now)
        sender = self._sender(connection, request, now)
        if isinstance(sender, Response):
            return self._refused(connection, request, sender)
        return self._forward(connection, request, sender, now)

    def _refusal(self, request: Request) -> Response | None:
        """What is wrong with a request whoever sends it."""
        if request.method not in ("REGISTER", "MESSAGE", "OPTIONS"):
            return self._answer(request, 405, ("Allow", _ALLOW))
        # A device's answer brings the same lines back with ours added: over the bounds it would cut the device off.
        sizes = [len(name) + len(value.encode()) + 4 for name, value in request.headers]
        bounds = self._settings.sip
        if (
            len(sizes) + _ADDED_LINES > bounds.max_headers
            or max(sizes) + _ADDED > bounds.max_line
            or sum(sizes) + _ADDED > bounds.max_header_bytes
        ):
            return self._answer(request, 513, reason="Headers Too Long")
        hops = request.headers.get("Max-Forwards")
        if hops is not None and (not hops.isascii() or not hops.isdigit() or len(hops) > 3):
            return self._answer(request, 400, reason="Bad Max-Forwards")
        if hops is not None and int(hops) == 0 and request.method != "REGISTER":
            return self._answer(request, 483)
        for text in request.headers.listed("Via"):
            via = Via.parse(text)
            if (via.host, via.port) == (self._sent_by.host, self._port):
                # Nothing that went through us has a reason to come back.
                return self._answer(request, 482)
        needed = request.headers.listed("Proxy-Require")
        if needed:
            return self._answer(request, 420, ("Unsupported", ", ".join(needed)))
        uri = Uri.parse(request.uri)
        if uri.scheme != "tel" and uri.host not in self._names:
            return self._answer(request, 403, reason="No relaying")
        for text in request.headers.listed("Route"):
            if NameAddr.parse(text).uri.host not in self._names:
                return self._answer(request, 403, reason="No relaying")
        return None

    def _register(self, connection: int, request: Request, now: Instant) -> list[Effect]:
        if self._tap is not None:
            address = NameAddr.parse(request.headers.get("To") or "").uri
            seen = self._tap(Seen(request, address.number, None))
            if seen is not None:
                answer = [] if seen.answer is None else [Send(connection, self._answer(request, seen.answer))]
                return answer + [
                    effect
                    for message, _ in seen.deliver
                    if isinstance(message, Request)
                    for effect in self._registered(connection, message, now)
                ]
        return self._registered(connection, request, now)

    def _registered(self, connection: int, request: Request, now: Instant) -> list[Effect]:
        response, bound = self._registrar.register(connection, request, now)
        if response.status in (401, 403):
            return self._refused(connection, request, response)
        effects: list[Effect] = [Send(connection, response)]
        for device in bound:
            effects += self._proxy.hand_over(device, now)
        return effects

    def _refused(self, connection: int, request: Request, response: Response) -> list[Effect]:
        """Answer, and hang up on a peer that only guesses."""
        peer = self._peers[connection]
        peer.failures += _guessed(request, response)
        effects: list[Effect] = [Send(connection, response)]
        if peer.failures > self._settings.max_auth_failures:
            effects.append(Hangup(connection, "authentication failed too often"))
        return effects

    def _sender(self, connection: int, request: Request, now: Instant) -> Number | Response:
        """The number that this request may speak for, or the answer that refuses it."""
        claimed = _claimed(request.headers)
        registered = {device.number for device in self.locations.on(connection)}
        if registered and not self._settings.challenge_requests:
            if claimed in registered:
                return Number(claimed or "")
            if claimed is None:
                return sorted(registered)[0]
            return self._answer(request, 403, reason="Not your number")
        given = request.headers.all("Proxy-Authorization")
        verdict = self._digest.verify(given, request.method, request.uri, now, request.body)
        if verdict.outcome is not Outcome.ACCEPTED:
            challenges = self._digest.challenge(now, self._rng, stale=verdict.outcome is Outcome.STALE)
            return self._answer(request, 407, *(("Proxy-Authenticate", value) for value in challenges))
        proven = Number((verdict.username or "").partition("@")[0])
        if claimed is not None and claimed != proven:
            return self._answer(request, 403, reason="Not your number")
        return proven

    def _forward(self, connection: int, request: Request, sender: Number, now: Instant) -> list[Effect]:
        uri = Uri.parse(request.uri)
        if request.method == "OPTIONS" and uri.scheme != "tel" and uri.user is None:
            return [Send(connection, self._answer(request, 200, ("Allow", _ALLOW), ("Accept", "message/cpim")))]
        phone = uri.number
        if phone is None or not (self._accounts.has(phone) or self.locations.of(phone)):
            return [Send(connection, self._answer(request, 404))]
        outward = Request(request.method, request.uri, self._outward(request.headers, sender), request.body)
        seen = None if self._tap is None else self._tap(Seen(outward, sender, phone))
        if seen is None:
            return self._proxy.forward((connection, request), outward, phone, now)
        return self._interfered(connection, request, phone, seen, now)

    def _interfered(
        self, connection: int, request: Request, phone: Number, seen: Interference, now: Instant
    ) -> list[Effect]:
        effects: list[Effect] = []
        upstream: tuple[int, Request] | None = (connection, request)
        if seen.answer is not None:
            effects.append(Send(connection, self._answer(request, seen.answer)))
            upstream = None
        for message, delay in seen.deliver:
            if not isinstance(message, Request):
                continue
            job = self._forwarding(upstream, message, phone)
            upstream = None  # the sender hears of the first copy only
            if delay:
                self._at(now + delay, job)
            else:
                effects += job(now)
        return effects

    def _forwarding(self, upstream: tuple[int, Request] | None, request: Request, phone: Number) -> _Job:
        return lambda now: self._proxy.forward(upstream, request, phone, now)

    def _outward(self, headers: Headers, sender: Number) -> Headers:
        """What devices get to see: one hop less, no credentials, no routes, and the identity that we assert."""
        hops = int(headers.get("Max-Forwards") or "70")
        out = headers.with_("Max-Forwards", str(min(hops, 70) - 1))
        for name in (
            "Route",
            "Authorization",
            "Proxy-Authorization",
            "P-Preferred-Identity",
            "P-Asserted-Identity",  # whoever wrote it, it was not us
            "P-Asserted-Service",
        ):
            out = out.without(name)
        service = out.get("P-Preferred-Service")
        if service is not None:
            out = out.without("P-Preferred-Service").appended("P-Asserted-Service", service)
        identity = Uri.of_number(sender, self._settings.domain).encode()
        return out.appended("P-Asserted-Identity", f"<{identity}>").appended("P-Asserted-Identity", f"<tel:{sender}>")

    # --- help ----------------------------------------------------------------------------------------
    def _tap_response(self, response: Response, device: Number) -> list[tuple[Response, int]]:
        seen = None if self._tap is None else self._tap(Seen(response, device, None))
        if seen is None:
            return [(response, 0)]
        return [(message, delay) for message, delay in seen.deliver if isinstance(message, Response)]

    def _at(self, when: Instant, job: _Job) -> None:
        self._sequence += 1
        heapq.heappush(self._jobs, (when, self._sequence, job))

    def _answer(self, request: Request, status: int, *headers: tuple[str, str], reason: str = "") -> Response:
        return response_to(request, status, reason, tag=self._tag(), headers=headers)

    def _tag(self) -> str:
        return new_tag(self._rng)


def _guessed(request: Request, response: Response) -> bool:
    """Whether what was refused is a guess. No credentials, or those of an old nonce, are how an honest exchange begins."""
    if response.status == 403:
        return True
    given, asked = ("Proxy-Authorization", "Proxy-Authenticate")
    if response.status == 401:
        given, asked = ("Authorization", "WWW-Authenticate")
    tried = any(Credentials.parse(text).response for text in request.headers.all(given))
    return tried and not any(Challenge.parse(text).stale for text in response.headers.all(asked))


def _claimed(headers: Headers) -> Number | None:
    """Who the sender says it is: P-Preferred-Identity, else From; None for an anonymous one."""
    for name in ("P-Preferred-Identity", "From"):
        for text in headers.listed(name):
            phone = NameAddr.parse(text).uri.number
            if phone is not None:
                return phone
    return None
