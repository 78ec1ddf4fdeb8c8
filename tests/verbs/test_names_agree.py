"""The command line and JSON-RPC have the same names: mechanically, from one table, and no verb is in one of them alone."""

from __future__ import annotations

import argparse
import re
import shlex

import pytest

from letterlock.apps.cli import parser
from letterlock.apps.cli.examples import every_parser
from letterlock.apps.verbs import VERBS, Kind, Verb
from letterlock.words import table

BY_HAND = {"devices", "devices offer", "devices add", "devices vouch", "devices remove", "cache", "cache prune"} | {
    "cache budget",
    "verify",
}
"""Verbs whose parsers were there before the table: one parser takes their second word as a choice."""

AT_TERMINAL = [pytest.param(verb, id=verb.name) for verb in VERBS.values() if not verb.instead]


@pytest.fixture(scope="module")
def parsers() -> dict[str, argparse.ArgumentParser]:
    return {name: each for name, each, _ in every_parser(parser())}


def test_names_map_mechanically() -> None:
    for name, verb in VERBS.items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*( [a-z]+)?", name)
        assert verb.method == name.replace(" ", ".").replace("-", "_")
        for param in verb.params:
            assert re.fullmatch(r"[a-z]+(_[a-z]+)*", param.name)
            assert param.flag == "--" + param.name.replace("_", "-")


@pytest.mark.parametrize("verb", AT_TERMINAL)
def test_a_verb_of_the_table_is_a_verb_of_the_terminal(verb: Verb, parsers: dict[str, argparse.ArgumentParser]) -> None:
    for example in verb.examples:
        words = ["letterlock", *verb.name.split()]
        options: list[str] = []
        for param in verb.params:
            if param.name not in example.params or not param.terminal:
                continue
            value = example.params[param.name]
            typed = [str(each) for each in (value if param.many else [value])]
            if param.kind is Kind.FLAG:
                options += [param.flag] if value and not param.default else []
            elif param.positional:
                words += typed
            else:
                options += [param.flag, *typed]
        arguments = parser(words[1:]).parse_args([*words[1:], *options])
        assert arguments.run is not None
    if verb.name in BY_HAND:
        return
    given = {action.dest for action in parsers[verb.name]._actions}
    for param in verb.params:
        # What is not of the terminal may have a cousin there: --wait SECONDS, --place LATITUDE,LONGITUDE.
        assert param.name in given or not param.terminal, param.name
        if param.terminal and not param.positional and param.kind is not Kind.FLAG:
            assert param.flag in parsers[verb.name]._option_string_actions


def test_what_the_terminal_does_not_have_says_what_it_has_instead(
    parsers: dict[str, argparse.ArgumentParser],
) -> None:
    missing = {verb.name for verb in VERBS.values() if verb.instead}
    assert not missing & set(parsers)
    assert missing == {
        "alarms", "check", "strings", "open", "typing", "code", "file open", "file save", "file send", "subscribe",
        "unsubscribe", "uploads", "upload again", "upload remove",
    }  # fmt: skip
    for name in missing:
        first = shlex.split(VERBS[name].instead)[0]
        assert first.rstrip(",") in parsers or first in ("the", "every", "a"), VERBS[name].instead


def test_help_of_every_verb_of_the_table_can_be_printed(parsers: dict[str, argparse.ArgumentParser]) -> None:
    for verb in VERBS.values():
        if verb.instead or verb.name in BY_HAND:
            continue
        text = " ".join(parsers[verb.name].format_help().split())
        assert verb.description.partition(". ")[0].replace(" ", "").replace("`", "'") in text.replace(" ", "").replace(
            "-\n", "-"
        )


def test_words_for_every_notice_have_only_placeholders_that_events_fill() -> None:
    known = {
        "by", "member", "members", "subject", "numbers", "source", "reason", "state", "chat",
    }  # fmt: skip
    for key, entry in table().items():
        if key.startswith("notice.") and isinstance(entry, str):
            assert set(re.findall(r"\{([a-z_]+)\}", entry)) <= known, key
