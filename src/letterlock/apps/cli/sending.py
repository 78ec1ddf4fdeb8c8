"""Saying something from the command line: decided, sent, and what became of it in the first seconds."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ...carriage import Medium
from ...client import Client, Conversation
from ...engine import events as ev
from ...engine.policy import PlainOption
from ...engine.security import Security
from ...errors import NotEncrypted
from ...ids import group_of
from ...words import text
from ..verbs import Context
from ..verbs.message_records import sent_record
from ..verbs.names import conversation_named
from ..verbs.records import event_record
from .asking import ask, interactive
from .event_words import event_text
from .options import add_profile, open_client
from .terminal import EXIT, Terminal, option_token
from .words import security_label

__all__ = ["Say", "add_sending", "say", "within"]

_ANSWER_SECONDS = 5.0
_ANSWERS = {Medium.RCS: "unencrypted", Medium.SMS: "sms"}
"""What is typed for it: no words, so the same in every language."""

Say = Callable[[Context, str], Awaitable[dict[str, Any]]]
"""Says it, with the token of the user's decision if there is one; what verbs that send give."""


def add_sending(parser: argparse.ArgumentParser) -> None:
    """What every verb that sends has at the terminal beside what stands in the table."""
    parser.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS", help="wait for the delivery receipt, up to this"
    )
    parser.add_argument("--use-old-copy", action="store_true", help="go on with a restored copy of the profile")
    add_profile(parser)


async def say(arguments: argparse.Namespace, terminal: Terminal, what: Say) -> int:
    """Open the profile and the chat, say it, print its id; the exit code."""
    async with open_client(arguments, use_old_copy=arguments.use_old_copy) as me:
        context, chat = Context(me, paths=True), await conversation_named(me, arguments.chat)
        cursor = await me.cursor()
        # A definite answer of the directory, if there is one soon: better refused now than waiting for ever.
        await _checked(me, chat, cursor)
        try:
            sent = await what(context, arguments.allow)
        except NotEncrypted as error:
            sent = await what(context, await _decided(error, terminal))
        message: str = sent["message_id"]
        await _checked(me, chat, cursor)  # the first message waits for one-time keys, too
        state = chat.security
        terminal.data(
            sent_record(message, chat.name, state),
            f"{message}  {security_label(state, chat.name, group=group_of(chat.name) is not None)}",
        )
        waits = state in (Security.CHECKING, Security.NO_KEYS_FOUND)
        if waits:
            terminal.say(_said("waits", chat=chat.name))
        if arguments.wait > 0:
            return await _until_delivered(me, message, cursor, arguments.wait, terminal)
        else:
            await within(_ANSWER_SECONDS, me.settled())
            if not waits and not await _taken(me, message, cursor):
                terminal.say(_said("not-taken"))
    return 0


async def within(seconds: float | None, *ways: Coroutine[Any, Any, None]) -> None:
    """Wait until one of these is done, or time is up."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    done, pending = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()


async def _checked(me: Client, chat: Conversation, cursor: int) -> None:
    """Wait until keys are here, the directory has said that there are none, or patience ends."""

    async def known() -> None:
        async for _ in me.events(after=cursor):
            if chat.security is not Security.CHECKING:
                return

    if chat.security is Security.CHECKING:
        await within(_ANSWER_SECONDS, known(), me.settled())


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


async def _decided(error: NotEncrypted, terminal: Terminal) -> str:
    """Ask the user, once, in words, for the token of the decision; or give the refusal back with the tokens."""
    options = {_ANSWERS[option.medium]: option for option in error.options if isinstance(option, PlainOption)}
    if not options:
        raise error
    of_whom = ".business" if error.reason == Security.BUSINESS.value else ""
    if interactive() and not terminal.json:
        terminal.say(f"{error}. {_said('readers' + of_whom)}")
        if "sms" in options:
            terminal.say(_said("readers.sms"))
        ways = "both" if len(options) > 1 else "sms" if "sms" in options else "rcs"
        answer = await ask(_said(f"ask.{ways}") + " ")
        if answer in options:
            return option_token(options[answer])
        raise error
    tokens = [f"--allow {option_token(option)}" for option in options.values()]
    shown = "; ".join([tokens[0], *(_said("allow.sms", token=token) for token in tokens[1:])])
    error.hint = _said("allow" + of_whom, tokens=shown)
    if error.reason == Security.NO_KEYS_FOUND.value:
        error.hint = _said("keep", hint=error.hint)
    raise error


async def _until_delivered(me: Client, message: str, cursor: int, seconds: float, terminal: Terminal) -> int:
    """Print what becomes of a message until it is delivered or time is up, when it goes on being sent; the exit code."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for recorded in me.events(after=cursor):
                if getattr(recorded.event, "message_id", None) != message:
                    continue
                terminal.data(event_record(recorded), event_text(recorded))
                if isinstance(recorded.event, ev.MessageDelivered):
                    return EXIT["ok"]
                if isinstance(recorded.event, ev.MessageFailed | ev.MessageExpired):
                    return EXIT["network"]
    terminal.say(_said("no-receipt"))
    return EXIT["ok"]


def _said(name: str, **values: str) -> str:
    later = text("terminal.sending.later")
    return text(f"terminal.sending.{name}", later=later, **values)
