"""The numbered checks of RFC 9420 (rules.py says what one is). An id is like `MLS-7.3-03`: the section, and a number."""

from __future__ import annotations

from typing import Final

from ..errors import InvalidGroupMessage
from ..rules import NumberedRule, declare

__all__ = ["RULES", "Rule", "rule"]


class Rule(NumberedRule):
    """One check of MLS; what breaks it raises InvalidGroupMessage."""

    __slots__ = ()
    error = InvalidGroupMessage


RULES: Final[dict[str, Rule]] = {}
"""Every rule of the modules imported so far, by id."""


def rule(id: str, clause: str, text: str, *, module: str) -> Rule:
    """Declare a rule; `module` is the caller's `__name__`, for the table."""
    return declare(RULES, Rule(id, clause, text, module))
