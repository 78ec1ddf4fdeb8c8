"""Write the generated pages: docs/threat-model.md (requirements with their tests), docs/spec/mls-validation.md and
docs/spec/rcc16-validation.md (the rules of MLS and of RCC.16 with theirs), docs/spec/rcc16-choices.md (what no source says), docs/spec/conformance.md
(inputs and their verdicts), docs/spec/rpc.md (methods of JSON-RPC), the verbs in docs/cli.md, and what is unreleased in CHANGELOG.md.

`python docs/generate.py` rewrites them, `--check` only says whether they are up to date (a test does that).
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TESTS = HERE.parent / "tests"
sys.path[:0] = [str(HERE.parent / "src"), str(HERE)]

from command_line_page import BELOW, verbs_page  # noqa: E402 - this folder is not a package
from conformance_page import conformance  # noqa: E402
from health_diagram import diagram, page  # noqa: E402
from rcc16_choices_page import choices  # noqa: E402
from rcc16_validation_page import rcc16_validation  # noqa: E402
from rpc_page import rpc_methods  # noqa: E402

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


def command_line() -> str:
    """docs/cli.md: what is written by hand, then every verb, from the parsers themselves."""
    head = (HERE / "cli.md").read_text(encoding="utf-8").partition(BELOW)[0]
    return f"{head}{BELOW}{verbs_page()}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


FRAGMENTS = HERE.parent / "changelog.d"
CHANGELOG = HERE.parent / "CHANGELOG.md"
UNRELEASED = "## Unreleased\n"
KINDS = ("added", "changed", "fixed", "security")


def _entries(fragment: str) -> list[str]:
    """What a fragment tells: one thing, or a list of them."""
    entries = [entry.strip() for entry in re.split(r"^- ", fragment, flags=re.MULTILINE)]
    return [re.sub(r"\n[ \t]*(?=\S)", "\n  ", entry) for entry in entries if entry]


def changelog() -> str:
    """CHANGELOG.md: the fragments of changelog.d/ under "Unreleased", then the releases as they stand."""
    head, _, rest = CHANGELOG.read_text(encoding="utf-8").partition(UNRELEASED)
    releases = rest[rest.find("\n## ") + 1 :] if "\n## " in rest else ""
    parts = [head.rstrip("\n") + "\n\n", UNRELEASED]
    for kind in KINDS:
        fragments = sorted(
            FRAGMENTS.glob(f"*.{kind}.md"), key=lambda path: (int(path.name.partition(".")[0]), path.name)
        )
        if fragments:
            parts.append(f"\n### {kind.capitalize()}\n\n")
            parts += [f"* {entry}\n" for path in fragments for entry in _entries(path.read_text(encoding="utf-8"))]
    return "".join(parts) + (f"\n{releases}" if releases else "")


VALIDATION_HEAD = """\
# MLS: what is refused

<!-- Written by docs/generate.py from the rules in letterlock.mls, the tests and docs/mls-validation.toml. Do not edit. -->

Every check of RFC 9420 that is not a matter of grammar is a numbered rule, declared with its clause where it is
enforced. A message that breaks one raises `InvalidGroupMessage`, whose `rule` names it and whose `code` is the id in
small letters (`mls.7.3-03`); nothing has changed then. Members and servers (`PublicGroup`) run the same checks wherever
no secret is needed. What the RFC demands of senders only, receivers do not check
([decision 0008](../decisions/0008-what-receivers-check.md)).

Each rule has tests that send what it forbids, at every place where it can come from. They run twice: with the rule
switched off the same message must not be refused by it, so that no test passes because of something else.

The number in an id is the section of RFC 9420; `X` stands for draft-ietf-mls-extensions, `P` for policy of ours.

| id | clause | what must hold | enforced in | tests |
|---|---|---|---|---|
"""

DECODE_HEAD = """
## What is refused while it is read

A message that does not follow the grammar raises `DecodeError` with one of these codes, before anything is looked at
(`mls.limit` as its subclass `LimitExceeded`). Values that the RFC leaves open, as in capabilities, are kept and mean
nothing.

