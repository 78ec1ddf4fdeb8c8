"""What chatbots send, in words: cards in boxes, suggestions by number, what an action asks for."""

from __future__ import annotations

import textwrap
from typing import Any

from .terminal import visible

__all__ = ["bot_lines", "to_do"]

_WIDTH = 60
_LINES = 40


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
    # A text of line breaks alone would push everything else off the screen.
    for text in (card.get("title", ""), card.get("description", "")):
        lines = [part for line in text.splitlines() for part in textwrap.wrap(visible(line), _WIDTH) or [""]]
        inside += lines if len(lines) <= _LINES else [*lines[:_LINES], f"({len(lines) - _LINES} more lines)"]
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


def to_do(kind: dict[str, Any]) -> str:
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
