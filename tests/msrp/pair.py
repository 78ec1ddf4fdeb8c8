"""Two MSRP endpoints and what is between them, without sockets and without a clock."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from letterlock.codec.msrp import Limits, MsrpUri
from letterlock.msrp import (
    BytesSource,
    Connection,
    EndpointSettings,
    Event,
    MessageBroken,
    MessagePiece,
    MessageReceived,
    MessageStarted,
    SendCompleted,
    SendFailed,
    Session,
    SessionTable,
)

LIMITS = Limits(4096, 32, 10)
SETTINGS = EndpointSettings(
    limits=LIMITS,
    transaction_ms=30_000,
    report_ms=120_000,
    bind_ms=30_000,
    stalled_ms=60_000,
    keepalive_ms=None,
    turn=16_384,
    max_outgoing=100,
    max_transactions=64,
    max_incoming=16,
    max_unconfirmed=16,
    max_gaps=8,
    max_gap_bytes=65_536,
    max_strikes=4,
    remembered=16,
    max_control=16_384,
)
ALICE = MsrpUri.parse("msrp://alicepc.example.com:7777/iau39soe2843z;tcp")
BOB = MsrpUri.parse("msrp://bob.example.com:8888/9di4eae923wzd;tcp")


@dataclass
class Endpoint:
    """A connection and what it has told."""

    connection: Connection
    table: SessionTable
    session: str
    events: list[Event] = field(default_factory=list)
    confirms: bool = True  # confirm what is received at once

    def gather(self) -> None:
        for event in self.connection.events():
            self.events.append(event)
            if isinstance(event, MessageReceived) and self.confirms:
                self.connection.confirm(event.message)

    def of(self, *kinds: type) -> list[Event]:
        return [event for event in self.events if isinstance(event, kinds)]

    def body(self, message: int) -> bytes:
        return b"".join(bytes(e.data) for e in self.events if isinstance(e, MessagePiece) and e.message == message)

    def bodies(self) -> dict[str, bytes]:
        """Those received whole, by message id."""
        received = {event.message for event in self.of(MessageReceived)}
        return {
            e.message_id: self.body(e.message)
            for e in self.events
            if isinstance(e, MessageStarted) and e.message in received
        }

    def send(self, body: bytes, *, message_id: str = "m-00000001", **options: object) -> int:
        arguments: dict[str, object] = {"success_report": True, **options}
        size = arguments.pop("size", len(body))
        source = arguments.pop("source", None) or BytesSource(body)
        content_type = arguments.pop("content_type", "text/plain")
        return self.connection.send(self.session, content_type, source, size, message_id=message_id, **arguments)  # type: ignore[arg-type]

    def ends(self) -> list[Event]:
        """How messages of ours ended."""
        return self.of(SendCompleted, SendFailed)

    def incoming_ends(self) -> list[Event]:
        return self.of(MessageReceived, MessageBroken)


def endpoint(
    local: MsrpUri,
    peer: MsrpUri,
    *,
    seed: int,
    chunk: int = 2048,
    max_size: int = 1 << 30,
    accept: tuple[str, ...] = ("*",),
    settings: EndpointSettings = SETTINGS,
    table: SessionTable | None = None,
) -> Endpoint:
    table = table or SessionTable()
    table.add(Session(local, (peer,), accept, max_size, chunk))
    assert local.session is not None
    return Endpoint(Connection(settings, table, random.Random(seed).randbytes, 0), table, local.session)


@dataclass
class Pair:
    """Alice is active, Bob passive."""

    alice: Endpoint
    bob: Endpoint
    now: int = 0

    def step(self, limit: int = 65_536) -> bool:
        """Everything that waits, once each way. False when nothing did."""
        moved = False
        for source, target in ((self.alice, self.bob), (self.bob, self.alice)):
            data = source.connection.data_to_send(limit, self.now)
            if data:
                target.connection.receive_data(data, self.now)
                moved = True
            source.gather()
            target.gather()
        return moved

    def run(self, limit: int = 65_536) -> None:
        while self.step(limit):
            pass


def pair(*, chunk: int = 2048, opened: bool = True, **options: object) -> Pair:
    """Two endpoints with one session, which is open unless told otherwise."""
    alice = endpoint(ALICE, BOB, seed=1, chunk=chunk, **options)  # type: ignore[arg-type]
    bob = endpoint(BOB, ALICE, seed=2, chunk=chunk, **options)  # type: ignore[arg-type]
    made = Pair(alice, bob)
    if opened:
        alice.connection.open_session(alice.session, 0)
        made.run()
        alice.events.clear()
        bob.events.clear()
    return made


def settings(**changes: object) -> EndpointSettings:
    return replace(SETTINGS, **changes)  # type: ignore[arg-type]
