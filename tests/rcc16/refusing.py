"""Negative cases of the numbered rules of RCC.16: that it is refused, and that it was this rule.

A case is a function that makes something which breaks one rule, and returns the act that must be refused.
`@refuses("RCC-A.3.8-01")` makes a test of it, which runs it twice: refused by exactly that rule; and in a new world, with
the rule switched off, not refused by it. A case with `places` runs for each of them. docs/spec/rcc16-validation.md lists
the tests that are marked so.
"""

from __future__ import annotations

import importlib
import pkgutil
from contextlib import AbstractContextManager

import letterlock.rcc16
import switching
from letterlock.rcc16.rules import RULES, Rule

__all__ = ["every_rule", "refuses", "switched_off"]


def every_rule() -> dict[str, Rule]:
    """The registry, with every module of `letterlock.rcc16` imported."""
    for module in pkgutil.walk_packages(letterlock.rcc16.__path__, "letterlock.rcc16."):
        importlib.import_module(module.name)
    return RULES


def switched_off(*ids: str) -> AbstractContextManager[None]:
    """These rules do nothing; without ids none does anything."""
    return switching.switched_off(Rule, *ids)


refuses = switching.refusals(Rule, RULES, (AssertionError, ArithmeticError, LookupError))
