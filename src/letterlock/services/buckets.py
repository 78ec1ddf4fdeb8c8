"""Token buckets in bounded memory, on a clock that is passed in; and the one refusal of whoever comes too often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from ..errors import ServiceError
from ..ids import Instant

__all__ = ["Buckets", "Rate", "too_many"]

E = TypeVar("E", bound=ServiceError)

_DROP_EVERY_MS = 5000


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: `burst` calls at once, refilled evenly over `per_ms`."""

    burst: int
    per_ms: int


class Buckets:
    """Buckets by (purpose, key). Not for several threads at once.

    A bucket that is full again is as good as none and may be dropped. When the memory is full of
    others, newcomers share one bucket per purpose: a flood of addresses slows newcomers down and
    lifts nobody's limit.
    """

    __slots__ = ("_dropped_at", "_levels", "_max")

    def __init__(self, max_buckets: int) -> None:
        self._max = max_buckets
        self._dropped_at: Instant | None = None
        self._levels: dict[tuple[str, object], tuple[float, Instant, Rate]] = {}

    def take(self, purpose: str, key: object, rate: Rate, now: Instant) -> int:
        """Take one token. 0 when there was one, else the milliseconds until there will be."""
        name = (purpose, key)
        if name not in self._levels and len(self._levels) >= self._max:
            self._drop_full(now)
            if len(self._levels) >= self._max:
                name = (purpose, None)
        level = self._level(name, rate, now)
        if level < 1:
            self._levels[name] = (level, now, rate)
            return max(1, int((1 - level) * rate.per_ms / rate.burst))
        self._levels[name] = (level - 1, now, rate)
        return 0

    def spend(self, refusal: type[ServiceError], purpose: str, key: object, rate: Rate, now: Instant) -> None:
        """Take one token, or raise `too_many` of this kind."""
        wait = self.take(purpose, key, rate, now)
        if wait:
            raise too_many(refusal, wait)

    def __len__(self) -> int:
        return len(self._levels)

    def _level(self, name: tuple[str, object], rate: Rate, now: Instant) -> float:
        level, at, _ = self._levels.get(name, (float(rate.burst), now, rate))
        # A clock that is set back gives no tokens and takes none.
        return min(float(rate.burst), level + max(0, now - at) * rate.burst / rate.per_ms)

    def _drop_full(self, now: Instant) -> None:
        # Not for every newcomer of a flood: a look at all buckets costs what the limit is to save.
        if self._dropped_at is not None and abs(now - self._dropped_at) < _DROP_EVERY_MS:
            return
        self._dropped_at = now
        for name, (_, _, rate) in list(self._levels.items()):
            if self._level(name, rate, now) >= rate.burst:
                del self._levels[name]


def too_many(refusal: type[E], wait_ms: int) -> E:
    """The refusal of a rate limit (SR-13, SR-17): `directory.rate` and the like; the answer says how long to wait."""
    seconds = -(-wait_ms // 1000)
    return refusal(
        "too many requests",
        code=f"{refusal.code}.rate",
        hint=f"try again in {seconds} s",
        status=429,
        retry_after_s=seconds,
    )
