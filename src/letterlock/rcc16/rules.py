"""The numbered checks of RCC.16 (rules.py says what one is).

An id is `RCC-`, the clause, a dash and a number: `RCC-A.3.8-01`. A rule of ours that no clause demands has in the place
of the clause `P.` and the section of rcc16.md that it belongs to: `RCC-P.1.7-01`. A clause is named as rcc16.md heard of
it, with the section there, as in `RCC.16 A.3.8 (rcc16.md 1.3)`: the text of the GSMA was not available.
"""

from __future__ import annotations

from typing import Final

from ..errors import InvalidRcc16
from ..rules import NumberedRule, declare

__all__ = ["RULES", "Rule", "rule"]


class Rule(NumberedRule):
    """One check of RCC.16; what breaks it raises InvalidRcc16."""

    __slots__ = ()
    error = InvalidRcc16


RULES: Final[dict[str, Rule]] = {}
"""Every rule of the modules imported so far, by id."""


def rule(id: str, clause: str, text: str, *, module: str) -> Rule:
    """Declare a rule; `module` is the caller's `__name__`, for the table."""
    return declare(RULES, Rule(id, clause, text, module))
