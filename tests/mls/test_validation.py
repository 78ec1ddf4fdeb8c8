"""The runner of the negative tests itself: it fails for a case that proves nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from letterlock.errors import InvalidGroupMessage
from letterlock.mls.rules import RULES, Rule

from .refusing import Attack, every_rule, refuses, switched_off

ONE, OTHER = "MLS-12.2-01", "MLS-12.2-02"


def run(feed: Callable[[], object], memory: Callable[[], object] = lambda: None) -> None:
    """A case in which nothing happens but `feed`."""
    refuses(ONE)(lambda: Attack(feed, memory, lambda: None))()


def test_a_case_that_its_rule_refuses() -> None:
    run(lambda: RULES[ONE].fail("because"))


def test_a_case_that_nothing_refuses_fails() -> None:
    with pytest.raises(pytest.fail.Exception):
        run(lambda: None)


def test_a_case_that_another_rule_refuses_fails() -> None:
    with pytest.raises(AssertionError):
        run(lambda: RULES[OTHER].fail("because"))


def test_a_case_that_is_refused_with_the_rule_switched_off_fails() -> None:
    """As when a check is made twice, or somewhere else than the rule says."""

    def feed() -> None:
        raise InvalidGroupMessage("because", rule=ONE)

    with pytest.raises(AssertionError):
        run(feed)


def test_a_case_that_leaves_a_trace_fails() -> None:
    seen: list[int] = []

    def feed() -> None:
        seen.append(1)
        RULES[ONE].fail("because")

    with pytest.raises(AssertionError):
        run(feed, lambda: list(seen))


def test_a_case_of_no_rule_cannot_be_written() -> None:
    with pytest.raises(AssertionError):
        refuses("MLS-0-00")


def test_switching_off_ends() -> None:
    rule: Rule = every_rule()[ONE]
    with switched_off(ONE):
        rule.fail("nothing happens")
        with pytest.raises(InvalidGroupMessage):
            RULES[OTHER].fail("this one still does")
        with switched_off():
            RULES[OTHER].fail("nothing happens")
        with pytest.raises(InvalidGroupMessage):
            RULES[OTHER].fail("again")
    with pytest.raises(InvalidGroupMessage):
        rule.fail("again")
