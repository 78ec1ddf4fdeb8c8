"""docs/spec/rcc16-validation.md has all: every rule of RCC.16, and a negative test for each of them."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


def _page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rcc16_validation_page", ROOT / "docs" / "rcc16_validation_page.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGE = _page()


def test_every_rule_has_a_negative_test_and_every_such_test_a_rule() -> None:
    rules, cases = PAGE.rcc16_rules(), PAGE.rcc16_cases()
    assert len(rules) >= 130
    assert sorted(rules.keys() - cases.keys()) == []
    assert sorted(cases.keys() - rules.keys()) == []


def test_ids_say_where_a_rule_comes_from() -> None:
    for name, rule in PAGE.rcc16_rules().items():
        assert re.fullmatch(r"RCC-(P|P\.\d+(\.\d+)*|[A-C](\.\d+)*|\d+(\.\d+)*)-\d\d", name), name
        assert re.search(r"rcc16\.md|RCC\.16|RFC \d+|our choice", rule.clause), name


def test_a_rule_fails_only_as_a_statement_under_its_condition() -> None:
    """So that it can be switched off: nothing is returned or raised in its place."""
    sources = [ROOT / "src" / "letterlock" / "rcc16", ROOT / "src" / "letterlock" / "services" / "focus" / "mls"]
    for path in sorted(path for source in sources for path in source.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "fail":
                assert id(node) in statements, f"{path.name}:{node.lineno}"
