"""`letterlock group ...`: create, list, info, members, add, remove, leave, subject.

Talking in a group is done with the verbs for chats: `letterlock send GROUP TEXT`. GROUP is the group's name, the
beginning of it, or its subject if only one group is called so.
"""

from __future__ import annotations

import argparse

from ..verbs import VERBS, Context
from .options import open_client
from .showing import group_text, member_text
from .tabled import add_verb, given_params
from .terminal import Terminal

__all__ = ["add_parsers"]

_ROSTER = ("group members", "group add", "group remove")
"""Those after which one wants to see who is in it."""


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser(
        "group",
        help="encrypted groups: create, list, info, members, add, remove, leave, subject",
        description="Encrypted groups. Members and subject are what the members have signed; the carrier cannot change "
        "them. Any member adds people; a member can be removed by those who were in the group before it.",
    )
    verbs = group.add_subparsers(metavar="VERB", required=True, dest="group_verb")
    for name in VERBS:
        if name.startswith("group "):
            add_verb(verbs, name, run_group)


async def run_group(arguments: argparse.Namespace, terminal: Terminal) -> int:
    verb = VERBS[arguments.table_verb]
    params = given_params(verb, arguments)
    async with open_client(arguments) as me:
        context = Context(me, paths=True)
        result = await verb.perform(context, params)
        if verb.name not in ("group list", "group info", "group members"):
            await me.settled()  # what was changed is told to the others before we end
        if verb.name in _ROSTER:
            for member in await VERBS["group members"].perform(context, {"chat": params["chat"]}):
                terminal.data(member, member_text(member))
            return 0
        for record in result if isinstance(result, list) else [result]:
            terminal.data(record, group_text(record))
    return 0
