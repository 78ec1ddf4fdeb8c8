"""Command lines that cannot be understood: said like every other error, with the exit code for wrong input."""

from __future__ import annotations

import argparse
import difflib
import itertools
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from ...errors import InputError
from .examples import WHOLE_NAME, examples_of
from .overview import overview

__all__ = ["Parser", "json_wanted"]


class Parser(argparse.ArgumentParser):
    """Raises InputError where argparse would print its usage and exit with 2, which means "our bug" here."""

    verbs: tuple[str, ...] = ()
    """All verbs, where not all of them have been added; only the parser at the top has them."""

    def error(self, message: str) -> NoReturn:
        command, _, within = self.prog.partition(" ")
        if message == "the following arguments are required: VERB":
            self.print_help(sys.stderr)
            hint = f"{self.prog} {self._known()[0]} --help" if within else f"for a first look: {command} demo"
            raise InputError(f"name a verb{f' of {within}' if within else ''}", code="input.usage", hint=hint)
        if wrong := re.match(r"argument VERB: invalid choice: '([^']*)'", message):
            like = difflib.get_close_matches(wrong[1], self._known(), 1)
            raise InputError(
                f"no such verb{f' of {within}' if within else ''}: {wrong[1]!r}",
                code="input.usage",
                hint=f"did you mean '{like[0]}'?" if like else f"{self.prog} --help lists them",
            )
        if wrong := re.match(r"argument (.+): invalid (int|float) value: (.*)", message, re.DOTALL):
            said = f"{wrong[1]} is a {'whole ' * (wrong[2] == 'int')}number, not {wrong[3]}"
        else:
            said = message[:1].lower() + message[1:]
        raise InputError(said, code="input.usage", hint=f"{self.prog} --help")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, but what is too much is said with the help of its verb."""
        found, more = self.parse_known_args(args, namespace)
        if more:
            verb = getattr(found, WHOLE_NAME, "")
            raise InputError(
                f"{f'{verb} takes' if verb else 'there is'} no such argument: {' '.join(more)}",
                code="input.usage",
                hint=f"{self.prog} {verb} --help" if verb else f"{self.prog} --help",
            )
        return found

    def format_help(self) -> str:
        if self.verbs:
            return overview(self)
        self.epilog = examples_of(self)
        return super().format_help()

    def _known(self) -> tuple[str, ...]:
        below = (action for action in self._actions if isinstance(action, argparse._SubParsersAction))
        return self.verbs or tuple(next(below).choices)


def json_wanted(given: Sequence[str]) -> bool:
    """Whether errors are to be JSON, asked before the command line has been understood."""
    output = os.environ.get("LETTERLOCK_OUTPUT", "")
    for argument, following in itertools.zip_longest(given, given[1:], fillvalue=""):
        if argument == "--":
            break
        if argument in ("-o", "--output"):
            output = following
        elif found := re.fullmatch(r"-o=?(.+)|--output=(.+)", argument):
            output = found[1] or found[2]
    return output == "json"
