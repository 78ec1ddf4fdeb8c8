"""`letterlock reply`, `react`, `edit`, `delete`, `location`, `resend`: more than texts.

A message is named by its id, or by the beginning of it as `letterlock chats NUMBER` prints it.
"""

from __future__ import annotations

import argparse
from typing import Any

from ..verbs import VERBS, Context
from .asking import read_all
from .sending import add_sending, say
from .tabled import add_verb, given_params
from .terminal import Terminal

__all__ = ["add_parsers", "run_said"]

_NAMES = ("reply", "react", "edit", "delete", "location", "resend")


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    for name in _NAMES:
        add_sending(add_verb(commands, name, run_said, profile=False))


async def run_said(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Say what the verb of the table says, asking where it would not be encrypted."""
    verb = VERBS[arguments.table_verb]
    params = given_params(verb, arguments)
    if params.get("text") == "-":
        params["text"] = read_all().rstrip("\n")

    async def said(context: Context, allow: str) -> dict[str, Any]:
        sent: dict[str, Any] = await verb.perform(context, {**params, "allow": allow})
        return sent

    return await say(arguments, terminal, said)
