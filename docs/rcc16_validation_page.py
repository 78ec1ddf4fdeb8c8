"""docs/spec/rcc16-validation.md: the numbered rules of RCC.16 with the negative tests of each."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path
from typing import Any, Final

__all__ = ["rcc16_cases", "rcc16_rules", "rcc16_validation"]

TESTS: Final = Path(__file__).parent.parent / "tests"

HEAD: Final = """\
# RCC.16: what is refused

<!-- Written by docs/generate.py from the rules in letterlock.rcc16 and the tests. Do not edit. -->

Every check of RCC.16 that is not a matter of grammar is a numbered rule, declared with its clause where it is enforced.
What breaks one raises `InvalidRcc16`, whose `rule` names it and whose `code` is the id in small letters
(`rcc16.a.3.8-03`); nothing has changed then. The conversation focus turns it into a refusal with a server reason.
MLS underneath has [rules of its own](mls-validation.md).

Each rule has tests that present what it forbids. They run twice: with the rule switched off the same thing must not be
refused by it, so that no test passes because of something else.

The text of the GSMA was not available: clauses are named as others quote them, with the section of our summary
(`rcc16.md`) beside it. The number in an id is the clause; `P.` and a section of the summary stand for rules of ours.

| id | clause | what must hold, and where it is enforced | tests |
|---|---|---|---|
"""

_MARKS: Final = {"refuses": "", "attack": "RCC-5.8-"}
"""Decorators of negative tests, and what stands before the id that they name."""


def rcc16_validation() -> str:
    cases = rcc16_cases()
    parts = [HEAD]
    for name, rule in sorted(rcc16_rules().items(), key=lambda entry: _by_clause(entry[0])):
        module = rule.module.removeprefix("letterlock.").replace(".", "/")
        parts.append(f"| {name} | {rule.clause} | {_cell(rule.text)}<br>*{module}* | {_tests(cases.get(name, []))} |\n")
    return "".join(parts)


def rcc16_rules() -> dict[str, Any]:
    """Every numbered rule: importing a module declares those that it enforces."""
    import letterlock.rcc16
    import letterlock.services.focus.mls
    from letterlock.rcc16.rules import RULES

    for package in (letterlock.rcc16, letterlock.services.focus.mls):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    return dict(RULES)


def rcc16_cases() -> dict[str, list[str]]:
    """Rule to `file::function`: what `@refuses` marks, and at the focus `@attack`."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8") if "node_modules" not in path.parts else ""
        if "RCC-" not in text:
            continue
        for node in ast.parse(text).body:
            for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
                if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id in _MARKS:
                    rule = _MARKS[mark.func.id] + ast.literal_eval(mark.args[0])
                    if rule.startswith("RCC-"):
                        found.setdefault(rule, []).append(f"{path.relative_to(TESTS.parent).as_posix()}::{node.name}")
    return found


def _by_clause(name: str) -> tuple[list[tuple[bool, int, str]], int]:
    """Numbered clauses, then annexes, then rules of ours."""
    clause, _, number = name.removeprefix("RCC-").rpartition("-")
    parts = clause.split(".")
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts], int(number)


def _tests(entries: list[str]) -> str:
    """By file, without what all names have in front."""
    files: dict[str, list[str]] = {}
    for entry in entries:
        path, _, name = entry.partition("::")
        # As words: a name with underscores is one word that no column is wide enough for.
        files.setdefault(Path(path).stem, []).append(_words(name))
    return "<br>".join(f"*{_words(file)}*: {', '.join(dict.fromkeys(names))}" for file, names in files.items())


def _words(name: str) -> str:
    return name.removeprefix("test_").lstrip("_").replace("_", " ")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
