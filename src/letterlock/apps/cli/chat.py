"""`letterlock send`, `listen`, `chats`: talking."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from ...client import Chat, Client
from ...engine import events as ev
from ...engine.events import Recorded, event_to_json
from ...engine.policy import PlainOption
from ...engine.security import Security
from ...errors import InputError, NotEncrypted
from .asking import ask, interactive, read_all
from .options import add_profile, open_client
from .stopping import stop_signals
from .terminal import EXIT, Terminal, option_token, visible
from .words import event_text, security_label

__all__ = ["add_parsers"]

_ANSWER_SECONDS = 5.0
_LATER = "kept, and sent while this profile is open: letterlock listen"


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    send = commands.add_parser(
        "send",
        help="send a message",
        description="Send a message. It is encrypted or it is not sent: exit code 7 says that it would not have been, "
        "and the error carries the token of what you may choose instead.",
    )
    send.add_argument("number", metavar="NUMBER")
    send.add_argument("text", metavar="TEXT", help="- reads standard input")
    send.add_argument(
        "--allow", metavar="TOKEN", help="your decision to send this unencrypted: the token of the refusal"
    )
    send.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS", help="wait for the delivery receipt, up to this"
    )
    send.add_argument("--use-old-copy", action="store_true", help="go on with a restored copy of the profile")
    add_profile(send)
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
    add_profile(listen)
    listen.set_defaults(run=run_listen)

    chats = commands.add_parser("chats", help="list chats, or the messages of one")
    chats.add_argument("number", nargs="?", metavar="NUMBER")
    chats.add_argument("--limit", type=int, default=50, help="default %(default)s")
    add_profile(chats)
    chats.set_defaults(run=run_chats)


async def run_send(arguments: argparse.Namespace, terminal: Terminal) -> int:
    text = arguments.text
    if text == "-":
        text = read_all().rstrip("\n")
    async with open_client(arguments, use_old_copy=arguments.use_old_copy) as me:
        chat = await me.chat(arguments.number)
        cursor = await me.cursor()
        # A definite answer of the directory, if there is one soon: better refused now than waiting for ever.
        await _checked(me, chat, cursor)
        try:
            message = await chat.send(text, allow=await _allowed(chat, arguments.allow))
        except NotEncrypted as error:
            message = await chat.send(text, allow=await _decided(error, terminal))
        await _checked(me, chat, cursor)  # the first message waits for one-time keys, too
        state = chat.security
        terminal.data(
            {"message_id": message, "chat": chat.number, "security": state.value},
            f"{message}  {security_label(state, chat.number)}",
        )
        if state is Security.CHECKING:
            terminal.say(f"it waits for the keys of {chat.number}, and is {_LATER}")
        if arguments.wait > 0:
            return await _until_delivered(me, message, cursor, arguments.wait, terminal)
        else:
            await _within(_ANSWER_SECONDS, me.settled())
            if state is not Security.CHECKING and not await _taken(me, message, cursor):
                terminal.say(f"the network has not taken it yet; it is {_LATER}")
    return 0


async def _within(seconds: float | None, *ways: Coroutine[Any, Any, None]) -> None:
    """Wait until one of these is done, or time is up."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    done, pending = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()


async def _checked(me: Client, chat: Chat, cursor: int) -> None:
    """Wait until keys are here, the directory has said that there are none, or patience ends."""

    async def known() -> None:
        async for _ in me.events(after=cursor):
            if chat.security is not Security.CHECKING:
                return

    if chat.security is Security.CHECKING:
        await _within(_ANSWER_SECONDS, known(), me.settled())


async def _taken(me: Client, message: str, cursor: int) -> bool:
    """Whether the network, or even the contact, has it."""
    last = await me.cursor()
    async for recorded in me.events(after=cursor):
        event = recorded.event
        if isinstance(event, ev.MessageAccepted | ev.MessageDelivered) and event.message_id == message:
            return True
        if recorded.cursor >= last:
            break
    return False


