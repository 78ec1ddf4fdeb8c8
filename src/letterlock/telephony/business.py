"""What businesses send: cards, carousels and suggestions, as Apple has them.

Suggestions that Apple has no case for (video and enriched calls, giving up anonymity, kinds that nobody knows) are left
out. A suggestion is answered by giving it back (`RCSService.send_suggestion_response`): what the business gets with the
answer is no field. Nothing here is opened, dialled or fetched by itself (SR-14).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from ..codec.chatbot import model
from ..errors import InputError
from .dates import date_of
from .handles import RCSURI, CellularServiceID, RCSMessageID

__all__ = [
    "BusinessCard",
    "BusinessCardCarousel",
    "CardContent",
    "CardHeight",
    "CardImageAlignment",
    "CardMedia",
    "CardOrientation",
    "CardWidth",
    "ComposeRecordingAction",
    "ComposeTextAction",
    "CreateCalendarEventAction",
    "DialPhoneNumberAction",
    "EnableDisplayedNotificationsAction",
    "FontStyle",
    "InAppDetent",
    "OpenURLAction",
    "RecordingMediaType",
    "SendDeviceSpecificsAction",
    "SendLocationAction",
    "ShowLocationAction",
    "SuggestedAction",
    "SuggestedReply",
    "Suggestion",
    "SuggestionResponse",
    "card_of",
    "carousel_of",
    "suggestion_of",
    "suggestions_of",
]


# --- suggestions -----------------------------------------------------------------------------------------------
class InAppDetent(enum.StrEnum):
    """How much of the screen a page takes inside the application."""

    MEDIUM = "medium"
    MEDIUM_LARGE = "mediumLarge"
    LARGE = "large"


class RecordingMediaType(enum.StrEnum):
    """What a recording is of."""

    AUDIO = "audio"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class OpenURLAction:
    """Open a page: inside the application where there is a detent, else in the browser."""

    url: str
    in_app_detent: InAppDetent | None = None


@dataclass(frozen=True, slots=True)
class DialPhoneNumberAction:
    """Call a number."""

    phone_number: str
    fallback_url: str | None = None


@dataclass(frozen=True, slots=True)
class ShowLocationAction:
    """Show a place: its latitude and longitude, or what to look for."""

    coordinates: tuple[float, float] | None
    query: str | None
    label: str | None = None
    fallback_url: str | None = None


@dataclass(frozen=True, slots=True)
class SendLocationAction:
    """Send a place that the user picks."""


@dataclass(frozen=True, slots=True)
class CreateCalendarEventAction:
    """Put this into the calendar."""

    start_time: datetime
    end_time: datetime
    title: str
    description: str | None = None
    fallback_url: str | None = None


@dataclass(frozen=True, slots=True)
class ComposeTextAction:
    """Begin a message to a number."""

    phone_number: str
    text: str


@dataclass(frozen=True, slots=True)
class ComposeRecordingAction:
    """Begin a recording for a number."""

    phone_number: str
    media_type: RecordingMediaType


@dataclass(frozen=True, slots=True)
class SendDeviceSpecificsAction:
    """Tell the business about the device."""


@dataclass(frozen=True, slots=True)
class EnableDisplayedNotificationsAction:
    """Tell the business when its messages were displayed."""


ActionKind: TypeAlias = (
    OpenURLAction
    | DialPhoneNumberAction
    | ShowLocationAction
    | SendLocationAction
    | CreateCalendarEventAction
    | ComposeTextAction
    | ComposeRecordingAction
    | SendDeviceSpecificsAction
    | EnableDisplayedNotificationsAction
)


@dataclass(frozen=True, slots=True)
class SuggestedReply:
    """An answer to tap."""

    display_text: str
    _suggestion: model.Suggestion | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class SuggestedAction:
    """Something to do, to tap."""

    display_text: str
    action: ActionKind
    _suggestion: model.Suggestion | None = field(default=None, repr=False, compare=False)


Suggestion: TypeAlias = SuggestedReply | SuggestedAction


@dataclass(frozen=True, slots=True)
class SuggestionResponse:
    """The user tapped a suggestion of the message with `originating_message_id`."""

    cellular_service_id: CellularServiceID
    destination: RCSURI
    message_id: RCSMessageID
    originating_message_id: RCSMessageID
    suggestion: Suggestion


# --- cards -----------------------------------------------------------------------------------------------------
class CardHeight(enum.StrEnum):
    """Of the media of a card."""

    SHORT = "short"
    MEDIUM = "medium"
    TALL = "tall"


class CardWidth(enum.StrEnum):
    """Of the cards of a carousel."""

    SMALL = "small"
    MEDIUM = "medium"


class CardOrientation(enum.StrEnum):
    """Whether the media stands above the text or beside it."""

    VERTICAL = "vertical"
    HORIZONTAL = "horizontal"


class CardImageAlignment(enum.StrEnum):
    """On which side it stands beside the text."""

    LEFT = "left"
    RIGHT = "right"


class FontStyle(enum.Flag):
    """How a title or a description is set."""

    ITALICS = enum.auto()
    BOLD = enum.auto()
    UNDERLINE = enum.auto()


_UNSTYLED = FontStyle(0)


@dataclass(frozen=True, slots=True)
class CardMedia:
    """A picture or film, at an address that nobody fetches before the user asks."""

    url: str
    content_type: str | None
    file_size: int
    display_height: CardHeight
    thumbnail_url: str | None = None
    thumbnail_content_type: str | None = None
    thumbnail_file_size: int | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class CardContent:
    """What one card shows."""

    media: CardMedia | None
    title: str | None
    description: str | None
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True)
class BusinessCard:
    """Business.Card: one card."""

    content: CardContent
    orientation: CardOrientation = CardOrientation.VERTICAL
    image_alignment: CardImageAlignment | None = None
    title_font_style: FontStyle = _UNSTYLED
    description_font_style: FontStyle = _UNSTYLED


@dataclass(frozen=True, slots=True)
class BusinessCardCarousel:
    """Business.CardCarousel: cards side by side."""

    contents: tuple[CardContent, ...]
    width: CardWidth = CardWidth.MEDIUM
    title_font_style: FontStyle = _UNSTYLED
    description_font_style: FontStyle = _UNSTYLED


# --- from ours -------------------------------------------------------------------------------------------------
def card_of(card: model.Card) -> BusinessCard:
    """A card as Apple shows it."""
    return BusinessCard(
        _content(card.content),
        CardOrientation(card.orientation.value.lower()),
        None if card.alignment is None else CardImageAlignment(card.alignment.value.lower()),
        _fonts(card.fonts.title),
        _fonts(card.fonts.description),
    )


def carousel_of(carousel: model.Carousel) -> BusinessCardCarousel:
    """A carousel as Apple shows it."""
    return BusinessCardCarousel(
        tuple(_content(content) for content in carousel.cards),
        CardWidth(carousel.width.value.lower()),
        _fonts(carousel.fonts.title),
        _fonts(carousel.fonts.description),
    )


def suggestions_of(suggestions: tuple[model.Suggestion, ...]) -> tuple[Suggestion, ...]:
    """Those that Apple has a case for."""
    found = (_suggestion(suggestion) for suggestion in suggestions)
    return tuple(suggestion for suggestion in found if suggestion is not None)


def suggestion_of(suggestion: Suggestion) -> model.Suggestion:
    """The other way. Raises InputError for one that was put together by hand."""
    if suggestion._suggestion is None:
        raise InputError("not a suggestion of a message that has come", code="input.suggestion")
    return suggestion._suggestion


def _suggestion(suggestion: model.Suggestion) -> Suggestion | None:
    if isinstance(suggestion, model.Reply):
        return SuggestedReply(suggestion.text, suggestion)
    action = _action(suggestion.kind, suggestion.fallback_url or None)
    return None if action is None else SuggestedAction(suggestion.text, action, suggestion)


_DETENTS = {
    model.View.UNSAID: InAppDetent.LARGE,
    model.View.FULL: InAppDetent.LARGE,
    model.View.HALF: InAppDetent.MEDIUM,
    model.View.TALL: InAppDetent.MEDIUM_LARGE,
}


def _action(kind: model.ActionKind, fallback: str | None) -> ActionKind | None:
    match kind:
        case model.OpenUrl():
            inside = kind.application is model.Application.WEBVIEW
            return OpenURLAction(kind.url, _DETENTS[kind.view] if inside else None)
        case model.Dial():
            return DialPhoneNumberAction(kind.phone_number, fallback)
        case model.ViewLocation():
            known = kind.latitude is not None and kind.longitude is not None
            place = (kind.latitude or 0.0, kind.longitude or 0.0) if known else None
            return ShowLocationAction(place, kind.query or None, kind.label or None, fallback)
        case model.ShareLocation():
            return SendLocationAction()
        case model.CalendarEvent():
            start, end = date_of(kind.start), date_of(kind.end)
            if start is None or end is None:
                return None
            return CreateCalendarEventAction(start, end, kind.title, kind.description or None, fallback)
        case model.ComposeText():
            return ComposeTextAction(kind.phone_number, kind.text)
        case model.ComposeRecording():
            return ComposeRecordingAction(kind.phone_number, RecordingMediaType(kind.recording.value))
        case model.DeviceSpecifics():
            return SendDeviceSpecificsAction()
        case model.EnableDisplayed():
            return EnableDisplayedNotificationsAction()
        case _:
            return None


def _content(content: model.CardContent) -> CardContent:
    media = content.media
    return CardContent(
        None if media is None else _media(media),
        content.title or None,
        content.description or None,
        suggestions_of(content.suggestions),
    )


def _media(media: model.Media) -> CardMedia:
    return CardMedia(
        media.url,
        media.content_type or None,
        media.size,
        CardHeight(media.height.value.lower()),
        media.thumbnail_url or None,
        media.thumbnail_type or None,
        media.thumbnail_size or None,
        media.description or None,
    )


def _fonts(styles: tuple[model.FontStyle, ...]) -> FontStyle:
    found = _UNSTYLED
    for style in styles:
        found |= FontStyle[style.name]
    return found
