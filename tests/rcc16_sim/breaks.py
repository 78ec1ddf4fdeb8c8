"""One defence switched off at a time: each has to make the simulation fail, or it defends nothing that is looked at.

A break is a numbered rule whose `fail` does nothing, or a seam of the simulation's own wiring; nothing in the library
exists only to be broken. Its plan is a small group in good weather in which the lie it defends against is told often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Final

from letterlock.mls import rules as mls_rules
from letterlock.rcc16 import rules as rcc16_rules

from .plan import Plan, quiet_plan

__all__ = ["BREAKS", "Break"]


@dataclass(frozen=True)
class Break:
    """`text` says what is off; `lies` are told in its seeds, with this `share`; `changes` are other fields of the plan."""

    name: str
    text: str
    lies: tuple[str, ...]
    off: Callable[[], AbstractContextManager[None]]
    share: float = 0.8
    changes: tuple[tuple[str, Any], ...] = ()

    def plan(self, seed: int) -> Plan:
        return replace(quiet_plan(seed, self.lies), **dict(self.changes))


@contextmanager
def rules_off(*ids: str) -> Iterator[None]:
    """These rules do nothing, for everybody."""
    kept = [(made, made.fail) for made in (mls_rules.Rule, rcc16_rules.Rule)]

    def quiet(fail: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
        def told(self: Any, what: str) -> None:
            if self.id not in ids:
                fail(self, what)

        return told

    for made, fail in kept:
        made.fail = quiet(fail)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        for made, fail in kept:
            made.fail = fail  # type: ignore[method-assign]


@contextmanager
def replaced(module: Any, name: str, other: Any) -> Iterator[None]:
    """A function of the wiring is another one."""
    kept = getattr(module, name)
    setattr(module, name, other)
    try:
        yield
    finally:
        setattr(module, name, kept)


def _rules(*ids: str) -> Callable[[], AbstractContextManager[None]]:
    return lambda: rules_off(*ids)


_ALL: list[Break] = [
    Break(
        "reuse-key",
        "a phone whose store is an old copy is not told so, and uses message keys again",
        (),
        nullcontext,
        changes=(("rollbacks", 4), ("letters", 40)),
    ),
]

BREAKS: Final[dict[str, Break]] = {one.name: one for one in _ALL}
del _rules
