"""Suggestions below a message of a chatbot, the answer to one, and what a device tells of itself (docs/chatbots.md).

An answer echoes the two texts of its suggestion as they came. It names the message that it answers by our own headers:
bots of other vendors know it by the postback.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...codec.chatbot import maap
from ...codec.chatbot.model import DeviceData, Suggestion
from ...codec.chatbot.model import SuggestionResponse as Said
from ...codec.mime import decode_content_type
from ...errors import DecodeError
from .card import CARD_TYPE, CHATBOT_LIMITS, Card, Carousel, read_card
from .file import File
from .location import Location
from .parts import Parts, Read, Reference
from .text import Text, read_reply, reply_headers
from .unknown import Unknown

__all__ = [
    "DEVICE_TYPE",
    "MULTIPART_TYPE",
    "RESPONSE_TYPE",
    "SUGGESTIONS_TYPE",
    "DeviceReport",
    "SuggestionResponse",
    "Suggestions",
    "express_device",
    "express_response",
    "read_device",
    "read_joined",
    "read_response",
    "read_suggestions",
]

SUGGESTIONS_TYPE = maap.SUGGESTIONS_TYPE
RESPONSE_TYPE = maap.RESPONSE_TYPE
DEVICE_TYPE = maap.DEVICE_TYPE
MULTIPART_TYPE = maap.MULTIPART_TYPE


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What the user may tap below a message that is no card: a text, a file, a place; None where there is nothing."""

    chips: tuple[Suggestion, ...]
    beside: Text | File | Location | Unknown | None = None

    @property
    def suggestions(self) -> tuple[Suggestion, ...]:
        """As of a Card."""
        return self.chips

    @property
    def text(self) -> str | None:
        """Of the message, where it has one."""
        return self.beside.text if isinstance(self.beside, Text | Unknown) else None


@dataclass(frozen=True, slots=True)
class SuggestionResponse:
    """The user tapped a suggestion: what stood on it, and what the bot wants back."""

    text: str
    postback: str = field(repr=False)
    action: bool = False
    reply_to: Reference | None = None


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """What a bot asked of the device, and the user agreed to tell."""

    device: DeviceData


def express_response(response: SuggestionResponse) -> Parts:
    """Raises InputError."""
    body = maap.encode_response(Said(response.text, response.postback, response.action))
    return Parts(RESPONSE_TYPE, body, reply_headers(response.reply_to))


def express_device(report: DeviceReport) -> Parts:
    return Parts(DEVICE_TYPE, maap.encode_device_data(report.device))


def read_response(read: Read) -> SuggestionResponse:
    """Raises DecodeError."""
    said = maap.decode_response(read.body, CHATBOT_LIMITS)
    return SuggestionResponse(said.text, said.postback, said.action, read_reply(read))


def read_device(read: Read) -> DeviceReport:
    """Raises DecodeError."""
    return DeviceReport(maap.decode_device_data(read.body, CHATBOT_LIMITS))


def read_suggestions(read: Read) -> Suggestions:
    """Raises DecodeError."""
    return Suggestions(maap.decode_suggestions(read.body, CHATBOT_LIMITS))


def read_joined(read: Read, inner: Callable[[Read], object]) -> Card | Carousel | Suggestions | None:
    """A message and the suggestions below it; None for a multipart of something else. `inner` reads the message. Raises
    DecodeError."""
    joined = maap.decode_joined(read.kind, read.body, CHATBOT_LIMITS)
    if not joined.chips:
        return None
    if joined.content_type is None:
        return Suggestions(joined.chips)
    found = Read(decode_content_type(joined.content_type), joined.body, read.headers)
    if found.kind.media_type == CARD_TYPE:
        return read_card(found, joined.chips)
    beside = inner(found)
    if not isinstance(beside, Text | File | Location | Unknown):
        raise DecodeError("suggestions below what takes none", code="chatbot.multipart")
    return Suggestions(joined.chips, beside)
