"""Numbered checks: what a rule of a specification is, whatever the specification.

A rule is declared at the top of the module that enforces it and used as a statement, `if bad: RULE.fail("what was
wrong")`. Each specification has a registry of its own (mls/rules.py, rcc16/rules.py, files/rules.py); the tables of what is refused are
made from them, and the tests prove for every rule that what breaks it is refused, and is not refused any more by that
rule when `fail` does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

from .errors import InvalidFile, InvalidGroupMessage, InvalidRcc16

__all__ = ["NumberedRule", "declare"]


@dataclass(frozen=True, slots=True)
class NumberedRule:
    """One check. `clause` names the specification, `text` says it in short, `module` enforces it."""

    error: ClassVar[type[InvalidFile] | type[InvalidGroupMessage] | type[InvalidRcc16]]

    id: str
    clause: str
    text: str
    module: str

    def fail(self, what: str) -> None:
        """Raises the specification's error, which carries this rule. Not `NoReturn`: a test may switch one rule off."""
        raise self.error(f"{what} ({self.id}, {self.clause})", rule=self.id)


R = TypeVar("R", bound=NumberedRule)


def declare(registry: dict[str, R], made: R) -> R:
    """Enter a rule; an id is given out once."""
    known = registry.get(made.id)
    if known is not None and known.module != made.module:
        raise AssertionError(f"{made.id} is declared twice")
    registry[made.id] = made
    return made
