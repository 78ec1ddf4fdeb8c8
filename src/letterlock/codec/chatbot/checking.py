"""What a bot may send: of the bounds of RBM and of MaaP the stricter one, field by field (chatbots.md B9).

A text that passes here is taken by either platform. Characters are counted, as three of the four sources do.
"""

from __future__ import annotations

from ...errors import InputError
from .json_text import web_url
from .model import (
    Action,
    ActionKind,
    BotMessage,
    CalendarEvent,
    Card,
    CardContent,
    Carousel,
    ComposeText,
    EnrichedCall,
    Height,
    LinkedFile,
    Media,
    OpenUrl,
    Orientation,
    Suggestion,
    SuggestionResponse,
    UnknownAction,
    ViewLocation,
    Width,
)

__all__ = [
    "MOST_CARDS",
    "MOST_CARD_SUGGESTIONS",
    "MOST_CHIPS",
    "MOST_PAYLOAD",
    "check_card",
    "check_chips",
    "check_message",
    "check_payload",
    "check_response",
]

MOST_TEXT = 3072
MOST_TITLE = 200
MOST_DESCRIPTION = 2000
MOST_LABEL = 25
MOST_POSTBACK = 2048
MOST_URL = 2000
"""[AWS] has 2,000, Google 2,048."""
MOST_ALT = 100
MOST_CHIPS = 11
MOST_CARD_SUGGESTIONS = 4
FEWEST_CARDS, MOST_CARDS = 2, 10
MOST_EVENT_TITLE, MOST_EVENT_DESCRIPTION = 100, 500
MOST_COMPOSED = 100
MOST_SUBJECT = 60
MOST_PARAMETERS = 200
MOST_PAYLOAD = 250_000


def check_message(message: BotMessage) -> None:
    """Raises InputError, which names the field and its bound; nothing was sent."""
    match message.body:
        case str() as text:
            _text("text", text, MOST_TEXT, least=1)
        case LinkedFile() as file:
            _pointer("file", file.url, file.file_name)
            _url("thumbnail_url", file.thumbnail_url)
            _text("description", file.description, MOST_ALT)
        case card:
            check_card(card)
    check_chips(message.chips)


def check_card(card: Card | Carousel) -> None:
    """Raises InputError."""
    if isinstance(card, Card):
        _content(card.content)
        if (card.alignment is not None) != (card.orientation is Orientation.HORIZONTAL):
            raise _bad("alignment", "is for horizontal cards, and they need it")
        return
    if not FEWEST_CARDS <= len(card.cards) <= MOST_CARDS:
        raise _bad("cards", f"are {FEWEST_CARDS} to {MOST_CARDS}, not {len(card.cards)}")
    for content in card.cards:
        _content(content)
    heights = {content.media.height for content in card.cards if content.media is not None}
    if len(heights) > 1:
        raise _bad("height", "is the same for all media of a carousel")
    if card.width is Width.SMALL and Height.TALL in heights:
        raise _bad("height", "is not TALL in a carousel of small cards")


def check_chips(chips: tuple[Suggestion, ...]) -> None:
    """Raises InputError."""
    _suggestions("chips", chips, MOST_CHIPS)


def check_response(response: SuggestionResponse) -> None:
    """The answer of a user goes back as it came: what is bounded is that it can be written. Raises InputError."""
    _unicode("text", response.text)
    _unicode("postback", response.postback)
    if not response.text:
        raise _bad("text", "is empty")


def check_payload(data: bytes) -> bytes:
    """The whole request. Raises InputError."""
    if len(data) > MOST_PAYLOAD:
        raise _bad("message", f"has {len(data)} bytes, at most {MOST_PAYLOAD} allowed")
    return data


def _content(content: CardContent) -> None:
    if not (content.title or content.description or content.media is not None):
        raise _bad("card", "has a title, a description or media")
    _text("title", content.title, MOST_TITLE)
    _text("description", content.description, MOST_DESCRIPTION)
    _suggestions("suggestions", content.suggestions, MOST_CARD_SUGGESTIONS)
    if content.media is not None:
        _media(content.media)


def _media(media: Media) -> None:
    _pointer("media", media.url, media.file_name)
    _url("thumbnail_url", media.thumbnail_url)
    _text("description of media", media.description, MOST_ALT)
    for name, kind in (("content_type", media.content_type), ("thumbnail_type", media.thumbnail_type)):
        _text(name, kind, 127)
        if kind and (not kind.isascii() or not kind.isprintable() or "/" not in kind):
            raise _bad(name, "is no media type")
    if media.size < 0 or media.thumbnail_size < 0:
        raise _bad("size", "is negative")


def _pointer(name: str, url: str, file_name: str) -> None:
    if bool(url) == bool(file_name):
        raise _bad(name, "has a URL or the name of an uploaded file, and one of them")
    _url("url", url)
    _text("file_name", file_name, MOST_URL)


def _suggestions(name: str, suggestions: tuple[Suggestion, ...], most: int) -> None:
    if len(suggestions) > most:
        raise _bad(name, f"are at most {most}, not {len(suggestions)}")
    for suggestion in suggestions:
        _text("label of a suggestion", suggestion.text, MOST_LABEL, least=1)
        _text("postback", suggestion.postback, MOST_POSTBACK, least=1)
        if isinstance(suggestion, Action):
            _url("fallback_url", suggestion.fallback_url)
            _action(suggestion.kind)


def _action(kind: ActionKind) -> None:
    match kind:
        case OpenUrl():
            if not kind.url:
                raise _bad("url", "is empty")
            _url("url", kind.url)
            _text("description", kind.description, MOST_DESCRIPTION)
            _text("parameters", kind.parameters, MOST_PARAMETERS)
        case EnrichedCall():
            _text("subject", kind.subject, MOST_SUBJECT)
        case ViewLocation():
            _place(kind)
        case CalendarEvent():
            _text("title of an event", kind.title, MOST_EVENT_TITLE, least=1)
            _text("description of an event", kind.description, MOST_EVENT_DESCRIPTION)
            if not 0 <= kind.start <= kind.end:
                raise _bad("end", "of an event is not before its start")
        case ComposeText():
            _text("composed text", kind.text, MOST_COMPOSED, least=1)
        case UnknownAction():
            raise _bad("action", "is of no known kind")
        case _:
            pass


def _place(kind: ViewLocation) -> None:
    if (kind.latitude is None) != (kind.longitude is None) or (kind.latitude is not None) == bool(kind.query):
        raise _bad("place", "has latitude and longitude, or a query")
    # NaN compares as false, so it is refused too.
    if not (abs(kind.latitude or 0.0) <= 90 and abs(kind.longitude or 0.0) <= 180):
        raise _bad("place", "is not on earth")
    _text("label of a place", kind.label, MOST_ALT)
    _text("query", kind.query, MOST_TITLE)


def _text(name: str, text: str, most: int, *, least: int = 0) -> None:
    _unicode(name, text)
    if not least <= len(text) <= most:
        raise _bad(name, f"has {least} to {most} characters, not {len(text)}")


def _url(name: str, url: str) -> None:
    if len(url) > MOST_URL:
        raise _bad(name, f"has at most {MOST_URL} characters, not {len(url)}")
    if url and not web_url(url):
        raise _bad(name, "is no http or https address")


def _unicode(name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        raise _bad(name, "is not valid Unicode") from None


def _bad(field: str, what: str) -> InputError:
    return InputError(f"{field} {what}", code="input.chatbot", hint="docs/chatbots.md has every bound")
