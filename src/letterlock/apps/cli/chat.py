"""`letterlock send`, `listen`, `chats`, `verify`: talking, and knowing with whom."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from typing import Any

from ...client import Chat, Client
from ...engine import events as ev
from ...engine.events import Recorded, event_to_json
from ...engine.policy import PlainOption
from ...engine.security import Security
from ...errors import InputError, NotEncrypted
from .network import until_stopped
from .options import add_profile, ask, interactive, open_client
from .terminal import Terminal, visible
from .words import event_text, option_token, security_label, security_sentence

__all__ = ["add_parsers"]

_ANSWER_SECONDS = 10.0


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

    verify = commands.add_parser(
        "verify",
        help="compare security codes with a contact",
        description="Show the security code of a chat. Read the digits to each other over another channel. Then type the "
        "last group that the other person reads out, here or with --last-group.",
    )
    verify.add_argument("number", metavar="NUMBER")
    verify.add_argument("--last-group", metavar="DIGITS", help="the last five digits that the contact read out")
    verify.add_argument("--accept-new-keys", action="store_true", help="go on with changed keys without comparing")
    add_profile(verify)
    verify.set_defaults(run=run_verify)


async def run_send(arguments: argparse.Namespace, terminal: Terminal) -> int:
    text = arguments.text
    if text == "-":
        text = (await asyncio.to_thread(sys.stdin.read)).rstrip("\n")
    async with await open_client(arguments, use_old_copy=arguments.use_old_copy) as me:
        chat = await me.chat(arguments.number)
        cursor = await me.cursor()
        if chat.security is Security.CHECKING:
            with contextlib.suppress(TimeoutError):
                # A definite answer of the directory, if there is one soon: better refused now than waiting for ever.
                await asyncio.wait_for(me.settled(), _ANSWER_SECONDS)
        try:
            message = await _send(chat, text, await _allowed(chat, arguments.allow))
        except NotEncrypted as error:
            message = await _decide(chat, text, error)
        state = chat.security
        terminal.data(
            {"message_id": message, "chat": chat.number, "security": state.value},
            f"{message}  {security_label(state, chat.number)}",
        )
        if arguments.wait > 0:
            await _until_delivered(me, message, cursor, arguments.wait, terminal)
        else:
            await me.settled()
    return 0


async def _send(chat: Chat, text: str, allow: PlainOption | None) -> str:
    return await chat.send(text, allow=allow)


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


async def _decide(chat: Chat, text: str, error: NotEncrypted) -> str:
    """Ask the user, once, in words; or give the refusal back with the tokens."""
    tokens = [option_token(option) for option in error.options if isinstance(option, PlainOption)]
    if not tokens:
        raise error
    if not interactive():
        error.hint = f"to send it unencrypted, readable for the carriers: --allow {tokens[0]}"
        raise error
    print(f"letterlock: {error}. The carriers can read what is sent unencrypted.", file=sys.stderr)
    if await ask("type 'unencrypted' to send it so, anything else to keep it: ") != "unencrypted":
        raise error
    return await _send(chat, text, error.options[0])


async def _until_delivered(me: Client, message: str, cursor: int, seconds: float, terminal: Terminal) -> None:
    """Print what becomes of a message until it is delivered or time is up; it goes on being sent either way."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for recorded in me.events(after=cursor):
                if getattr(recorded.event, "message_id", None) != message:
                    continue
                terminal.data(_record(recorded), event_text(recorded))
                if isinstance(recorded.event, ev.MessageDelivered | ev.MessageFailed | ev.MessageExpired):
                    return
    terminal.say("no receipt yet; the message stays in the outbox and is sent again when this profile is open")


async def run_listen(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with await open_client(arguments, use_old_copy=arguments.use_old_copy) as me:
        after = arguments.after
        if after is None:
            after = await me.recall(arguments.consumer) or 0
        terminal.say(f"{me.number}, device {me.me.device}: listening (stop with Ctrl-C)")
        printing = asyncio.create_task(_print_events(me, arguments, terminal, after))
        stopped = asyncio.create_task(until_stopped())
        await asyncio.wait({printing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (printing, stopped):
            task.cancel()
        results = await asyncio.gather(printing, stopped, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result
    return 0


async def _print_events(me: Client, arguments: argparse.Namespace, terminal: Terminal, after: int) -> None:
    async for recorded in me.events(after=after):
        terminal.data(_record(recorded), event_text(recorded))
        # Kept after it was printed: a crash in between prints it twice rather than never.
        await me.keep(arguments.consumer, recorded.cursor)
        event = recorded.event
        if isinstance(event, ev.MessageReceived) and not arguments.unread and not terminal.json:
            await (await me.chat(event.chat)).mark_displayed(event.message_id)


def _record(recorded: Recorded) -> dict[str, Any]:
    return {"cursor": recorded.cursor, "at": recorded.at, **event_to_json(recorded.event)}


async def run_chats(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with await open_client(arguments) as me:
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


async def run_verify(arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with await open_client(arguments) as me:
        chat = await me.chat(arguments.number)
        if arguments.accept_new_keys:
            await chat.accept_keys()
            _say_state(terminal, chat)
            return 0
        await me.settled()  # both ends' keys as the directory has them now, before anybody compares
        code = await chat.security_code()
        given = arguments.last_group
        groups = code.groups
        table = "\n".join("   " + "  ".join(groups[row : row + 4]) for row in range(0, 12, 4))
        terminal.data(
            {"chat": chat.number, "digits": code.digits, "scannable": code.scannable.hex()},
            f"security code of {me.number} and {chat.number}:\n\n{table}\n",
        )
        if given is None and interactive() and not terminal.json:
            given = await ask(f"last group that {chat.number} reads out (empty: not now): ") or None
        if given is not None:
            await chat.verify(last_group=given)
        _say_state(terminal, chat)
    return 0


def _say_state(terminal: Terminal, chat: Chat) -> None:
    state: Security = chat.security
    terminal.data(
        {"chat": chat.number, "security": state.value},
        f"{security_label(state, chat.number)}: {security_sentence(state, chat.number)}",
    )