| code | section | what is wrong | tests |
|---|---|---|---|
"""

OTHER_HEAD = """
## What else the RFC demands

Answered by an error or result of its own, because callers do something else about it than about a broken rule.

| section | demand | answer | tests |
|---|---|---|---|
"""


def mls_validation() -> str:
    """docs/spec/mls-validation.md: the registry of rules with the negative tests of each, and what needs no rule."""
    cases, more = validation_cases(), validation_texts()
    parts = [VALIDATION_HEAD]
    for name, rule in sorted(mls_rules().items(), key=lambda entry: _by_section(entry[0])):
        clause = rule.clause.removeprefix("RFC 9420 ")
        module = rule.module.removeprefix("letterlock.").replace(".", "/")
        parts.append(f"| {name} | {clause} | {_cell(rule.text)} | `{module}` | {_tests(cases.get(name, []))} |\n")
    parts.append(DECODE_HEAD)
    found = decode_tests()
    for code, entry in more["decode"].items():
        parts.append(f"| `{code}` | {entry['clause']} | {entry['text']} | {_tests(found.get(code, []))} |\n")
    parts.append(OTHER_HEAD)
    for entry in more["other"]:
        parts.append(f"| {entry['clause']} | {entry['text']} | {entry['answer']} | {_tests(entry['tests'])} |\n")
    return "".join(parts)


def mls_rules() -> dict[str, Any]:
    """Every numbered rule: importing a module declares those that it enforces."""
    import letterlock.mls
    from letterlock.mls.rules import RULES

    for module in pkgutil.walk_packages(letterlock.mls.__path__, "letterlock.mls."):
        importlib.import_module(module.name)
    return dict(RULES)


def validation_texts() -> dict[str, Any]:
    return tomllib.loads((HERE / "mls-validation.toml").read_text(encoding="utf-8"))


def validation_cases() -> dict[str, list[str]]:
    """Rule to `file::test`: the functions that `@refuses` marks."""
    found: dict[str, list[str]] = {}
    for path in sorted((TESTS / "mls").glob("test_validation*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
                if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "refuses":
                    rule = ast.literal_eval(mark.args[0])
                    found.setdefault(rule, []).append(f"{path.relative_to(TESTS.parent).as_posix()}::{node.name}")
    return found


DECODE_TESTS = ("mls/test_wire_refusals.py", "codec/test_tls.py")


def decode_tests() -> dict[str, list[str]]:
    """Code of a DecodeError to `file::test`: the tests of the decoders that name it."""
    found: dict[str, list[str]] = {}
    for path in (TESTS / name for name in DECODE_TESTS):
        for test in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
                codes = {node.value for node in ast.walk(test) if isinstance(node, ast.Constant)}
                for code in sorted(code for code in codes if isinstance(code, str)):
                    found.setdefault(code, []).append(f"{path.relative_to(TESTS.parent).as_posix()}::{test.name}")
    return found


def _by_section(name: str) -> tuple[list[int], int]:
    """RFC 9420 by section, then the draft, then our policy."""
    section, _, number = name.removeprefix("MLS-").rpartition("-")
    kinds = {"X": 1_000, "P": 2_000}
    return [kinds.get(part) or int(part) for part in section.split(".")], int(number)


def _tests(entries: list[str]) -> str:
    """By file, without what all names have in front."""
    files: dict[str, list[str]] = {}
    for entry in entries:
        path, _, name = entry.partition("::")
        files.setdefault(Path(path).stem, []).append(f"`{name.removeprefix('test_')}`")
    return "<br>".join(f"`{file}`: {', '.join(names)}" for file, names in files.items())


PAGES = {
    HERE / "threat-model.md": threat_model,
    HERE / "cli.md": command_line,
    HERE / "spec" / "mls-validation.md": mls_validation,
    HERE / "spec" / "rcc16-validation.md": rcc16_validation,
    HERE / "spec" / "rcc16-choices.md": choices,
    HERE / "spec" / "conformance.md": conformance,
    HERE / "spec" / "rpc.md": rpc_methods,
    HERE / "rcc16-health.svg": diagram,
    HERE / "rcc16-health.md": page,
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
