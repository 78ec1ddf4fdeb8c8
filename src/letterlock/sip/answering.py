"""A 2xx to an INVITE waits for its ACK (RFC 3261 section 13.3.1.4).

Over TCP nothing is lost, but the way to the caller may have a hop that does lose: the 2xx is repeated, at T1, doubling up
to T2, until the ACK is there. After 64*T1 without one the session is ended.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..ids import Instant
from .transaction import TransactionKey

__all__ = ["AwaitedAck", "RepeatTimes"]


@dataclass(frozen=True, slots=True)
class RepeatTimes:
    """T1, T2 and 64*T1 of RFC 3261 (500 ms, 4 s, 32 s)."""

    t1_ms: int
    t2_ms: int
    give_up_ms: int


@dataclass(frozen=True, slots=True)
class AwaitedAck:
    """`sequence` is the CSeq number that its ACK will have."""

    key: TransactionKey
    sequence: int
    repeat_at: Instant
    interval_ms: int
    give_up_at: Instant

    @classmethod
    def of(cls, key: TransactionKey, sequence: int, times: RepeatTimes, now: Instant) -> AwaitedAck:
        """For a 2xx that is sent now."""
        return cls(key, sequence, now + times.t1_ms, times.t1_ms, now + times.give_up_ms)

    @property
    def deadline(self) -> Instant:
        return min(self.repeat_at, self.give_up_at)

    def repeated(self, times: RepeatTimes, now: Instant) -> AwaitedAck:
        """Behind a repetition at `now`."""
        interval = min(2 * self.interval_ms, times.t2_ms)
        return replace(self, repeat_at=now + interval, interval_ms=interval)
