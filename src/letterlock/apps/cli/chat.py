"""`letterlock send`, `listen`, `chats`: talking."""

from __future__ import annotations

import argparse
import asyncio
from functools import partial

from ...client import Client, Conversation
from ...engine import events as ev
from ...engine.policy import PlainOption
from ...errors import InputError
from ...ids import MessageId
from .asking import read_all
from .group import conversation_named
from .options import add_profile, open_client
from .progress import show_odd, watch
from .sending import add_sending, record_of, say, within
from .stopping import stop_signals
from .terminal import Terminal
from .words import event_text, message_record, message_text, security_label

__all__ = ["add_parsers"]


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    send = commands.add_parser(
        "send",
        help="send a message",
        description="Send a message. It is encrypted or it is not sent: exit code 7 says that it would not have been, "
        "and the error carries the token of what you may choose instead.",
    )
    send.add_argument("number", metavar="NUMBER", help="or a group: letterlock group list")
    send.add_argument("text", nargs="?", metavar="TEXT", help="- reads standard input")
    send.add_argument("--file", metavar="PATH", help="send a file, encrypted as the chat is, instead of a text")
    send.add_argument(
        "--type", default="", help="media type of the file (default: what it looks like, if it is sealed)"
    )
    send.add_argument("--name", default="", help="what the contact is told that the file is called (default: as here)")
    send.add_argument("--thumbnail", metavar="FILE", help="a picture to make its thumbnail from")
    send.add_argument("--no-thumbnail", action="store_true", help="no small picture of it, nor its size or duration")
    add_sending(send)
    send.set_defaults(run=run_send)

    listen = commands.add_parser(
        "listen",
        help="stay connected and print what happens",
        description="Stay connected and print events. Those that were not printed before come first: nothing is lost "
        "because nobody listened.",
    )
    listen.add_argument("--after", type=int, metavar="CURSOR", help="start behind this event; 0 is from the beginning")
    listen.add_argument("--consumer", default="listen", help="under which name the place is kept (default %(default)s)")
    listen.add_argument("--unread", action="store_true", help="do not tell senders that you have seen their messages")
    listen.add_argument("--use-old-copy", action="store_true", help="go on with a restored copy of the profile")
    listen.add_argument(
        "--pager-only",
        action="store_true",
        help="offer no message sessions: each message is one request, and what is too large for that cannot come",
    )
    add_profile(listen)
    listen.set_defaults(run=run_listen)

    chats = commands.add_parser("chats", help="list chats, or the messages of one, or of a group")
    chats.add_argument("number", nargs="?", metavar="NUMBER", help="or a group: letterlock group list")
    chats.add_argument("--limit", type=int, default=50, help="default %(default)s")
    add_profile(chats)
    chats.set_defaults(run=run_chats)

    capabilities = commands.add_parser(
        "capabilities",
        help="what the carrier says that a number can do",
        description="Ask the carrier what the phones of a number can do, by OPTIONS. A hint that anybody on the way can "
        "change; it decides nothing about encryption.",
    )
    capabilities.add_argument("number", metavar="NUMBER")
    capabilities.add_argument("--known", action="store_true", help="what was heard within a day will do")
    add_profile(capabilities)
    capabilities.set_defaults(run=run_capabilities)


async def run_send(arguments: argparse.Namespace, terminal: Terminal) -> int:
    text = arguments.text
    if (text is None) == (arguments.file is None):
        raise InputError("give a text, or --file", code="input.send", hint="letterlock send --help")
    if arguments.file is not None:
        return await say(arguments, terminal, partial(_send_file, arguments, terminal))
    if text == "-":
        text = read_all().rstrip("\n")
    return await say(arguments, terminal, lambda chat, allow: chat.send(text, allow=allow))


async def _send_file(
    arguments: argparse.Namespace, terminal: Terminal, chat: Conversation, allow: PlainOption | None
) -> MessageId:
    transfer = await chat.upload(
        arguments.file,
        name=arguments.name,
        content_type=arguments.type,
        thumbnail=False if arguments.no_thumbnail else arguments.thumbnail,
        allow=allow,
    )
    try:
        await watch(transfer, terminal)
        file = await transfer.file()
    except BaseException:  # Ctrl-C above all: what is not sent is not left half-way at the server
        if not transfer.info.state.over:
            await transfer.cancel()
        raise
    show_odd(transfer.info, terminal)
    return await chat.send_file(file, allow=allow)


async def run_listen(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with open_client(arguments, use_old_copy=arguments.use_old_copy, sessions=not arguments.pager_only) as me:
        after = arguments.after
        if after is None:
            after = await me.recall(arguments.consumer) or 0
        with stop_signals() as stopped:
            terminal.say(f"{me.number}, device {me.me.device}: listening (stop with Ctrl-C)")
            await within(None, _print_events(me, arguments, terminal, after), _until(stopped))
    return 0


async def run_capabilities(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with open_client(arguments) as me:
        chat = await me.chat(arguments.number)
        features = await chat.capabilities(fresh=not arguments.known)
        words = "nobody knows now" if features is None else "no RCS" if not features else " ".join(features)
        terminal.data({"chat": chat.number, "features": features}, f"{chat.number}  {words}")
    return 0


async def _until(stopped: asyncio.Event) -> None:
    await stopped.wait()


async def _print_events(me: Client, arguments: argparse.Namespace, terminal: Terminal, after: int) -> None:
    async for recorded in me.events(after=after):
        terminal.data(record_of(recorded), event_text(recorded))
        # Kept after it was printed: a crash in between prints it twice rather than never; Ctrl-C waits for it.
        keeping = asyncio.ensure_future(me.keep(arguments.consumer, recorded.cursor))
        try:
            await asyncio.shield(keeping)
        except asyncio.CancelledError:
            await keeping
            raise
        event = recorded.event
        if isinstance(event, ev.MessageReceived) and not arguments.unread and not terminal.json:
            await (await me.conversation(event.chat)).mark_displayed(event.message_id)


async def run_chats(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with open_client(arguments) as me:
        if arguments.number is None:
            for chat in (*await me.chats(), *await me.bots()):
                state = chat.security
                terminal.data(
                    {"chat": chat.name, "security": state.value}, f"{chat.name}  {security_label(state, chat.name)}"
                )
            return 0
        talk = await conversation_named(me, arguments.number)
        for message in await talk.messages(limit=arguments.limit):
            terminal.data(message_record(message), message_text(message))
    return 0
