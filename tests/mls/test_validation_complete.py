"""The table of rules and the negative cases cover each other: a check without a test fails here."""

from __future__ import annotations

import ast
from pathlib import Path

from .refusing import every_rule


def cases() -> set[str]:
    """The ids in `@refuses(id, ...)` above the tests of this folder."""
    found: set[str] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "refuses":
                        found.add(ast.literal_eval(mark.args[0]))
    return found


def test_every_rule_has_a_negative_case_and_every_case_a_rule() -> None:
    assert cases() == set(every_rule())
    assert len(every_rule()) >= 100
