"""Command lines that cannot be understood: said like every other error, with the exit code for wrong input."""

from __future__ import annotations

import argparse
import difflib
import itertools
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from ...errors import InputError

__all__ = ["Parser", "json_wanted"]


class Parser(argparse.ArgumentParser):
    """Raises InputError where argparse would print its usage and exit with 2, which means "our bug" here."""

    verbs: tuple[str, ...] = ()

    def error(self, message: str) -> NoReturn:
        if message == "the following arguments are required: VERB":
            self.print_help(sys.stderr)
            raise InputError("name a verb", code="input.usage", hint=f"for a first look: {self.prog} demo")
        if wrong := re.match(r"argument VERB: invalid choice: '([^']*)'", message):
            like = difflib.get_close_matches(wrong[1], self.verbs, 1)
            raise InputError(
                f"no such verb: {wrong[1]!r}",
                code="input.usage",
                hint=f"did you mean '{like[0]}'?" if like else f"{self.prog} --help lists them",
            )
        raise InputError(message[:1].lower() + message[1:], code="input.usage", hint=f"{self.prog} --help")


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
