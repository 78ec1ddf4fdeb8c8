"""Verbs of the one table at the terminal: their parsers, and running those that need nothing of a terminal.

A name of two words is a verb of a verb (`group create`), `reply_to` is `--reply-to`, what is positional in the table is
positional here. What a terminal alone does (asking, waiting, drawing) is in the modules of the verbs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any, Protocol

from ..verbs import VERBS, Context, Kind, Param, Verb, checked
from .options import add_profile, open_client
from .sending import within
from .showing import shown
from .terminal import Terminal

__all__ = ["Run", "add_params", "add_verb", "given_params", "run_table_verb"]

Commands = argparse._SubParsersAction

_SPEAK = ("displayed", "keep", "release", "accept-keys")
"""After these something leaves for the network, and we wait until it has."""
_ANSWER_SECONDS = 5.0


class Run(Protocol):
    """Runs a command line; its exit code."""

    async def __call__(self, arguments: argparse.Namespace, terminal: Terminal) -> int: ...


def add_verb(
    commands: Commands[argparse.ArgumentParser],
    name: str,
    run: Run | None = None,
    *,
    optional: Iterable[str] = (),
    profile: bool = True,
) -> argparse.ArgumentParser:
    """The parser of a verb of the table: below `commands` by its last word. Without `run` it is done and printed.

    `optional` are positional parameters that need not be given here, because something else may stand in their place.
    """
    verb = VERBS[name]
    parser = commands.add_parser(name.rpartition(" ")[2], help=verb.summary, description=_in_plain(verb.description))
    add_params(parser, verb, optional=optional)
    if profile:
        add_profile(parser)
    parser.set_defaults(run=run or run_table_verb, table_verb=name)
    return parser


def add_params(parser: argparse.ArgumentParser, verb: Verb, *, optional: Iterable[str] = ()) -> None:
    """The parameters of a verb as arguments. Their destinations are their names in the table."""
    for param in verb.params:
        if param.terminal:
            _add_param(parser, param, param.name in optional)


def _add_param(parser: argparse.ArgumentParser, param: Param, optional: bool) -> None:
    more: dict[str, Any] = {"help": _in_plain(_help(param))}
    if param.kind is Kind.FLAG:
        # What is on without being asked for is turned off.
        option = f"--no-{param.flag[2:]}" if param.default else param.flag
        parser.add_argument(option, dest=param.name, action="store_false" if param.default else "store_true", **more)
        return
    more["type"] = {Kind.INTEGER: int, Kind.DECIMAL: float}.get(param.kind, str)
    if param.choices:
        more["choices"] = [choice for choice in param.choices if choice]
    else:
        more["metavar"] = param.metavar or param.kind.value
    if param.many:
        more["nargs"] = "+"
    if param.positional:
        if optional:
            more["nargs"] = "?"
        parser.add_argument(param.name, **more)
    else:
        default = None if param.many else param.default
        parser.add_argument(param.flag, dest=param.name, default=default, required=param.required, **more)


def _help(param: Param) -> str:
    if param.kind is Kind.TEXT:
        return f"{param.summary}; - reads standard input"
    if param.kind is Kind.INTEGER and not param.required and "default" not in param.summary:
        return f"{param.summary} (default {param.default})"
    return param.summary


def _in_plain(text: str) -> str:
    """A terminal shows no Markdown."""
    return text.replace("%", "%%").replace("`", "'")


def given_params(verb: Verb, arguments: argparse.Namespace) -> dict[str, Any]:
    """What was typed, as parameters, checked against the table. Raises WrongParameter."""
    given = {param.name: getattr(arguments, param.name) for param in verb.params if param.terminal}
    return checked(verb, {name: value for name, value in given.items() if value is not None})


async def run_table_verb(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Do it, wait for the network's answer, print what it gives: one line for each item of a list."""
    verb = VERBS[arguments.table_verb]
    params = given_params(verb, arguments)
    async with open_client(arguments) as me:
        result = await verb.perform(Context(me, paths=True), params)
        if verb.name in _SPEAK:
            await within(_ANSWER_SECONDS, me.settled())
        for record in _records(result):
            terminal.data(record if isinstance(record, dict) else {"result": record}, shown(verb.name, record))
    return 0


def _records(result: Any) -> list[Any]:
    """One a line: the items of a list, also of one that has its place in the history beside it."""
    if isinstance(result, dict):
        for pages in ("messages", "hits"):
            if isinstance(found := result.get(pages), list):
                return found
    return result if isinstance(result, list) else [result]
