"""Write the generated pages: docs/threat-model.md (requirements with their tests), docs/spec/mls-validation.md (the
rules of MLS with theirs), the verbs in docs/cli.md, and what is unreleased in CHANGELOG.md.

`python docs/generate.py` rewrites them, `--check` only says whether they are up to date (a test does that).
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parent / "tests"
sys.path.insert(0, str(HERE.parent / "src"))

HEAD = """\
# Threat model

<!-- Written by docs/generate.py from docs/requirements.toml and the tests. Do not edit. -->

The adversary runs the carrier, the servers and the network: reads, drops, delays, reorders, replays and forges
anything outside the end-to-end encryption, adds devices on paper, strips capability tags, answers look-ups
falsely, and steals a powered-off disk. It does not run code on an unlocked device.

Each requirement has an ID, which stands at the code that enforces it and in the tests that fail without it.
What is not protected stands in [Security](security.md).
"""


def tests_by_requirement() -> dict[str, list[str]]:
    """Requirement ID to `file::test`, from the names and docstrings of the tests."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        if "node_modules" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                text = f"{node.name} {ast.get_docstring(node) or ''}"
                for number in sorted(set(re.findall(r"(?i)\bSR[-_]?(\d\d)\b|(?<=_)sr_?(\d\d)(?=_|$|\b)", text))):
                    name = f"SR-{number[0] or number[1]}"
                    entry = f"{path.relative_to(TESTS.parent).as_posix()}::{node.name}"
                    found.setdefault(name, []).append(entry)
    return {name: sorted(set(entries)) for name, entries in found.items()}


def threat_model() -> str:
    requirements = tomllib.loads((HERE / "requirements.toml").read_text(encoding="utf-8"))
    tests = tests_by_requirement()
    parts = [HEAD]
    for name, requirement in requirements.items():
        parts.append(f"\n## {name}\n\n{requirement['text']}\n")
        if "later" in requirement:
            parts.append(f"\n*Not yet: {requirement['later']}.*\n")
        if tests.get(name):
            parts.append("\n" + "".join(f"* `{entry}`\n" for entry in tests[name]))
    return "".join(parts)


PAGES = {
    HERE / "threat-model.md": threat_model,
    HERE / "cli.md": command_line,
    HERE / "spec" / "mls-validation.md": mls_validation,
    CHANGELOG: changelog,
}


def main(arguments: list[str]) -> int:
    stale = 0
    for path, write in PAGES.items():
        text = write()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if "--check" in arguments:
            print(f"{path.name} is out of date: run ./run docs", file=sys.stderr)
            stale = 1
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.name}")
    return stale


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
