"""Negative cases of numbered rules: that it is refused, that it was this rule, and that it is not refused without it.

A case is a function that makes something which breaks one rule, and returns the act that must be refused. `refusals`
gives the decorator that makes a test of it, which runs it twice: refused by exactly that rule; and in a new world, with
the rule switched off, not refused by it. A case with `places` runs for each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from letterlock.errors import LetterlockError
from letterlock.rules import NumberedRule

__all__ = ["refusals", "switched_off"]

Act = Callable[[], object]
Case = Callable[..., Act]


@contextmanager
def switched_off(kind: type[NumberedRule], *ids: str) -> Iterator[None]:
    """These rules of one specification do nothing; without ids none of it does, for somebody who makes what they forbid."""
    fail = kind.fail

    def quiet(self: NumberedRule, what: str) -> None:
        if ids and self.id not in ids:
            fail(self, what)

    kind.fail = quiet  # type: ignore[method-assign]
    try:
        yield
    finally:
        kind.fail = fail  # type: ignore[method-assign]


def refusals(
    kind: type[NumberedRule], rules: Mapping[str, NumberedRule], behind: tuple[type[Exception], ...] = ()
) -> Callable[..., Callable[[Case], Case]]:
    """The decorator for the rules of one specification. `behind`: what may fail in their place when they are off, because
    what comes behind them can make no sense of it."""

    def refuses(rule: str, *places: Any) -> Callable[[Case], Case]:
        def mark(case: Case) -> Case:
            def run() -> None:
                _check(rule, case)

            def run_at(place: Any) -> None:
                _check(rule, lambda: case(place))

            names: Any = [getattr(place, "__name__", str(place)) for place in places]
            test: Any = pytest.mark.parametrize("place", places, ids=names)(run_at) if places else run
            test.__name__ = test.__qualname__ = case.__name__
            test.__module__, test.__doc__ = case.__module__, case.__doc__
            return test

        return mark

    def _check(rule: str, case: Callable[[], Act]) -> None:
        act = case()
        assert rule in rules, f"{rule} is no rule"
        with pytest.raises(kind.error) as refused:
            act()
        assert refused.value.rule == rule

        act = case()
        with switched_off(kind, rule):
            try:
                act()
            except kind.error as other:
                assert other.rule != rule, "the rule refuses without `Rule.fail`"
            except (LetterlockError, *behind):
                pass

    return refuses
