"""Every verb explains itself: help, a description, and examples, each of which is understood."""

from __future__ import annotations

import argparse
import re
import shlex

import pytest

from letterlock.apps.cli import parser
from letterlock.apps.cli.examples import EXAMPLES, every_parser, examples_of
from letterlock.apps.cli.overview import SECTIONS

VERBS = [(name, verb, summary) for name, verb, summary in every_parser(parser())]


def has_verbs_below(verb: argparse.ArgumentParser) -> bool:
    return any(isinstance(action, argparse._SubParsersAction) for action in verb._actions)


def examples(verb: argparse.ArgumentParser) -> list[str]:
    text = examples_of(verb).partition("examples:\n")[2].replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.startswith("  ")]


def commands(line: str) -> list[list[str]]:
    """The command lines of ours in an example: behind a pipe, before a redirection, without a comment."""
    found, current = [], list[str]()
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|<>")
    lexer.whitespace_split = True
    for word in [*lexer, "|"]:
        if word == "|":
            found.append(current)
            current = []
        elif word in (">", ">>", "<"):
            current.append(">")
        else:
            current.append(word)
    cut = [each[: each.index(">")] if ">" in each else each for each in found]
    return [each[1:] for each in cut if each[:1] == ["letterlock"]]


@pytest.mark.parametrize(("name", "verb", "summary"), VERBS, ids=[name for name, *_ in VERBS])
def test_a_verb_explains_itself(name: str, verb: argparse.ArgumentParser, summary: str) -> None:
    assert summary, "a line in the list of verbs"
    assert verb.description and verb.description.endswith(".")
    if has_verbs_below(verb):
        return
    shown = examples(verb)
    assert shown, "at least one example"
    assert any(f"letterlock {name}" in line or re.search(rf"letterlock .*\b{name}\b", line) for line in shown)
    assert verb.format_help().rstrip().endswith(shown[-1].split()[-1])
    understood = 0
    for line in shown:
        for arguments in commands(line):
            parser(arguments).parse_args(arguments)
            understood += 1
    assert understood


def test_the_overview_has_every_verb_under_a_heading() -> None:
    top = {name for name, *_ in VERBS if " " not in name}
    placed = [name for names in SECTIONS.values() for name in names]
    assert sorted(placed) == sorted(set(placed))
    assert top - set(placed) == set()
    text = parser().format_help()
    assert "more:" not in text
    for name in top:
        assert re.search(rf"^  {name}\b", text, re.M), name


def test_no_example_is_of_a_verb_that_does_not_exist() -> None:
    assert set(EXAMPLES) - {name for name, *_ in VERBS} == set()


def test_the_first_steps_of_the_overview_are_understood() -> None:
    steps = parser().format_help().partition("first steps:\n")[2].partition("\n\n")[0]
    lines = [line for line in steps.splitlines() if "VERB" not in line]
    assert len(lines) >= 4
    for line in lines:
        for arguments in commands(line):
            parser(arguments).parse_args(arguments)
