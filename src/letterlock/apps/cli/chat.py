"""`letterlock send`, `listen`, `chats`: talking."""

from __future__ import annotations

import argparse
import asyncio
from functools import partial
from typing import Any

from ...client import Client
from ...engine import events as ev
from ...errors import InputError
from ..verbs import VERBS, Context, checked
from ..verbs.answers import allowed, sent
from ..verbs.names import conversation_named, message_named
from ..verbs.records import event_record
from .event_words import event_text
from .messages import run_said
from .options import add_profile, open_client
from .progress import show_odd, watch
from .sending import add_sending, say, within
from .showing import chat_text
from .stopping import stop_signals
from .tabled import add_verb
from .terminal import Terminal
from .words import message_text

__all__ = ["add_parsers"]


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    send = add_verb(commands, "send", run_send, optional=("text",), profile=False)
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

    chats = add_verb(commands, "chats", run_chats, profile=False)
    chats.add_argument("chat", nargs="?", metavar="CHAT", help="its messages in place of the list: as 'messages'")
    chats.add_argument("--limit", type=int, default=50, metavar="COUNT", help="of messages (default %(default)s)")
    add_profile(chats)


async def run_send(arguments: argparse.Namespace, terminal: Terminal) -> int:
    text = arguments.text
    if (text is None) == (arguments.file is None):
        raise InputError("give a text, or --file", code="input.send", hint="letterlock send --help")
    if arguments.file is not None:
        return await say(arguments, terminal, partial(_send_file, arguments, terminal))
    return await run_said(arguments, terminal)


async def _send_file(arguments: argparse.Namespace, terminal: Terminal, context: Context, token: str) -> dict[str, Any]:
    chat = await conversation_named(context.client, arguments.chat)
    answered = await message_named(chat, arguments.reply_to) if arguments.reply_to else ""
    allow = await allowed(chat, token)
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
    return sent(chat, await chat.send_file(file, reply_to=answered, allow=allow))


async def run_listen(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with open_client(arguments, use_old_copy=arguments.use_old_copy, sessions=not arguments.pager_only) as me:
        after = arguments.after
        if after is None:
            after = await me.recall(arguments.consumer) or 0
        with stop_signals() as stopped:
            terminal.say(f"{me.number}, device {me.me.device}: listening (stop with Ctrl-C)")
            await within(None, _print_events(me, arguments, terminal, after), _until(stopped))
    return 0


async def _until(stopped: asyncio.Event) -> None:
    await stopped.wait()


async def _print_events(me: Client, arguments: argparse.Namespace, terminal: Terminal, after: int) -> None:
    async for recorded in me.events(after=after):
        terminal.data(event_record(recorded), event_text(recorded))
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
        context = Context(me, paths=True)
        if arguments.chat is None:
            for chat in await VERBS["chats"].perform(context, {}):
                terminal.data(chat, chat_text(chat))
            return 0
        verb = VERBS["messages"]
        found = await verb.perform(context, checked(verb, {"chat": arguments.chat, "limit": arguments.limit}))
        for message in found["messages"]:
            terminal.data(message, message_text(message))
    return 0
