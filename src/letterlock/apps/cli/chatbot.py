"""`letterlock answer`: tapping what a chatbot suggests; and how its cards read in a terminal.

A tap sends the bot its two texts back and does nothing else: no page is opened, nobody is called, no picture fetched
(SR-14). What an action asks for is said, for the user to do.
"""

from __future__ import annotations

import argparse
import platform
from typing import Any

from ...client import BotChat
from ...codec.chatbot.model import Action, DeviceData, DeviceSpecifics, ShareLocation, Suggestion
from ...codec.chatbot.record import to_record
from ...errors import InputError
from ...version import __version__
from ..verbs import Context
from ..verbs.answers import allowed, sent
from ..verbs.names import conversation_named, message_named
from .asking import ask, interactive
from .bot_words import to_do
from .sending import add_sending, say
from .tabled import add_verb
from .terminal import Terminal

__all__ = ["add_parsers"]


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    answer = add_verb(commands, "answer", run_answer, profile=False)
    answer.add_argument("--place", metavar="LATITUDE,LONGITUDE", help="the place, where one is asked for")
    add_sending(answer)


async def run_answer(arguments: argparse.Namespace, terminal: Terminal) -> int:
    tapped: list[Suggestion] = []

    async def tap(context: Context, token: str) -> dict[str, Any]:
        chat = await conversation_named(context.client, arguments.chat)
        if not isinstance(chat, BotChat):
            raise InputError(
                "suggestions are a chatbot's", code="input.suggestion", hint="its address begins with sip:"
            )
        message = await message_named(chat, arguments.message_id)
        suggestion = _chosen(await chat.suggestions(message), arguments.suggestion)
        place = await _place(arguments, suggestion)
        device = await _device(arguments, suggestion, terminal)
        answered = await chat.answer(message, arguments.suggestion, allow=await allowed(chat, token))
        if place is not None:
            await chat.send_location(*place)
        if device is not None:
            await chat.tell_device(device)
        tapped.append(suggestion)
        return sent(chat, answered)

    code = await say(arguments, terminal, tap)
    for suggestion in tapped:
        if isinstance(suggestion, Action):
            terminal.say(to_do(to_record(suggestion.kind)))
    return code


def _chosen(suggestions: tuple[Suggestion, ...], number: int) -> Suggestion:
    if not 1 <= number <= len(suggestions):
        raise InputError(f"there are {len(suggestions)} suggestions at this message", code="input.suggestion")
    return suggestions[number - 1]


async def _place(arguments: argparse.Namespace, suggestion: Suggestion) -> tuple[float, float] | None:
    """The place that the user sends, where one is asked for; before anything is sent."""
    if not isinstance(suggestion, Action) or not isinstance(suggestion.kind, ShareLocation):
        return None
    text = arguments.place
    if text is None and interactive():
        text = await ask("the bot asks for a place; latitude,longitude: ")
    try:
        latitude, longitude = (float(part) for part in (text or "").split(","))
    except ValueError:
        raise InputError(
            "the bot asks for a place", code="input.location", hint="--place LATITUDE,LONGITUDE, of any place you like"
        ) from None
    return latitude, longitude


async def _device(arguments: argparse.Namespace, suggestion: Suggestion, terminal: Terminal) -> DeviceData | None:
    """What is told of this device, by the user's word alone."""
    if not isinstance(suggestion, Action) or not isinstance(suggestion.kind, DeviceSpecifics):
        return None
    device = DeviceData(
        model=platform.system(),
        platform_version=platform.release(),
        client_vendor="Letterlock",
        client_version=__version__,
    )
    if arguments.tell_device:
        return device
    if interactive():
        terminal.say(
            f"the bot asks about this device: {device.model} {device.platform_version}, {device.client_version}"
        )
        if await ask("type 'tell' to tell it, anything else to tap without: ") == "tell":
            return device
    return None
