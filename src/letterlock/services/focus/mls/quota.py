"""How often a group has changed its epoch, its era, or been joined from outside: windows as values."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ....ids import Instant

__all__ = ["Quotas"]

_HOUR = 3_600_000
_DAY = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class Quotas:
    """`external` and `eras` are when it happened, within the last day; `epochs` how often since `hour` began."""

    external: tuple[Instant, ...] = ()
    eras: tuple[Instant, ...] = ()
    hour: Instant = 0
    epochs: int = 0

    def external_today(self, now: Instant) -> int:
        return _since(self.external, now - _DAY)

    def eras_today(self, now: Instant) -> int:
        return _since(self.eras, now - _DAY)

    def eras_this_hour(self, now: Instant) -> int:
        return _since(self.eras, now - _HOUR)

    def epochs_this_hour(self, now: Instant) -> int:
        return self.epochs if self._same_hour(now) else 0

    def with_epoch(self, now: Instant, *, external: bool) -> Quotas:
        """One more epoch."""
        counted = replace(self, epochs=self.epochs + 1) if self._same_hour(now) else replace(self, hour=now, epochs=1)
        return replace(counted, external=_kept(self.external, now)) if external else counted

    def with_era(self, now: Instant) -> Quotas:
        """One more era."""
        return replace(self, eras=_kept(self.eras, now))

    def _same_hour(self, now: Instant) -> bool:
        # A clock that was set back must not lock a group up for longer than an hour.
        return abs(now - self.hour) < _HOUR


def _since(times: tuple[Instant, ...], start: Instant) -> int:
    return sum(each > start for each in times)


def _kept(times: tuple[Instant, ...], now: Instant) -> tuple[Instant, ...]:
    return (*(each for each in times if each > now - _DAY), now)
