"""The numbered checks of RFC 9420: each rule has an id, the clause it comes from, and the clause in short.

A rule is declared at the top of the module that enforces it and used as a statement,
`if bad: RULE.fail("what was wrong")`. The table in docs/spec/mls-validation.md is made from this registry,
and the tests prove for every rule that a message which breaks it is refused, and is not refused any more
by that rule when `fail` does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..errors import InvalidGroupMessage

__all__ = ["RULES", "Rule", "rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One check. `id` is like `MLS-7.3-03`, `clause` names the specification, `text` says it in short."""

    id: str
    clause: str
    text: str
    module: str

    def fail(self, what: str) -> None:
        """Raises InvalidGroupMessage that carries this rule. Not `NoReturn`: a test may switch one rule off."""
        raise InvalidGroupMessage(f"{what} ({self.id}, {self.clause})", rule=self.id)


RULES: Final[dict[str, Rule]] = {}
"""Every rule of the modules imported so far, by id."""


def rule(id: str, clause: str, text: str, *, module: str) -> Rule:
    """Declare a rule; `module` is the caller's `__name__`, for the table. An id is given out once."""
    if id in RULES and RULES[id].module != module:
        raise AssertionError(f"{id} is declared twice")
    made = RULES[id] = Rule(id, clause, text, module)
    return made
