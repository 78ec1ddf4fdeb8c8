"""`letterlock answer`: tapping what a chatbot suggests; and how its cards read in a terminal.

A tap sends the bot its two texts back and does nothing else: no page is opened, nobody is called, no picture fetched
(SR-14). What an action asks for is said, for the user to do.
"""

from __future__ import annotations

import argparse
import platform
import textwrap
from typing import Any

from ...client import BotChat, Conversation
from ...codec.chatbot.model import Action, DeviceData, DeviceSpecifics, ShareLocation, Suggestion
from ...codec.chatbot.record import to_record
from ...engine.policy import PlainOption
from ...errors import InputError
from ...ids import MessageId
from ...version import __version__
from .asking import ask, interactive
from .messages import message_named
from .sending import add_sending, say
from .terminal import Terminal, visible

__all__ = ["add_parsers", "bot_lines"]

_WIDTH = 60


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    answer = commands.add_parser(
        "answer",
        help="tap a suggestion of a chatbot",
        description="Tap a suggestion of a chatbot: what stands on it goes back, unencrypted, to the business, which sees "
        "your number. Actions are not performed: what one asks for is printed, for you to do.",
    )
    answer.add_argument("number", metavar="CHAT", help="the chatbot's address: sip:shop@bots.example.com")
    answer.add_argument("message", metavar="MESSAGE", help="its id, or the beginning of it: letterlock chats CHAT")
    answer.add_argument("suggestion", type=int, metavar="NUMBER", help="as it stands before the suggestion")
    answer.add_argument("--place", metavar="LATITUDE,LONGITUDE", help="the place, where one is asked for")
    answer.add_argument(
        "--tell-device", action="store_true", help="tell this system's name and version, where the bot asks for them"
    )
    add_sending(answer)
    answer.set_defaults(run=run_answer)


async def run_answer(arguments: argparse.Namespace, terminal: Terminal) -> int:
    tapped: list[Suggestion] = []

    async def tap(chat: Conversation, allow: PlainOption | None) -> MessageId:
        if not isinstance(chat, BotChat):
            raise InputError(
                "suggestions are a chatbot's", code="input.suggestion", hint="its address begins with sip:"
            )
        message = await message_named(chat, arguments.message)
        suggestion = _chosen(await chat.suggestions(message), arguments.suggestion)
        place = await _place(arguments, suggestion)
        device = await _device(arguments, suggestion, terminal)
        sent = await chat.answer(message, arguments.suggestion, allow=allow)
        if place is not None:
            await chat.send_location(*place)
        if device is not None:
            await chat.tell_device(device)
        tapped.append(suggestion)
        return sent

    code = await say(arguments, terminal, tap)
    for suggestion in tapped:
        if isinstance(suggestion, Action):
            terminal.say(_to_do(to_record(suggestion.kind)))
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


# --- in words ----------------------------------------------------------------------------------------------
def bot_lines(content: dict[str, Any]) -> list[str]:
    """What a chatbot sent, below the line of its message: each card in a box, and the suggestions by number."""
    numbers = iter(content.get("suggestions", ()))
    lines: list[str] = []
    if content["kind"] == "card":
        lines += _card(content["card"]["content"], numbers)
    elif content["kind"] == "carousel":
        for card in content["carousel"]["cards"]:
            lines += _card(card, numbers)
    return lines + [_suggestion(each) for each in numbers]


def _card(card: dict[str, Any], numbers: Any) -> list[str]:
    inside: list[str] = []
    for text in (card.get("title", ""), card.get("description", "")):
        for line in text.splitlines():
            inside += textwrap.wrap(visible(line), _WIDTH) or [""]
    if (media := card.get("media")) is not None:
        what = ", ".join(part for part in (media.get("content_type", ""), _size(media.get("size", 0))) if part)
        inside += textwrap.wrap(visible(f"[{what or 'media'}: {media.get('description') or 'not fetched'}]"), _WIDTH)
    lines = [f"  ┌{'─' * (_WIDTH + 2)}┐", *(f"  │ {line:<{_WIDTH}} │" for line in inside), f"  └{'─' * (_WIDTH + 2)}┘"]
    return lines + [_suggestion(next(numbers)) for _ in card.get("suggestions", ())]


def _suggestion(record: dict[str, Any]) -> str:
    kind = record.get("kind")
    does = f"  ({_does(kind)})" if kind is not None else ""
    return f"  {record['number']:>3}  {visible(record['text'] + does)}"


def _size(size: int) -> str:
    return f"{size:,} bytes" if size else ""


def _does(kind: dict[str, Any]) -> str:
    """What an action asks of a phone."""
    match kind["type"]:
        case "open-url":
            return f"a page: {kind['url']}"
        case "dial":
            return f"a call to {kind['phone_number']}"
        case "video-call":
            return f"a video call to {kind['phone_number']}"
        case "enriched-call":
            return f"a call to {kind['phone_number']}: {kind.get('subject', '')}"
        case "view-location" if kind.get("query"):
            return f"a place: {kind['query']}"
        case "view-location":
            return f"a place: {kind['latitude']:.6f}, {kind['longitude']:.6f} {kind.get('label', '')}".rstrip()
        case "share-location":
            return "asks for a place of yours"
        case "calendar-event":
            return f"a calendar entry: {kind['title']}"
        case "compose-text":
            return f"a message to {kind['phone_number']}: {kind['text']}"
        case "compose-recording":
            return f"a recording ({kind['recording']}) for {kind['phone_number']}"
        case "device-specifics":
            return "asks about your device"
        case "disable-anonymization":
            return "asks to see your number"
        case "enable-displayed":
            return "asks to be told what you have seen"
        case _:
            return "something that this version does not know"


def _to_do(kind: dict[str, Any]) -> str:
    """What is left to the user after the tap."""
    match kind["type"]:
        case "share-location" | "device-specifics":
            return "the tap was sent, and nothing beyond what you gave"
        case "disable-anonymization":
            return "the tap was sent; this network shows your number to businesses in any case"
        case "enable-displayed":
            return "the tap was sent; whether the bot hears what you have seen is a setting of yours"
        case _:
            return f"the tap was sent; letterlock does not do the rest, which is yours to decide: {_does(kind)}"
