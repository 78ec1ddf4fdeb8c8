"""What a chatbot sent, or got, as its event says it: `{"kind": "card", ...}` with every suggestion and its number."""

from __future__ import annotations

from typing import Any

from ...codec.chatbot.model import Suggestion
from ...codec.chatbot.record import to_record
from .card import Card, Carousel
from .suggestions import DeviceReport, SuggestionResponse, Suggestions

__all__ = ["describe_bot"]


def describe_bot(content: Card | Carousel | Suggestions | SuggestionResponse | DeviceReport) -> dict[str, Any]:
    """For the events of messages. It grows, and never changes."""
    match content:
        case Card():
            return {"kind": "card", "card": to_record(content.card), "suggestions": _numbered(content.suggestions)}
        case Carousel():
            carousel = to_record(content.carousel)
            return {"kind": "carousel", "carousel": carousel, "suggestions": _numbered(content.suggestions)}
        case Suggestions():
            return {"kind": "suggestions", "suggestions": _numbered(content.suggestions)}
        case SuggestionResponse():
            return {
                "kind": "suggestion-response",
                "text": content.text,
                "postback": content.postback,
                "action": content.action,
            }
        case DeviceReport():
            return {"kind": "device-report", "device": to_record(content.device)}


def _numbered(suggestions: tuple[Suggestion, ...]) -> list[dict[str, Any]]:
    return [{"number": number, **to_record(each)} for number, each in enumerate(suggestions, 1)]
