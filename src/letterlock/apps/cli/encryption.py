"""`letterlock security` and `letterlock encryption end|revive|retry`: who can read a chat, and what to do about it."""

from __future__ import annotations

import argparse

from ..verbs import VERBS, Context
from .options import open_client
from .showing import security_text
from .tabled import add_verb, given_params
from .terminal import Terminal

__all__ = ["add_parsers"]


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    add_verb(commands, "security", run_security)
    encryption = commands.add_parser(
        "encryption",
        help="end encryption in a chat, begin it again, or have repair tried again",
        description="For chats that go by RCC.16, where encryption belongs to the conversation as a whole. Ending it is "
        "seen by everybody in it, and sends nothing in the clear: each message after that is your own decision.",
    )
    verbs = encryption.add_subparsers(metavar="VERB", required=True, dest="encryption_verb")
    for name in VERBS:
        if name.startswith("encryption "):
            add_verb(verbs, name, run_security)


async def run_security(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Change what is to be changed, and say how the chat stands once the network has answered."""
    verb = VERBS[arguments.table_verb]
    params = given_params(verb, arguments)
    async with open_client(arguments) as me:
        context = Context(me, paths=True)
        await verb.perform(context, params)
        await me.settled()
        now = await VERBS["security"].perform(context, params)
        terminal.data({**now, "security": now["state"]}, security_text(now))
    return 0
