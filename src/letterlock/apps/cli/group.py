"""`letterlock group ...`: create, list, members, add, remove, leave, subject.

Talking in a group is done with the verbs for chats: `letterlock send GROUP TEXT`. GROUP is the group's name, the
beginning of it, or its subject if only one group is called so.
"""

from __future__ import annotations

import argparse

from ...client import BotChat, Chat, Client, Group, GroupInfo
from ...errors import InputError
from .options import add_profile, open_client
from .terminal import Terminal, visible
from .words import security_label

__all__ = ["add_parsers", "conversation_named"]

_GROUP = "its name or the beginning of it, or its subject: letterlock group list"
_SECONDS = 5.0


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser(
        "group",
        help="encrypted groups: create, list, members, add, remove, leave, subject",
        description="Encrypted groups. Members and subject are what the members have signed; the carrier cannot change "
        "them. Any member adds people; a member can be removed by those who were in the group before it.",
    )
    verbs = group.add_subparsers(metavar="VERB", required=True, dest="group_verb")

    create = verbs.add_parser("create", help="a new group of you and these numbers")
    create.add_argument("subject", metavar="SUBJECT")
    create.add_argument("numbers", metavar="NUMBER", nargs="+")
    create.add_argument(
        "--protocol",
        choices=("signal", "rcc16"),
        default="",
        help="default: signal if everybody has it on every device, else rcc16",
    )
    add_profile(create)
    create.set_defaults(run=run_create)

    everything = verbs.add_parser("list", help="the groups that you are or were in")
    add_profile(everything)
    everything.set_defaults(run=run_list)

    members = _verb(verbs, "members", "who is in it, in the order in which they came")
    members.set_defaults(run=run_members)

    add = _verb(verbs, "add", "add people; also somebody whose keys have changed, once more")
    add.add_argument("numbers", metavar="NUMBER", nargs="+")
    add.set_defaults(run=run_add)

    remove = _verb(verbs, "remove", "remove somebody who came after you")
    remove.add_argument("number", metavar="NUMBER")
    remove.set_defaults(run=run_remove)

    leave = _verb(verbs, "leave", "leave; what there is stays readable")
    leave.set_defaults(run=run_leave)

    subject = _verb(verbs, "subject", "call it otherwise, for everybody")
    subject.add_argument("subject", metavar="SUBJECT")
    subject.set_defaults(run=run_subject)


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, description: str
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=description)
    parser.add_argument("group", metavar="GROUP", help=_GROUP)
    add_profile(parser)
    return parser


async def run_create(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with open_client(arguments) as me:
        group = await me.create_group(
            arguments.numbers, arguments.subject, protocol=arguments.protocol, patience=_SECONDS
        )
        await me.settled()
        _print_group(await group.info(), terminal)
    return 0


async def run_list(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with open_client(arguments) as me:
        for info in await me.groups():
            _print_group(info, terminal)
    return 0


async def run_members(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with open_client(arguments) as me:
        await _print_members(await _group(me, arguments.group), terminal)
    return 0


async def run_add(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with open_client(arguments) as me:
        group = await _group(me, arguments.group)
        await group.add(*arguments.numbers, patience=_SECONDS)
        await me.settled()
        await _print_members(group, terminal)
    return 0


async def run_remove(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with open_client(arguments) as me:
        group = await _group(me, arguments.group)
        await group.remove(arguments.number)
        await me.settled()
        await _print_members(group, terminal)
    return 0


async def run_leave(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with open_client(arguments) as me:
        group = await _group(me, arguments.group)
        await group.leave()
        await me.settled()
        _print_group(await group.info(), terminal)
    return 0


async def run_subject(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with open_client(arguments) as me:
        group = await _group(me, arguments.group)
        await group.set_subject(arguments.subject)
        await me.settled()
        _print_group(await group.info(), terminal)
    return 0


# --- names ---------------------------------------------------------------------------------------------------
async def conversation_named(me: Client, text: str) -> Chat | Group | BotChat:
    """The chat with a number or a chatbot, or the group that the user means. Raises InputError."""
    if text[:4].lower() == "sip:":
        return await me.bot(text)
    return await me.chat(text) if text.startswith("+") else await _group(me, text)


async def _group(me: Client, text: str) -> Group:
    """By name, by the beginning of it, by subject; it has to be one. Raises InputError."""
    groups = await me.groups()
    wanted = text.lower()
    found = [info for info in groups if info.group == wanted]
    found = found or [info for info in groups if len(wanted) >= 4 and info.group.startswith(wanted)]
    found = found or [info for info in groups if info.subject == text]
    if len(found) != 1:
        raise InputError(
            f"{'no' if not found else 'more than one'} group is called {text[:64]!r}",
            code="input.group",
            hint="a chat is named by a number with a plus sign, a group as in: letterlock group list",
        )
    return await me.group(found[0].group)


# --- printing ------------------------------------------------------------------------------------------------
def _print_group(info: GroupInfo, terminal: Terminal) -> None:
    members = [member.number for member in info.members]
    who = f"{len(members)} members" if info.joined else "you are not in it"
    terminal.data(
        {
            "chat": info.group,
            "subject": info.subject,
            "joined": info.joined,
            "security": info.security.value,
            "protocol": info.protocol,
            "members": members,
        },
        f"{info.group}  {visible(info.subject) or '(no subject)'}  {who}",
    )


async def _print_members(group: Group, terminal: Terminal) -> None:
    for member in (await group.info()).members:
        state = "you" if member.me else security_label(member.security, member.number)
        if not member.current:
            state = "has other keys now: add it again to go on"
        marks = "  removable" if member.removable else ""
        terminal.data(
            {
                "number": member.number,
                "account": member.account,
                "security": member.security.value,
                "current": member.current,
                "me": member.me,
                "removable": member.removable,
            },
            f"{member.number}  {state}{marks}",
        )
