"""The verbs in docs/cli.md: by what they are for, each with its options and examples, from the parsers themselves."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator

__all__ = ["BELOW", "verbs_page"]

BELOW = "<!-- verbs: written by docs/generate.py from the parser; do not edit below -->\n"
_PROFILE = ("profile", "key_file", "passphrase_file")


def verbs_page() -> str:
    """Everything below the mark."""
    from letterlock.apps.cli.overview import SECTIONS

    top = _parser()
    verbs = _below(top)
    assert verbs is not None
    placed = {name for names in SECTIONS.values() for name in names}
    sections = {**SECTIONS, "more": tuple(name for name in verbs.choices if name not in placed)}
    profile = [action for action in verbs.choices["chats"]._actions if action.dest in _PROFILE]
    parts = ["\nEvery verb takes:\n\n", _table(top._actions)]
    parts += ["\nVerbs that use a profile take:\n\n", _table(profile)]
    for heading, names in sections.items():
        here = [name for name in names if name in verbs.choices]
        if here:
            parts.append(f"\n## {heading[:1].upper()}{heading[1:]}\n")
            for name in here:
                parts += _verb(name, verbs.choices[name], "###")
    return "".join(parts).rstrip("\n") + "\n"


def _verb(name: str, verb: argparse.ArgumentParser, heading: str) -> Iterator[str]:
    from letterlock.apps.cli.examples import examples_of

    operands = [_operand(action) for action in verb._actions if not action.option_strings and not _is_verbs(action)]
    below = _below(verb)
    uses = any(action.dest == "profile" for action in verb._actions)
    line = " ".join(["letterlock", name, *operands, *(["VERB"] if below else [])])
    yield f"\n{heading} {name}\n\n`{line}`{' · uses a profile' if uses else ''}\n\n{verb.description}\n\n"
    yield _table([action for action in verb._actions if action.dest not in _PROFILE])
    if examples := examples_of(verb).partition("examples:\n")[2]:
        yield "\n```sh\n" + "\n".join(line.removeprefix("  ") for line in examples.splitlines()) + "\n```\n"
    if below:
        for inner, parser in below.choices.items():
            yield from _verb(f"{name} {inner}", parser, f"{heading}#")


def _parser() -> argparse.ArgumentParser:
    """As for somebody who has set nothing: defaults are those of the program, not of whoever builds the pages."""
    from letterlock.apps.cli import parser

    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("LETTERLOCK_")}
    try:
        return parser()
    finally:
        os.environ.update(kept)


def _below(parser: argparse.ArgumentParser) -> argparse._SubParsersAction[argparse.ArgumentParser] | None:
    return next((action for action in parser._actions if isinstance(action, argparse._SubParsersAction)), None)


def _is_verbs(action: argparse.Action) -> bool:
    return isinstance(action, argparse._SubParsersAction)


def _operand(action: argparse.Action) -> str:
    name = action.metavar or ("|".join(action.choices) if action.choices else action.dest)
    return f"[{name}]" if action.nargs == "?" else f"{name} ..." if action.nargs in ("+", "*") else str(name)


def _table(actions: list[argparse.Action]) -> str:
    rows = []
    for action in actions:
        if (
            not action.help
            or action.help is argparse.SUPPRESS
            or action.dest in ("help", "version")
            or _is_verbs(action)
        ):
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
