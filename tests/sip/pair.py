"""Two ends of one SIP connection with a dialog layer each: messages go to and fro when the test says so."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from typing import TypeVar

from letterlock.codec.sip import Headers, Limits, NameAddr, Request, Response, StreamParser, encode
from letterlock.sip.answering import RepeatTimes
from letterlock.sip.authenticator import Authenticator
from letterlock.sip.calling import Invitation
from letterlock.sip.dialog import dialog_key
from letterlock.sip.dialog_layer import DialogLayer, Told, Usage
from letterlock.sip.effects import Body
from letterlock.sip.session import Session
from letterlock.sip.session_events import SessionSettings
from letterlock.sip.session_timer import TimerPolicy
from letterlock.sip.transaction import Timers
from letterlock.sip.user_agent import UserAgent, UserAgentSettings
from letterlock.sip.user_agent_events import Event, Received

LIMITS = Limits(65_536, 200, 8192, 262_144)
AGENT = UserAgentSettings(
    limits=LIMITS,
    timers=Timers(timeout_ms=32_000, absorb_ms=32_000),
    max_open=8,
    max_message=20_000,
    ping_ms=10_000_000,
    pong_ms=10_000,
    extensions=frozenset({"timer", "norefersub", "multiple-refer", "recipient-list-invite"}),
)
SESSION = SessionSettings(
    timer=TimerPolicy(interval_s=1800, least_s=90),
    times=RepeatTimes(t1_ms=500, t2_ms=4000, give_up_ms=32_000),
    ring_ms=60_000,
    allow="INVITE, ACK, CANCEL, BYE, UPDATE, INFO, REFER",
)
OFFER = Body("application/sdp", b"offer")
ANSWER = Body("application/sdp", b"answer")

T = TypeVar("T")


def rng_of(seed: str) -> Callable[[int], bytes]:
    counter = itertools.count()
    return lambda n: hashlib.shake_256(f"{seed}{next(counter)}".encode()).digest(n)


def invitation(**changes: object) -> Invitation:
    values: dict[str, object] = {
        "uri": "sip:b@h",
        "to": NameAddr.parse("<sip:b@h>"),
        "identity": NameAddr.parse("<sip:a@h>"),
        "contact": "<sip:a@127.0.0.1:4000;transport=tcp>",
        "routes": (),
        "headers": (),
        "body": OFFER,
    }
    return Invitation(**{**values, **changes})  # type: ignore[arg-type]


class Side:
    """One end. `take` decides what becomes of requests that begin something; without it they are refused with 480."""

    def __init__(self, name: str, settings: SessionSettings = SESSION, agent: UserAgentSettings = AGENT) -> None:
        self.name = name
        self.rng = rng_of(name)
        self.settings = settings
        self.agent = UserAgent(agent, "TCP", ("127.0.0.1", 4000), Authenticator(name, "pw", self.rng), self.rng, 0)
        self.connected = True
        self.layer = DialogLayer(lambda: self.agent if self.connected else None, max_usages=4)
        self.told: list[Told] = []
        self.others: list[Event] = []
        self.received: list[Request] = []
        self.take: Callable[[Received, int], None] = lambda event, now: self.agent.respond(event.key, 480, now)

    def call(self, now: int, **changes: object) -> Session:
        session = Session.call(self.settings, invitation(**changes), self.rng)
        self.told += self.layer.add(session, session.start(now)[0], now)
        return session

    def accept(self, event: Received, now: int) -> None:
        """A `take`: answer the call at once."""
        self.begin(event, now)
        self.told += self.layer.perform(self.session, self.session.accept(ANSWER, now), now)

    def begin(self, event: Received, now: int) -> None:
        """A `take`: note the call."""
        self.session = Session.called(self.settings, event.key, event.request, f"<sip:{self.name}@127.0.0.1>", self.rng)
        effects, events = self.session.start(now)
        self.told += [Told(self.session, each) for each in events]
        self.told += self.layer.called(self.agent, event.key, self.session, effects, now)

    def do(self, usage: Usage, step: object, now: int) -> None:
        """Perform what a method of a usage returned: effects, or effects and events."""
        effects, events = step if isinstance(step, tuple) else (step, [])
        self.told += [Told(usage, event) for event in events]
        self.told += self.layer.perform(usage, effects, now)  # type: ignore[arg-type]

    def feed(self, data: bytes, now: int) -> None:
        for event in self.agent.receive_data(data, now):
            if isinstance(event, Received):
                self.received.append(event.request)
            told = self.layer.on_event(self.agent, event, now)
            if told is not None:
                self.told += told
            elif isinstance(event, Received) and dialog_key(event.request) is not None:
                self.agent.respond(event.key, 481, now)
            elif isinstance(event, Received):
                self.take(event, now)
            else:
                self.others.append(event)

    def tick(self, now: int) -> None:
        for event in self.agent.on_deadline(now):
            self.told += self.layer.on_event(self.agent, event, now) or []
        self.told += self.layer.on_deadline(now)

    def events(self, kind: type[T]) -> list[T]:
        return [told.event for told in self.told if isinstance(told.event, kind)]

    def sent(self) -> list[Request | Response]:
        """What it has written since the last time."""
        items = StreamParser(LIMITS).feed(self.agent.data_to_send())
        return [item for item in items if isinstance(item, Request | Response)]


class Pair:
    """Both ends. `lost` says which messages the way between them swallows; `log` is what was sent."""

    def __init__(self, a: Side | None = None, b: Side | None = None) -> None:
        self.a = a or Side("a")
        self.b = b or Side("b")
        self.b.take = self.b.accept
        self.lost: Callable[[Request | Response], bool] = lambda message: False
        self.log: list[str] = []
        self.now = 1_000_000

    def settle(self) -> None:
        """Carry messages until nobody has anything to say."""
        for _ in range(40):
            moved = False
            for sender, receiver in ((self.a, self.b), (self.b, self.a)):
                for message in sender.sent():
                    moved = True
                    self.log.append(f"{sender.name}: {label(message)}")
                    if not self.lost(message):
                        receiver.feed(encode(message), self.now)
            if not moved:
                return
        raise AssertionError(f"they do not stop: {self.log[-6:]}")

    def pass_time(self, ms: int) -> None:
        """Let time pass, stopping at every deadline on the way."""
        end = self.now + ms
        for _ in range(500):
            deadlines = [
                at
                for side in (self.a, self.b)
                for at in (side.agent.next_deadline(), side.layer.next_deadline())
                if at is not None
            ]
            self.now = max(self.now, min([*deadlines, end]))
            if self.now >= end and all(at > end for at in deadlines):
                return
            for side in (self.a, self.b):
                side.tick(self.now)
            self.settle()
        raise AssertionError("time does not pass")


def label(message: Request | Response) -> str:
    if isinstance(message, Request):
        return message.method
    return f"{message.status} {(message.headers.get('CSeq') or '').partition(' ')[2]}"


def without(request: Request, *names: str) -> Request:
    headers = request.headers
    for name in names:
        headers = headers.without(name)
    return Request(request.method, request.uri, headers, request.body)


def with_(request: Request, name: str, value: str) -> Request:
    return Request(request.method, request.uri, request.headers.with_(name, value), request.body)


def response(
    request: Request | Response, status: int, *headers: tuple[str, str], tag: str = "", body: bytes = b""
) -> bytes:
    """A hand-made answer to a request that was sent."""
    names = ("Via", "From", "To", "Call-ID", "CSeq")
    items = [(name, request.headers.get(name) or "") for name in names]
    items = [
        (name, f"{value};tag={tag}" if name == "To" and tag and "tag=" not in value else value) for name, value in items
    ]
    return encode(Response(status, "x", Headers([*items, *headers]), body))
