"""docs/faults.md names a test in every line of its tables; each of them exists, and each fault test is named."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "faults.md"
_ROW = re.compile(r"^\| (.+) \| (.+) \| (.+) \| `(test_\w+\.py)::(test_\w+)` \|$")
# They say that the others can fail, or are about this page and its words.
_NOT_FAULTS = {"test_docs_faults.py", "test_outcomes.py"}
_CONTROLS = {("test_lying_sessions.py", "test_the_search_finds_what_is_not_encrypted")}


def functions_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name for node in functions if node.name.startswith("test_")}


def named() -> set[tuple[str, str]]:
    return {(found[4], found[5]) for line in PAGE.read_text().splitlines() if (found := _ROW.match(line))}


def test_every_line_of_every_table_names_a_test() -> None:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    rows = [line for line in lines if not line.startswith(("|---", "| what happens"))]
    assert len(rows) > 30
    assert [line for line in rows if not _ROW.match(line)] == []


def test_each_named_test_exists_and_each_test_is_named() -> None:
    there = {
        (file.name, name)
        for file in HERE.glob("test_*.py")
        if file.name not in _NOT_FAULTS
        for name in functions_of(file)
    }
    assert named() == there - _CONTROLS