async def _allowed(chat: Chat, token: str | None) -> PlainOption | None:
    """The option behind a token. A token of another chat, another transition or none of ours is refused (SR-01)."""
    if token is None:
        return None
    for option in await chat.options():
        if option_token(option) == token:
            return option
    raise InputError(
        "that token is not of a refusal that stands",
        code="input.allow",
        hint="send without --allow; if it is refused, the error carries the token",
    )


async def _decided(error: NotEncrypted, terminal: Terminal) -> PlainOption:
    """Ask the user, once, in words; or give the refusal back with the token that stands for the decision."""
    option = next((option for option in error.options if isinstance(option, PlainOption)), None)
    if option is None:
        raise error
    if interactive() and not terminal.json:
        terminal.say(f"{error}. The carriers can read what is sent unencrypted.")
        if await ask("type 'unencrypted' to send it so, anything else to keep it: ") == "unencrypted":
            return option
        raise error
    error.hint = f"to send it unencrypted, readable for the carriers: --allow {option_token(option)}"
    raise error


async def _until_delivered(me: Client, message: str, cursor: int, seconds: float, terminal: Terminal) -> int:
    """Print what becomes of a message until it is delivered or time is up, when it goes on being sent; the exit code."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for recorded in me.events(after=cursor):
                if getattr(recorded.event, "message_id", None) != message:
                    continue
                terminal.data(_record(recorded), event_text(recorded))
                if isinstance(recorded.event, ev.MessageDelivered):
                    return EXIT["ok"]
                if isinstance(recorded.event, ev.MessageFailed | ev.MessageExpired):
                    return EXIT["network"]
    terminal.say(f"no receipt yet; if the network loses it, it is {_LATER}")
    return EXIT["ok"]


async def run_listen(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with open_client(arguments, use_old_copy=arguments.use_old_copy) as me:
        after = arguments.after
        if after is None:
            after = await me.recall(arguments.consumer) or 0
        with stop_signals() as stopped:
            terminal.say(f"{me.number}, device {me.me.device}: listening (stop with Ctrl-C)")
            await _within(None, _print_events(me, arguments, terminal, after), _until(stopped))
    return 0


async def _until(stopped: asyncio.Event) -> None:
    await stopped.wait()


async def _print_events(me: Client, arguments: argparse.Namespace, terminal: Terminal, after: int) -> None:
    async for recorded in me.events(after=after):
        terminal.data(_record(recorded), event_text(recorded))
        # Kept after it was printed: a crash in between prints it twice rather than never; Ctrl-C waits for it.
        keeping = asyncio.ensure_future(me.keep(arguments.consumer, recorded.cursor))
        try:
            await asyncio.shield(keeping)
        except asyncio.CancelledError:
            await keeping
            raise
        event = recorded.event
        if isinstance(event, ev.MessageReceived) and not arguments.unread and not terminal.json:
            await (await me.chat(event.chat)).mark_displayed(event.message_id)


def _record(recorded: Recorded) -> dict[str, Any]:
    return {"cursor": recorded.cursor, "at": recorded.at, **event_to_json(recorded.event)}


async def run_chats(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with open_client(arguments) as me:
        if arguments.number is None:
            for chat in await me.chats():
                state = chat.security
                terminal.data(
                    {"chat": chat.number, "security": state.value},
                    f"{chat.number}  {security_label(state, chat.number)}",
                )
            return 0
        chat = await me.chat(arguments.number)
        for message in await chat.messages(limit=arguments.limit):
            who = "me" if message.mine else message.sender
            mark = "" if message.encrypted else "  [not encrypted]"
            terminal.data(
                {
                    "order": message.order,
                    "message_id": message.message_id,
                    "sender": message.sender,
                    "mine": message.mine,
                    "encrypted": message.encrypted,
                    "status": message.status.name.lower(),
                    "at": message.at,
                    "content_type": message.content_type,
                    "text": message.text,
                },
                f"{who:>16}  {visible(message.text or f'({message.content_type})')}{mark}",
            )
    return 0
