"""`letterlock reply`, `react`, `edit`, `delete`, `location`: more than texts.

A message is named by its id, or by the beginning of it as `letterlock chats NUMBER` prints it.
"""

from __future__ import annotations

import argparse

from ...client import Conversation
from ...engine.policy import PlainOption
from ...errors import InputError
from ...ids import MessageId
from .asking import read_all
from .sending import add_sending, say
from .terminal import Terminal

__all__ = ["add_parsers", "message_named"]

_LOOKED_AT = 1_000
_ID = "its id, or the beginning of it: letterlock chats NUMBER"


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    reply = _verb(
        commands, "reply", "answer a message", "Answer a message. Sent like any other: encrypted or not at all."
    )
    reply.add_argument("message", metavar="MESSAGE", help=_ID)
    reply.add_argument("text", metavar="TEXT", help="- reads standard input")
    reply.set_defaults(run=run_reply)

    react = _verb(
        commands, "react", "put an emoji on a message", "Put an emoji on a message, or take yours away again."
    )
    react.add_argument("message", metavar="MESSAGE", help=_ID)
    react.add_argument("emoji", metavar="EMOJI")
    react.add_argument("--remove", action="store_true", help="take it away")
    react.set_defaults(run=run_react)

    edit = _verb(
        commands,
        "edit",
        "give a message of yours another text",
        "Give a message of yours another text. It is marked as edited, and readers can still see the first text.",
    )
    edit.add_argument("message", metavar="MESSAGE", help=_ID)
    edit.add_argument("text", metavar="TEXT", help="- reads standard input")
    edit.set_defaults(run=run_edit)

    delete = _verb(
        commands,
        "delete",
        "take a message of yours back",
        "Take a message of yours back. Its text goes from this profile at once and from the contact's when it hears of "
        "it; nobody can make a person forget what was read.",
    )
    delete.add_argument("message", metavar="MESSAGE", help=_ID)
    delete.set_defaults(run=run_delete)

    location = _verb(commands, "location", "send a place", "Send a place: degrees of latitude and longitude.")
    location.add_argument("latitude", type=float, metavar="LATITUDE", help="-90 to 90")
    location.add_argument("longitude", type=float, metavar="LONGITUDE", help="-180 to 180")
    location.add_argument("--label", default="", help="what it is called")
    location.add_argument("--radius", type=float, default=0.0, metavar="METRES", help="how exact it is")
    location.set_defaults(run=run_location)


def _verb(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, short: str, long: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=short, description=long)
    parser.add_argument("number", metavar="NUMBER", help="or a group: letterlock group list")
    add_sending(parser)
    return parser


async def run_reply(arguments: argparse.Namespace, terminal: Terminal) -> int:
    text = _text(arguments.text)

    async def reply(chat: Conversation, allow: PlainOption | None) -> MessageId:
        return await chat.reply(await message_named(chat, arguments.message), text, allow=allow)

    return await say(arguments, terminal, reply)


async def run_react(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async def react(chat: Conversation, allow: PlainOption | None) -> MessageId:
        message = await message_named(chat, arguments.message)
        return await chat.react(message, arguments.emoji, remove=arguments.remove, allow=allow)

    return await say(arguments, terminal, react)


async def run_edit(arguments: argparse.Namespace, terminal: Terminal) -> int:
    text = _text(arguments.text)

    async def edit(chat: Conversation, allow: PlainOption | None) -> MessageId:
        return await chat.edit(await message_named(chat, arguments.message), text, allow=allow)

    return await say(arguments, terminal, edit)


async def run_delete(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async def delete(chat: Conversation, allow: PlainOption | None) -> MessageId:
        return await chat.delete(await message_named(chat, arguments.message), allow=allow)

    return await say(arguments, terminal, delete)


async def run_location(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async def locate(chat: Conversation, allow: PlainOption | None) -> MessageId:
        return await chat.send_location(
            arguments.latitude, arguments.longitude, arguments.label, radius=arguments.radius, allow=allow
        )

    return await say(arguments, terminal, locate)


def _text(given: str) -> str:
    return read_all().rstrip("\n") if given == "-" else given


async def message_named(chat: Conversation, given: str) -> MessageId:
    """The message whose id begins so. Raises InputError when there is none, or more than one."""
    ids = {message.message_id for message in await chat.messages(limit=_LOOKED_AT)}
    found = [given] if given in ids else [message_id for message_id in ids if message_id.startswith(given)]
    if len(found) != 1:
        raise InputError(
            f"{'no' if not found else 'more than one'} message in this chat with the id {given!r}",
            code="input.target",
            hint=f"ids are the first column of: letterlock chats {chat.name}",
        )
    return MessageId(found[0])
