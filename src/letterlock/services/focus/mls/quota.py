"""How often a group has changed its epoch, its era, or been joined from outside, and by whom: windows as values.

What belongs to all members belongs to no one of them: whoever wanted the others not to heal, or to put him out, would only
have to be faster (our choice).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from ....ids import Instant, Number

__all__ = ["Quotas", "Use"]

_HOUR = 3_600_000
_DAY = 24 * _HOUR

Use: TypeAlias = tuple[Number, Instant]
"""Who and when."""


@dataclass(frozen=True, slots=True)
class Quotas:
    """`external` and `eras` are those of the last day; `epochs` how many each member has made since `hour` began.

    `by` None counts everybody's."""

    external: tuple[Use, ...] = ()
    eras: tuple[Use, ...] = ()
    hour: Instant = 0
    epochs: Mapping[Number, int] = field(default_factory=dict)

    def external_today(self, now: Instant, by: Number | None = None) -> int:
        return _since(self.external, now - _DAY, by)

    def eras_today(self, now: Instant, by: Number | None = None) -> int:
        return _since(self.eras, now - _DAY, by)

    def eras_this_hour(self, now: Instant) -> int:
        return _since(self.eras, now - _HOUR, None)

    def epochs_this_hour(self, now: Instant, by: Number | None = None) -> int:
        if not self._same_hour(now):
            return 0
        return sum(self.epochs.values()) if by is None else self.epochs.get(by, 0)

    def with_epoch(self, now: Instant, by: Number, *, external: bool) -> Quotas:
        """One more epoch."""
        same = self._same_hour(now)
        epochs = {**self.epochs, by: self.epochs.get(by, 0) + 1} if same else {by: 1}
        counted = replace(self, hour=self.hour if same else now, epochs=epochs)
        return replace(counted, external=_kept(self.external, by, now)) if external else counted

    def with_era(self, now: Instant, by: Number) -> Quotas:
        """One more era."""
        return replace(self, eras=_kept(self.eras, by, now))

    def _same_hour(self, now: Instant) -> bool:
        # A clock that was set back must not lock a group up for longer than an hour.
        return abs(now - self.hour) < _HOUR


def _since(uses: tuple[Use, ...], start: Instant, by: Number | None) -> int:
    return sum(at > start and by in (None, who) for who, at in uses)


def _kept(uses: tuple[Use, ...], by: Number, now: Instant) -> tuple[Use, ...]:
    return (*(each for each in uses if each[1] > now - _DAY), (by, now))
