"""docs/spec/mls-validation.md has all: every rule, every code of a decoder, and a test for each of them."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = _generator()


def test_every_rule_has_a_negative_test_and_every_such_test_a_rule() -> None:
    rules, cases = GENERATE.mls_rules(), GENERATE.validation_cases()
    assert len(rules) >= 110
    assert sorted(rules.keys() - cases.keys()) == []
    assert sorted(cases.keys() - rules.keys()) == []


def test_ids_say_where_a_rule_comes_from() -> None:
    for name, rule in GENERATE.mls_rules().items():
        assert re.fullmatch(r"MLS-(X\.6\.3|P|\d+(\.\d+)*)-\d\d", name), name
        assert re.fullmatch(r"RFC 9420 sections? .+|draft-ietf-mls-extensions section .+|our policy", rule.clause), name


def test_the_sections_of_the_issue_are_there() -> None:
    sections = {name.removeprefix("MLS-").rpartition("-")[0] for name in GENERATE.mls_rules()}
    assert {"7.3", "10", "10.1", "11", "12.1.3", "12.1.4", "12.1.5", "12.1.7", "12.1.8", "12.2", "12.4"} <= sections
    assert {"12.4.2", "12.4.3", "12.4.3.1", "12.4.3.2", "12.4.3.3"} <= sections


def test_a_rule_fails_only_as_a_statement_under_its_condition() -> None:
    """So that it can be switched off: nothing is returned or raised in its place."""
    for path in sorted((ROOT / "src" / "letterlock" / "mls").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "fail":
                assert id(node) in statements, f"{path.name}:{node.lineno}"


def test_every_code_of_the_decoders_is_listed_and_tested() -> None:
    listed, tests = GENERATE.validation_texts()["decode"], GENERATE.decode_tests()
    sources = [*(ROOT / "src" / "letterlock" / "mls" / "wire").glob("*.py"), ROOT / "src/letterlock/codec/tls.py"]
    raised: set[str] = set()
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _ERRORS:
                raised |= {ast.literal_eval(word.value) for word in node.keywords if word.arg == "code"}
    raised -= {"tls.limit"}  # for callers with a limit of their own; MLS has one for the whole message
    assert listed.keys() == raised
    assert [code for code in listed if not tests.get(code)] == []


_ERRORS = ("DecodeError", "LimitExceeded")


def test_other_answers_name_tests_that_exist() -> None:
    for entry in GENERATE.validation_texts()["other"]:
        assert entry["tests"]
        for test in entry["tests"]:
            path, _, name = test.partition("::")
            assert f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8"), test
