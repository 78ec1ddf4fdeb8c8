"""Write the generated pages: docs/threat-model.md (requirements with their tests), the verbs in docs/cli.md,
and what is unreleased in CHANGELOG.md.

`python docs/generate.py` rewrites them, `--check` only says whether they are up to date (a test does that).
"""

from __future__ import annotations

import argparse
import ast
import os
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


PROFILE = ("profile", "key_file", "passphrase_file")
VERBS_BELOW = "<!-- verbs: written by docs/generate.py from the parser; do not edit below -->\n"


def command_line() -> str:
    """docs/cli.md: what is written by hand, then every verb with its options, from the parser itself."""
    top = _parser()
    verbs = next(action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    profile = [action for action in verbs.choices["chats"]._actions if action.dest in PROFILE]
    head = (HERE / "cli.md").read_text(encoding="utf-8").partition(VERBS_BELOW)[0]
    parts = [head, VERBS_BELOW, "\nEvery verb takes:\n\n", _table(top._actions)]
    parts += ["\nEvery verb that uses a profile, which is all but the first three, takes:\n\n", _table(profile)]
    for choice in verbs._choices_actions:
        verb = verbs.choices[choice.dest]
        operands = [_operand(action) for action in verb._actions if not action.option_strings]
        parts.append(f"\n### {choice.dest}\n\n`{' '.join(['letterlock', choice.dest, *operands])}`\n")
        parts.append(f"\n{verb.description or f'{choice.help[:1].upper()}{choice.help[1:]}.'}\n\n")
        parts.append(_table([action for action in verb._actions if action.dest not in PROFILE]))
    return "".join(parts).rstrip("\n") + "\n"


def _parser() -> argparse.ArgumentParser:
    """As for somebody who has set nothing: defaults are those of the program, not of whoever builds the pages."""
    from letterlock.apps.cli import parser

    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("LETTERLOCK_")}
    try:
        return parser()
    finally:
        os.environ.update(kept)


def _operand(action: argparse.Action) -> str:
    name = action.metavar or ("|".join(action.choices) if action.choices else action.dest)
    return f"[{name}]" if action.nargs == "?" else str(name)


def _table(actions: list[argparse.Action]) -> str:
    rows = []
    for action in actions:
        if not action.help or action.help is argparse.SUPPRESS or action.dest in ("help", "version", "verb"):
            continue
        shown = [f"`{option}`" for option in action.option_strings]
        if not shown:
            shown = [f"`{(action.metavar or action.dest)}`"]
        elif action.nargs != 0:
            shown[-1] += f" `{action.metavar or '|'.join(action.choices or ()) or action.dest.upper()}`"
        text = action.help % {"default": action.default}
        rows.append(f"| {_cell(', '.join(shown))} | {_cell(text)} |\n")
    return "| option | meaning |\n|---|---|\n" + "".join(rows) if rows else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


FRAGMENTS = HERE.parent / "changelog.d"
CHANGELOG = HERE.parent / "CHANGELOG.md"
UNRELEASED = "## Unreleased\n"
KINDS = ("added", "changed", "fixed", "security")


def changelog() -> str:
    """CHANGELOG.md: the fragments of changelog.d/ under "Unreleased", then the releases as they stand."""
    head, _, rest = CHANGELOG.read_text(encoding="utf-8").partition(UNRELEASED)
    releases = rest[rest.find("\n## ") + 1 :] if "\n## " in rest else ""
    parts = [head.rstrip("\n") + "\n\n", UNRELEASED]
    for kind in KINDS:
        fragments = sorted(FRAGMENTS.glob(f"*.{kind}.md"), key=lambda path: int(path.name.partition(".")[0]))
        if fragments:
            parts.append(f"\n### {kind.capitalize()}\n\n")
            parts += [f"* {path.read_text(encoding='utf-8').strip()}\n" for path in fragments]
    return "".join(parts) + (f"\n{releases}" if releases else "")


VALIDATION_HEAD = """\
# MLS: what is refused

<!-- Written by docs/generate.py from the rules in letterlock.mls and the tests. Do not edit. -->

Every check of RFC 9420 that is not a matter of grammar is a numbered rule, declared with its clause where it is
enforced. A message that breaks one raises `InvalidGroupMessage`, whose `rule` names it and whose `code` is the id in
small letters (`mls.7.3-03`); nothing has changed then. `X` stands for draft-ietf-mls-extensions, `P` for policy of ours.

Each rule has tests that send what it forbids. They run twice: with the rule switched off the same message must not be
refused by it, so that no test passes because of something else.

| id | clause | what must hold | enforced in | tests |
|---|---|---|---|---|
"""

GRAMMAR = """
## What is refused while it is read

A message that does not follow the grammar raises `DecodeError` with one of these codes, before anything is looked at.

| code | what it answers |
|---|---|
| `tls.varint` | a length that is not in its shortest form, or with the prefix 11 (section 2.1.2) |
| `tls.truncated` | a length beyond the end, found before anything is copied |
| `tls.trailing` | bytes behind the structure |
| `mls.limit` | a message larger than the policy allows, refused unread |
| `mls.version`, `mls.wire_format` | an MLSMessage of another version or kind (section 6) |
| `mls.sender_type`, `mls.content_type`, `mls.proposal_or_ref`, `mls.psk_type`, `mls.psk_usage` | a value of a closed enum that does not exist |
| `mls.proposal_type`, `mls.credential` | a type without a length that nobody registered: it cannot be passed over |
| `mls.padding` | padding that is not zero (section 6.3.1) |
| `mls.ratchet_tree` | a tree that ends blank, or has a leaf in a parent's place (section 12.4.3.3) |
"""


def mls_validation() -> str:
    """docs/spec/mls-validation.md: the registry of rules, with the negative tests of each."""
    import importlib
    import pkgutil

    import letterlock.mls
    from letterlock.mls.rules import RULES

    for module in pkgutil.walk_packages(letterlock.mls.__path__, "letterlock.mls."):
        importlib.import_module(module.name)
    tests = negative_tests()
    parts = [VALIDATION_HEAD]
    for rule in sorted(RULES.values(), key=lambda rule: [_number(part) for part in re.split(r"[-.]", rule.id)]):
        place = rule.module.removeprefix("letterlock.").replace(".", "/")
        names = ", ".join(f"`{name.removeprefix('test_')}`" for name in tests.get(rule.id, ()))
        parts.append(f"| {rule.id} | {rule.clause} | {_cell(rule.text)} | `{place}` | {names} |\n")
    return "".join(parts) + GRAMMAR


def negative_tests() -> dict[str, list[str]]:
    """Rule id to the tests marked `@refuses(id)`."""
    found: dict[str, list[str]] = {}
    for path in sorted((TESTS / "mls").glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "refuses":
                        found.setdefault(ast.literal_eval(mark.args[0]), []).append(node.name)
    return found


def _number(part: str) -> tuple[int, str]:
    return (int(part), "") if part.isdigit() else (1_000, part)


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
