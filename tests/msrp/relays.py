"""A relay with endpoints at it, without sockets: bytes go from one to the other in rounds."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from letterlock.codec.msrp import MsrpUri
from letterlock.msrp import CloseWanted, Connection, ConnectWanted, Relay, RelayGranted, RelaySettings, Session
from letterlock.sip.digest import DigestClient
from letterlock.sip.digest_server import DigestServer
from msrp.pair import LIMITS, SETTINGS, Endpoint, SessionTable

RELAY = MsrpUri.parse("msrps://relay.example.test:2855;tcp")
RELAY_SETTINGS = RelaySettings(
    limits=LIMITS,
    require_tls=True,
    min_expires_s=60,
    max_expires_s=3600,
    probation_ms=30_000,
    transaction_ms=30_000,
    stall_ms=60_000,
    chunk=1 << 20,
    turn=16_384,
    max_failures=3,
    max_strikes=4,
    max_tokens=4,
    max_flows=32,
    max_pending=65_536,
    max_control=65_536,
    max_transactions=256,
    max_outward=2,
    idle_ms=300_000,
)
PASSWORDS = {"alice": "one", "bob": "two"}


@dataclass
class Network:
    """One relay; `ends` are the connections to it, by the relay's number."""

    relay: Relay
    now: int = 0
    ends: dict[int, Endpoint] = field(default_factory=dict)
    wanted: list[ConnectWanted] = field(default_factory=list)
    closed: dict[int, str] = field(default_factory=dict)
    stuck: set[int] = field(default_factory=set)  # connections that take nothing
    most: int = 0  # bytes that the relay held for one connection at most

    def connect(self, name: str, seed: int, *, secure: bool = True) -> tuple[int, Endpoint]:
        connection = Connection(SETTINGS, SessionTable(), random.Random(seed).randbytes, self.now)
        end = Endpoint(connection, connection._sessions, name)
        number = self.relay.connected(secure=secure, now=self.now)
        self.ends[number] = end
        return number, end

    def step(self, limit: int = 16_384) -> bool:
        moved = False
        for number, end in list(self.ends.items()):
            if not self.relay.paused(number):
                data = end.connection.data_to_send(limit, self.now)
                if data:
                    self.relay.receive_data(number, data, self.now)
                    moved = True
            if number not in self.stuck:
                data = self.relay.data_to_send(number, limit, self.now)
                if data:
                    end.connection.receive_data(data, self.now)
                    moved = True
            end.gather()
        for event in self.relay.events():
            if isinstance(event, ConnectWanted):
                self.wanted.append(event)
            elif isinstance(event, CloseWanted):
                self.closed[event.connection] = event.reason
                end = self.ends.pop(event.connection, None)  # type: ignore[assignment]
                if end is not None:
                    end.connection.connection_lost(event.reason)
                    end.gather()
        return moved

    def run(self, limit: int = 16_384) -> None:
        while self.step(limit):
            pass


def network(settings: RelaySettings = RELAY_SETTINGS, **changes: object) -> Network:
    server = DigestServer("relay.example.test", b"k" * 32, PASSWORDS.get)
    return Network(Relay(replace(settings, **changes), RELAY, server, random.Random(9).randbytes))  # type: ignore[arg-type]


def authorized(net: Network, name: str, seed: int) -> tuple[int, Endpoint, tuple[MsrpUri, ...]]:
    """A user with an address of the relay."""
    number, end = net.connect(name, seed)
    local = f"msrps://{name}.invalid:2855/{name}1234567890;tcp"
    digest = DigestClient(name, PASSWORDS[name], random.Random(seed).randbytes)
    end.connection.authorize(RELAY.encode(), local, digest, None, net.now)
    net.run()
    (granted,) = end.of(RelayGranted)
    assert isinstance(granted, RelayGranted)
    return number, end, granted.use_path


def both(net: Network, *, chunk: int = 2048) -> tuple[Endpoint, Endpoint]:
    """Alice and Bob at one relay, in a session."""
    _, alice, alice_path = authorized(net, "alice", 1)
    _, bob, bob_path = authorized(net, "bob", 2)
    a = MsrpUri.parse("msrps://alice.invalid:2855/alice1234567890;tcp")
    b = MsrpUri.parse("msrps://bob.invalid:2855/bob1234567890;tcp")
    alice.table.add(Session(a, (*alice_path, *bob_path, b), ("*",), 1 << 30, chunk))
    bob.table.add(Session(b, (*bob_path, *alice_path, a), ("*",), 1 << 30, chunk))
    alice.session, bob.session = a.session or "", b.session or ""
    bob.connection.attach_session(bob.session)
    alice.connection.open_session(alice.session, net.now)
    net.run()
    return alice, bob
