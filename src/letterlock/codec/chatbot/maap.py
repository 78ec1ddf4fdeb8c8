"""MaaP JSON (RCC.07): what stands in CPIM between a bot and a phone (chatbots.md B8).

Four bodies with media types of their own: cards, suggestions, the answer to one, what a device says of itself. A text
or card with suggestions below it is multipart/mixed with the suggestions last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from ...errors import DecodeError, InputError
from .. import mime
from ..mime import ContentType, MimeLimits, MimePart, Multipart
from .checking import check_card, check_chips, check_payload, check_response
from .json_text import Members, read_members, written
from .limits import ChatbotLimits
from .maap_suggestions import read_suggestions, suggestions_json
from .model import (
    Card,
    CardContent,
    Carousel,
    DeviceData,
    Fonts,
    FontStyle,
    Height,
    ImageAlignment,
    Media,
    Orientation,
    Suggestion,
    SuggestionResponse,
    Width,
)

__all__ = [
    "DEVICE_TYPE",
    "MESSAGE_TYPE",
    "MULTIPART_TYPE",
    "RESPONSE_TYPE",
    "SUGGESTIONS_TYPE",
    "Joined",
    "decode_device_data",
    "decode_joined",
    "decode_message",
    "decode_response",
    "decode_suggestions",
    "encode_device_data",
    "encode_joined",
    "encode_message",
    "encode_response",
    "encode_suggestions",
]

MESSAGE_TYPE = "application/vnd.gsma.botmessage.v1.0+json"
SUGGESTIONS_TYPE = "application/vnd.gsma.botsuggestion.v1.0+json"
RESPONSE_TYPE = "application/vnd.gsma.botsuggestion.response.v1.0+json"
DEVICE_TYPE = "application/vnd.gsma.botsharedclientdata.v1.0+json"
MULTIPART_TYPE = "multipart/mixed"

E = TypeVar("E", bound=Enum)


# --- cards -----------------------------------------------------------------------------------------------------
def encode_message(card: Card | Carousel) -> bytes:
    """A card or a carousel. Raises InputError for what a phone would not take."""
    check_card(card)
    content: Any
    if isinstance(card, Card):
        layout: dict[str, Any] = {"cardOrientation": card.orientation.value}
        if card.alignment is not None:
            layout["imageAlignment"] = card.alignment.value
        kind, content = "generalPurposeCard", _content_json(card.content)
    else:
        layout = {"cardWidth": f"{card.width.value}_WIDTH"}
        kind, content = "generalPurposeCardCarousel", [_content_json(each) for each in card.cards]
    value = {"layout": layout | _fonts_json(card.fonts), "content": content}
    return check_payload(written({"message": {kind: value}}))


def decode_message(data: bytes, limits: ChatbotLimits) -> Card | Carousel:
    """Raises DecodeError, LimitExceeded."""
    message = _root(data, limits, "message")
    card, carousel = message.object("generalPurposeCard"), message.object("generalPurposeCardCarousel")
    if (card is None) == (carousel is None):
        raise DecodeError("neither a card nor a carousel", code="chatbot.message")
    if card is not None:
        layout = card.object("layout") or Members({})
        content = card.object("content")
        if content is None:
            raise DecodeError("a card without content", code="chatbot.card")
        return Card(
            _content(content, limits),
            _enum(Orientation, layout.text("cardOrientation", 32)) or Orientation.VERTICAL,
            _enum(ImageAlignment, layout.text("imageAlignment", 32)),
            _fonts(layout),
        )
    assert carousel is not None
    layout = carousel.object("layout") or Members({})
    cards = tuple(_content(Members(each), limits) for each in carousel.items("content", limits.max_cards))
    if not cards:
        raise DecodeError("a carousel without cards", code="chatbot.card")
    width = layout.text("cardWidth", 32).removesuffix("_WIDTH")
    return Carousel(cards, _enum(Width, width) or Width.MEDIUM, _fonts(layout))


def _content_json(content: CardContent) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if content.media is not None:
        out["media"] = _media_json(content.media)
    if content.title:
        out["title"] = content.title
    if content.description:
        out["description"] = content.description
    if content.suggestions:
        out["suggestions"] = suggestions_json(content.suggestions)
    return out


def _content(value: Members, limits: ChatbotLimits) -> CardContent:
    media = value.object("media")
    content = CardContent(
        value.text("title", limits.max_title),
        value.text("description", limits.max_description),
        None if media is None else _media(media, limits),
        read_suggestions(value.items("suggestions", limits.max_chips), limits),
    )
    if not (content.title or content.description or content.media or content.suggestions):
        raise DecodeError("a card with nothing on it", code="chatbot.card")
    return content


def _media_json(media: Media) -> dict[str, Any]:
    if not media.url or not media.content_type or not media.size:
        raise InputError(
            "media over SIP has a URL, a content type and a size",
            code="input.chatbot",
            hint="upload the file to a server, and say what it is and how large",
        )
    out: dict[str, Any] = {
        "mediaUrl": media.url,
        "mediaContentType": media.content_type,
        "mediaFileSize": media.size,
        "height": f"{media.height.value}_HEIGHT",
    }
    if media.thumbnail_url:
        if not media.thumbnail_type or not media.thumbnail_size:
            raise InputError("a thumbnail has a content type and a size", code="input.chatbot")
        out |= {
            "thumbnailUrl": media.thumbnail_url,
            "thumbnailContentType": media.thumbnail_type,
            "thumbnailFileSize": media.thumbnail_size,
        }
    if media.description:
        out["contentDescription"] = media.description
    return out


def _media(value: Members, limits: ChatbotLimits) -> Media | None:
    """None where there is no address that could be shown: the card is more than its picture."""
    url = value.url("mediaUrl", limits.max_url)
    if not url:
        return None
    thumbnail = value.url("thumbnailUrl", limits.max_url)
    return Media(
        _enum(Height, value.text("height", 32).removesuffix("_HEIGHT")) or Height.MEDIUM,
        url,
        value.text("mediaContentType", 127),
        value.integer("mediaFileSize") or 0,
        thumbnail,
        value.text("thumbnailContentType", 127) if thumbnail else "",
        (value.integer("thumbnailFileSize") or 0) if thumbnail else 0,
        value.text("contentDescription", limits.max_description),
    )


def _fonts_json(fonts: Fonts) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if fonts.title:
        out["titleFontStyle"] = [style.value for style in fonts.title]
    if fonts.description:
        out["descriptionFontStyle"] = [style.value for style in fonts.description]
    return out


def _fonts(layout: Members) -> Fonts:
    """A style sheet is passed over: it would be fetched from where the bot says (SR-14)."""

    def styles(name: str) -> tuple[FontStyle, ...]:
        named = (_enum(FontStyle, each) for each in layout.items(name, 8) if isinstance(each, str))
        return tuple(style for style in named if style is not None)

    return Fonts(styles("titleFontStyle"), styles("descriptionFontStyle"))


def _enum(kind: type[E], text: str) -> E | None:
    return next((each for each in kind if each.value == text), None)


# --- suggestions and what comes of them ------------------------------------------------------------------------
def encode_suggestions(chips: tuple[Suggestion, ...]) -> bytes:
    """Raises InputError."""
    if not chips:
        raise InputError("no suggestions", code="input.chatbot")
    check_chips(chips)
    return check_payload(written({"suggestions": suggestions_json(chips)}))


def decode_suggestions(data: bytes, limits: ChatbotLimits) -> tuple[Suggestion, ...]:
    """Raises DecodeError, LimitExceeded."""
    root = read_members(data, max_size=limits.max_body, max_depth=limits.max_depth)
    return read_suggestions(root.items("suggestions", limits.max_chips), limits)


def encode_response(response: SuggestionResponse) -> bytes:
    """Raises InputError."""
    check_response(response)
    said = {"displayText": response.text, "postback": {"data": response.postback}}
    return written({"response": {"action" if response.action else "reply": said}})


def decode_response(data: bytes, limits: ChatbotLimits) -> SuggestionResponse:
    """Raises DecodeError, LimitExceeded."""
    response = _root(data, limits, "response")
    reply, action = response.object("reply"), response.object("action")
    said = reply or action
    if said is None or (reply is not None and action is not None):
        raise DecodeError("neither a reply nor an action", code="chatbot.response")
    text = said.text("displayText", limits.max_label)
    postback = said.object("postback")
    return SuggestionResponse(
        text, "" if postback is None else postback.text("data", limits.max_postback), reply is None
    )


_DEVICE = (
    ("deviceModel", "model"),
    ("platformVersion", "platform_version"),
    ("clientVendor", "client_vendor"),
    ("clientVersion", "client_version"),
)


def encode_device_data(device: DeviceData) -> bytes:
    """What the user agreed to tell; what is empty is left out."""
    said: dict[str, Any] = {name: getattr(device, field) for name, field in _DEVICE if getattr(device, field)}
    if device.battery_minutes is not None:
        said["batteryRemainingMinutes"] = device.battery_minutes
    return written({"sharedData": {"deviceSpecifics": said}})


def decode_device_data(data: bytes, limits: ChatbotLimits) -> DeviceData:
    """Raises DecodeError, LimitExceeded."""
    said = _root(data, limits, "sharedData").object("deviceSpecifics")
    if said is None:
        raise DecodeError("no deviceSpecifics", code="chatbot.device")
    texts = {field: said.text(name, limits.max_title) for name, field in _DEVICE}
    return DeviceData(**texts, battery_minutes=said.integer("batteryRemainingMinutes"))


def _root(data: bytes, limits: ChatbotLimits, name: str) -> Members:
    found = read_members(data, max_size=limits.max_body, max_depth=limits.max_depth).object(name)
    if found is None:
        raise DecodeError(f"no {name}", code="chatbot.message")
    return found


# --- a message and its suggestions -----------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Joined:
    """A body with suggestions below it; `content_type` and `body` are None and empty where there are only those."""

    content_type: str | None
    body: bytes = field(repr=False)
    chips: tuple[Suggestion, ...] = ()


def encode_joined(content_type: str, body: bytes, chips: tuple[Suggestion, ...], boundary: str) -> tuple[str, bytes]:
    """Content-Type and body of a multipart. The caller picks a boundary that is in neither. Raises InputError."""
    parts = MimePart.of(content_type, body), MimePart.of(SUGGESTIONS_TYPE, encode_suggestions(chips))
    entity = Multipart.of("mixed", boundary, parts)
    value = entity.header("content-type") or MULTIPART_TYPE
    # What is left behind the header block is the body of the CPIM part.
    return value, mime.encode(entity).partition(b"\r\n\r\n")[2]


def decode_joined(kind: ContentType, body: bytes, limits: ChatbotLimits) -> Joined:
    """Raises DecodeError, LimitExceeded. Of the other parts the first one counts."""
    boundary = kind.parameter("boundary") or ""
    if not boundary or '"' in boundary or "\\" in boundary or not (boundary.isascii() and boundary.isprintable()):
        raise DecodeError("multipart without a boundary", code="chatbot.multipart")
    head = f'Content-Type: {kind.media_type};boundary="{boundary}"\r\n\r\n'.encode()
    bounds = MimeLimits(
        len(head) + limits.max_body, max_headers=32, max_header_bytes=4_096, max_depth=1, max_parts=_MOST_PARTS
    )
    entity = mime.decode_tree(head + body, bounds)
    if not isinstance(entity, Multipart):
        raise DecodeError("not a multipart", code="chatbot.multipart")
    return _joined([part for part in entity.parts if isinstance(part, MimePart)], limits)


def _joined(parts: Sequence[MimePart], limits: ChatbotLimits) -> Joined:
    content: MimePart | None = None
    chips: tuple[Suggestion, ...] = ()
    for part in parts:
        if part.content_type.media_type == SUGGESTIONS_TYPE:
            chips = (*chips, *decode_suggestions(part.content(), limits))[: limits.max_chips]
        elif content is None:
            content = part
    if content is None:
        return Joined(None, b"", chips)
    return Joined(content.header("content-type") or "text/plain", content.content(), chips)


_MOST_PARTS = 8
