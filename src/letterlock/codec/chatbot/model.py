"""What chatbots and people exchange: one model, written and read as MaaP JSON (maap.py) and as RBM JSON (rbm.py).

Values here are data and nothing more: no URL is opened, no number dialled, no media fetched by whoever holds one
(SR-14). Sizes and counts are checked where they are written (checking.py) and where they are read (limits.py).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TypeAlias

from ...ids import Instant, Number

__all__ = [
    "Action",
    "ActionKind",
    "Application",
    "BotMessage",
    "CalendarEvent",
    "Card",
    "CardContent",
    "Carousel",
    "ComposeRecording",
    "ComposeText",
    "DeviceData",
    "DeviceSpecifics",
    "Dial",
    "DisableAnonymization",
    "EnableDisplayed",
    "EnrichedCall",
    "FontStyle",
    "Fonts",
    "Height",
    "ImageAlignment",
    "LinkedFile",
    "Media",
    "OpenUrl",
    "Orientation",
    "Recording",
    "Reply",
    "ShareLocation",
    "Suggestion",
    "SuggestionResponse",
    "UnknownAction",
    "VideoCall",
    "View",
    "ViewLocation",
    "Width",
]


# --- what a suggestion does ------------------------------------------------------------------------------------
class Application(enum.Enum):
    """Where a URL opens; UNSAID where the bot leaves that to the phone."""

    UNSAID = ""
    BROWSER = "browser"
    WEBVIEW = "webview"


class View(enum.Enum):
    """How much of the screen a web view takes."""

    UNSAID = ""
    FULL = "full"
    HALF = "half"
    TALL = "tall"


class Recording(enum.Enum):
    """What a recording is of."""

    AUDIO = "audio"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class OpenUrl:
    """Open a page. `description` is read out by a screen reader (RBM), `parameters` goes to the page (MaaP)."""

    url: str
    application: Application = Application.UNSAID
    view: View = View.UNSAID
    description: str = ""
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class Dial:
    """Call a number."""

    phone_number: Number


@dataclass(frozen=True, slots=True)
class VideoCall:
    """Call a number with video. RBM has no such action."""

    phone_number: Number


@dataclass(frozen=True, slots=True)
class EnrichedCall:
    """Call a number and say why beforehand. RBM has no such action."""

    phone_number: Number
    subject: str = ""


@dataclass(frozen=True, slots=True)
class ViewLocation:
    """Show a place: degrees of WGS 84 with a label, or what to look for (`query`), never both."""

    latitude: float | None = None
    longitude: float | None = None
    label: str = ""
    query: str = ""


@dataclass(frozen=True, slots=True)
class ShareLocation:
    """Send a place that the user picks."""


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """Put this into the calendar."""

    start: Instant
    end: Instant
    title: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class ComposeText:
    """Begin a message to a number."""

    phone_number: Number
    text: str


@dataclass(frozen=True, slots=True)
class ComposeRecording:
    """Begin a recording for a number."""

    phone_number: Number
    recording: Recording


@dataclass(frozen=True, slots=True)
class DeviceSpecifics:
    """Tell the bot about the device (`DeviceData`). RBM has no such action."""


@dataclass(frozen=True, slots=True)
class DisableAnonymization:
    """Tell the bot the number, where the carrier hides it behind a token. RBM has no such action."""


@dataclass(frozen=True, slots=True)
class EnableDisplayed:
    """Tell the bot when its messages were displayed. RBM has no such action."""


@dataclass(frozen=True, slots=True)
class UnknownAction:
    """Of a kind that we do not know, or that does not hold what its kind requires; `name` as the bot wrote it."""

    name: str


ActionKind: TypeAlias = (
    OpenUrl
    | Dial
    | VideoCall
    | EnrichedCall
    | ViewLocation
    | ShareLocation
    | CalendarEvent
    | ComposeText
    | ComposeRecording
    | DeviceSpecifics
    | DisableAnonymization
    | EnableDisplayed
    | UnknownAction
)


@dataclass(frozen=True, slots=True)
class Reply:
    """A suggested answer: `text` is what the user sees and says, `postback` what the bot gets back, byte for byte."""

    text: str
    postback: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Action:
    """A suggested action. `fallback_url` is for phones that cannot do it; nobody opens it by itself."""

    text: str
    postback: str = field(repr=False)
    kind: ActionKind
    fallback_url: str = ""


Suggestion: TypeAlias = Reply | Action


# --- cards -----------------------------------------------------------------------------------------------------
class Height(enum.Enum):
    """Of media in a card: 112, 168, 264 density-independent pixels."""

    SHORT = "SHORT"
    MEDIUM = "MEDIUM"
    TALL = "TALL"


class Width(enum.Enum):
    """Of the cards of a carousel."""

    SMALL = "SMALL"
    MEDIUM = "MEDIUM"


class Orientation(enum.Enum):
    """Whether the media stands above the text or beside it."""

    VERTICAL = "VERTICAL"
    HORIZONTAL = "HORIZONTAL"


class ImageAlignment(enum.Enum):
    """On which side the media of a horizontal card stands."""

    LEFT = "LEFT"
    RIGHT = "RIGHT"


class FontStyle(enum.Enum):
    """How a title or description is set. MaaP alone has it."""

    UNDERLINE = "underline"
    BOLD = "bold"
    ITALICS = "italics"


@dataclass(frozen=True, slots=True)
class Fonts:
    """Of titles and descriptions."""

    title: tuple[FontStyle, ...] = ()
    description: tuple[FontStyle, ...] = ()


@dataclass(frozen=True, slots=True)
class Media:
    """A picture or film of a card, at a URL that nobody fetches before the user asks (SR-14: fetching tells who reads).

    MaaP requires `content_type` and `size`, RBM has neither. `file_name` and `thumbnail_name` are of files that were
    uploaded to RBM, in place of the URLs.
    """

    height: Height
    url: str = ""
    content_type: str = ""
    size: int = 0
    thumbnail_url: str = ""
    thumbnail_type: str = ""
    thumbnail_size: int = 0
    description: str = ""
    file_name: str = ""
    thumbnail_name: str = ""
    refresh: bool = False
    """RBM: the platform fetches it anew although it has it."""


@dataclass(frozen=True, slots=True)
class CardContent:
    """One card: at least one of title, description and media."""

    title: str = ""
    description: str = ""
    media: Media | None = None
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """A card by itself. `alignment` is for horizontal ones."""

    content: CardContent
    orientation: Orientation = Orientation.VERTICAL
    alignment: ImageAlignment | None = None
    fonts: Fonts = Fonts()


@dataclass(frozen=True, slots=True)
class Carousel:
    """Cards side by side."""

    cards: tuple[CardContent, ...]
    width: Width = Width.MEDIUM
    fonts: Fonts = Fonts()


@dataclass(frozen=True, slots=True)
class LinkedFile:
    """RBM: a file by its URL, or the name under which it was uploaded. Over SIP files go as files do (ft_http.py)."""

    url: str = ""
    thumbnail_url: str = ""
    description: str = ""
    refresh: bool = False
    file_name: str = ""
    thumbnail_name: str = ""


@dataclass(frozen=True, slots=True)
class BotMessage:
    """A message of a bot: a text, a card, a carousel or a file, and suggestions below it, its chips."""

    body: str | Card | Carousel | LinkedFile = field(repr=False)
    chips: tuple[Suggestion, ...] = ()


# --- what goes back to the bot ---------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class SuggestionResponse:
    """The user tapped: the two texts of the suggestion, as they were. `action` tells the sort of suggestion."""

    text: str
    postback: str = field(repr=False)
    action: bool = False


@dataclass(frozen=True, slots=True)
class DeviceData:
    """What a device says of itself when the user agrees (`DeviceSpecifics`); empty and None where it does not say."""

    model: str = ""
    platform_version: str = ""
    client_vendor: str = ""
    client_version: str = ""
    battery_minutes: int | None = None
