"""Negative cases of the numbered rules of RCC.16: that it is refused, and that it was this rule.

A case is a function that makes something which breaks one rule, and returns the act that must be refused.
`@refuses("RCC-A.3.8-01")` makes a test of it, which runs it twice: refused by exactly that rule; and in a new world, with
the rule switched off, not refused by it. A case with `places` runs for each of them. docs/spec/rcc16-validation.md lists
the tests that are marked so.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

import letterlock.rcc16
import switching
from letterlock.errors import InvalidRcc16, LetterlockError
from letterlock.rcc16.rules import RULES, Rule

__all__ = ["every_rule", "refuses", "switched_off"]

Act = Callable[[], object]
Case = Callable[..., Act]


def every_rule() -> dict[str, Rule]:
    """The registry, with every module of `letterlock.rcc16` imported."""
    for module in pkgutil.walk_packages(letterlock.rcc16.__path__, "letterlock.rcc16."):
        importlib.import_module(module.name)
    return RULES


def switched_off(*ids: str) -> AbstractContextManager[None]:
    """These rules do nothing; without ids none does anything."""
    return switching.switched_off(Rule, *ids)


def refuses(rule: str, *places: Any) -> Callable[[Case], Case]:
    """Make a test of a case; see the module."""

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
    assert rule in RULES, f"{rule} is no rule"
    with pytest.raises(InvalidRcc16) as refused:
        act()
    assert refused.value.rule == rule

    act = case()
    with switched_off(rule):
        try:
            act()
        except InvalidRcc16 as other:
            assert other.rule != rule, "the rule refuses without `Rule.fail`"
        except (LetterlockError, AssertionError, ArithmeticError, LookupError):
            pass  # something behind it could not make sense of it
