"""The numbered checks of sealed files (letterlock/rules.py says what one is; docs/spec/files.md lists them).

An id is `LL-FILE-` and a number, which is not given out again.
"""

from __future__ import annotations

from typing import Final

from ..errors import InvalidFile
from ..rules import NumberedRule, declare

__all__ = ["RULES", "Rule", "rule"]


class Rule(NumberedRule):
    """One check of a sealed file or its pointer; what breaks it raises InvalidFile."""

    __slots__ = ()
    error = InvalidFile


RULES: Final[dict[str, Rule]] = {}
"""Every rule of the modules imported so far, by id."""


def rule(id: str, section: str, text: str, *, module: str) -> Rule:
    """Declare a rule; `section` is one of docs/spec/files.md, `module` is the caller's `__name__`."""
    return declare(RULES, Rule(id, f"files.md {section}", text, module))
