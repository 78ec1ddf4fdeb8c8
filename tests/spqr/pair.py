"""Two ends of a ratchet and the messages between them, for the tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from crypto.deterministic import seeded_rng
from letterlock.crypto.pyca import Pyca
from letterlock.ids import Rng
from letterlock.signal.spqr import LIMITS, ChainLimits, Spqr

__all__ = ["PROVIDER", "Flight", "Pair"]

PROVIDER = Pyca()


@dataclass(frozen=True)
class Flight:
    """A message under way, with the key its sender used."""

    message: bytes
    key: bytes


@dataclass
class Pair:
    """Alice (who initiated) and Bob. Every key received is compared with the key sent, and none may come twice."""

    seed: object = 0
    limits: ChainLimits = LIMITS
    ends: list[Spqr] = field(init=False)
    rng: Rng = field(init=False)
    keys: set[bytes] = field(default_factory=set)
    seen: set[tuple[str, str]] = field(default_factory=set)
    on_step: Callable[[Spqr], Spqr] = field(default=lambda end: end)

    def __post_init__(self) -> None:
        self.rng = seeded_rng(repr(self.seed))
        pqr_key = self.rng(32)
        self.ends = [Spqr.initiate(PROVIDER, pqr_key, who == 0, limits=self.limits) for who in (0, 1)]

    def send(self, who: int) -> Flight:
        """The next message of 0 (Alice) or 1 (Bob)."""
        before = self.ends[who]
        after, message, key = before.send(self.rng)
        assert len(key) == 32
        assert key not in self.keys, "a message key was used twice"
        self.keys.add(key)
        self._step(who, after)
        return Flight(message, key)

    def receive(self, who: int, flight: Flight) -> None:
        """Deliver a message to 0 or 1."""
        after, key = self.ends[who].receive(flight.message)
        assert key == flight.key, "the two ends disagree on a key"
        self._step(who, after)

    def exchange(self, who: int) -> None:
        """One message from `who`, delivered."""
        self.receive(1 - who, self.send(who))

    def round_trips(self, count: int) -> None:
        """Ping-pong without loss."""
        for _ in range(count):
            self.exchange(0)
            self.exchange(1)

    def until(self, who: int, state: str, most: int = 400) -> Spqr:
        """Ping-pong until `who` is in that state of the braid."""
        for _ in range(most):
            for sender in (0, 1):
                if self.ends[who].state == state:
                    return self.ends[who]
                self.receive(1 - sender, self.send(sender))
        raise AssertionError(f"never came to {state}")

    def _step(self, who: int, after: Spqr) -> None:
        before = self.ends[who]
        if before.state != after.state:
            self.seen.add((before.state, after.state))
        assert 0 <= after.epoch - before.epoch <= 1
        self.ends[who] = self.on_step(after)
