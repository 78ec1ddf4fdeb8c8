"""The numbered checks of RCC.16: each rule has an id, the clause it comes from, and the clause in short.

A rule is declared at the top of the module that enforces it and used as a statement,
`if bad: RULE.fail("what was wrong")`. The table in docs/spec/rcc16-validation.md is made from this registry,
and the tests prove for every rule that what breaks it is refused, and is not refused any more by that rule when
`fail` does nothing.

An id is `RCC-`, the clause, a dash and a number: `RCC-A.3.8-01`. A rule of ours that no clause demands has in the place
of the clause `P.` and the section of rcc16.md that it belongs to: `RCC-P.1.7-01`. A clause is named as rcc16.md heard of it, with the section there: the text of the
GSMA was not available.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..errors import InvalidRcc16

__all__ = ["RULES", "Rule", "rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One check. `clause` is like `RCC.16 A.3.8 (rcc16.md 1.3)`, `text` says it in short."""

    id: str
    clause: str
    text: str
    module: str

    def fail(self, what: str) -> None:
        """Raises InvalidRcc16 that carries this rule. Not `NoReturn`: a test may switch one rule off."""
        raise InvalidRcc16(f"{what} ({self.id}, {self.clause})", rule=self.id)


RULES: Final[dict[str, Rule]] = {}
"""Every rule of the modules imported so far, by id."""


def rule(id: str, clause: str, text: str, *, module: str) -> Rule:
    """Declare a rule; `module` is the caller's `__name__`, for the table. An id is given out once."""
    if id in RULES and RULES[id].module != module:
        raise AssertionError(f"{id} is declared twice")
    made = RULES[id] = Rule(id, clause, text, module)
    return made
