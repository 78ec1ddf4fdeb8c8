"""RBM JSON: the messages of an agent, as the REST API of RCS Business Messaging has them (chatbots.md B1, B2).

What MaaP alone knows (calls with video or a subject, requests for device data, fonts) cannot be said here: an action of
that sort is refused, fonts are left out.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from ...errors import DecodeError, InputError
from ...ids import Instant
from ..dates import rfc3339
from ..ft_http import instant_of
from .checking import check_message, check_payload
from .json_text import Members, read_members, written
from .limits import ChatbotLimits
from .model import (
    BotMessage,
    Card,
    CardContent,
    Carousel,
    Height,
    ImageAlignment,
    LinkedFile,
    Media,
    Orientation,
    Width,
)
from .rbm_suggestions import read_suggestions, suggestions_json

__all__ = ["AgentMessage", "Traffic", "decode_agent_message", "encode_agent_message"]

_LONGEST_TTL_S = 15 * 24 * 3600


class Traffic(enum.Enum):
    """What a message is for: platforms treat them differently."""

    AUTHENTICATION = "AUTHENTICATION"
    TRANSACTION = "TRANSACTION"
    PROMOTION = "PROMOTION"
    SERVICE_REQUEST = "SERVICEREQUEST"
    ACKNOWLEDGEMENT = "ACKNOWLEDGEMENT"


@dataclass(frozen=True, slots=True)
class AgentMessage:
    """A message of an agent. After `ttl_s`, or at `expires`, the platform takes back what was not delivered; of the two
    one at most. Under ten seconds more is taken back and delivered at once than helps."""

    message: BotMessage
    traffic: Traffic | None = None
    ttl_s: int | None = None
    expires: Instant | None = None


def encode_agent_message(message: AgentMessage) -> bytes:
    """The body of phones.agentMessages.create. Raises InputError for what the platform, or SIP, would not take."""
    check_message(message.message)
    if message.ttl_s is not None and message.expires is not None:
        raise InputError("a message has a time to live or a time when it expires", code="input.chatbot")
    if message.ttl_s is not None and not 1 <= message.ttl_s <= _LONGEST_TTL_S:
        raise InputError(f"a message lives 1 to {_LONGEST_TTL_S} seconds, not {message.ttl_s}", code="input.chatbot")
    out: dict[str, Any] = {"contentMessage": _content_json(message.message)}
    if message.traffic is not None:
        out["messageTrafficType"] = message.traffic.value
    if message.ttl_s is not None:
        out["ttl"] = f"{message.ttl_s}s"
    if message.expires is not None:
        out["expireTime"] = rfc3339(message.expires)
    return check_payload(written(out))


def decode_agent_message(data: bytes, limits: ChatbotLimits) -> AgentMessage:
    """The other way: for whoever takes what agents of others send. Raises DecodeError, LimitExceeded."""
    root = read_members(data, max_size=limits.max_body, max_depth=limits.max_depth)
    content = root.object("contentMessage")
    if content is None:
        raise DecodeError("no contentMessage", code="chatbot.message")
    traffic, ttl = root.text("messageTrafficType", 64), root.text("ttl", 32)
    seconds = ttl.removesuffix("s").partition(".")[0]
    return AgentMessage(
        _content(content, limits),
        next((each for each in Traffic if each.value == traffic), None),
        int(seconds) if seconds.isascii() and seconds.isdigit() else None,
        instant_of(root.text("expireTime", 64)),
    )


# --- content ---------------------------------------------------------------------------------------------------
def _content_json(message: BotMessage) -> dict[str, Any]:
    out: dict[str, Any]
    match message.body:
        case str() as text:
            out = {"text": text}
        case LinkedFile() as file if file.file_name:
            out = {"uploadedRbmFile": _filled({"fileName": file.file_name, "thumbnailName": file.thumbnail_name})}
        case LinkedFile() as file:
            info = {"fileUrl": file.url, "thumbnailUrl": file.thumbnail_url, "altText": file.description}
            out = {"contentInfo": _filled(info) | {"forceRefresh": file.refresh}}
        case Card() as card:
            alone: dict[str, Any] = {"cardOrientation": card.orientation.value}
            if card.alignment is not None:
                alone["thumbnailImageAlignment"] = card.alignment.value
            out = {"richCard": {"standaloneCard": alone | {"cardContent": _card_json(card.content)}}}
        case Carousel() as carousel:
            cards = [_card_json(card) for card in carousel.cards]
            out = {"richCard": {"carouselCard": {"cardWidth": carousel.width.value, "cardContents": cards}}}
    if message.chips:
        out["suggestions"] = suggestions_json(message.chips)
    return out


def _content(value: Members, limits: ChatbotLimits) -> BotMessage:
    chips = read_suggestions(value.items("suggestions", limits.max_chips), limits)
    given = [name for name in ("text", "uploadedRbmFile", "contentInfo", "richCard") if name in value]
    if len(given) != 1:
        raise DecodeError("a message is one of text, file and card", code="chatbot.message")
    if given[0] == "text":
        return BotMessage(value.text("text", limits.max_description), chips)
    inner = value.object(given[0])
    assert inner is not None
    if given[0] == "richCard":
        return BotMessage(_card(inner, limits), chips)
    if given[0] == "uploadedRbmFile":
        return BotMessage(LinkedFile(**_uploaded(inner, limits)), chips)
    url = inner.url("fileUrl", limits.max_url)
    if not url:
        raise DecodeError("a file without a web address", code="chatbot.url")
    thumbnail, text = inner.url("thumbnailUrl", limits.max_url), inner.text("altText", limits.max_description)
    return BotMessage(LinkedFile(url, thumbnail, text, inner.truth("forceRefresh")), chips)


def _uploaded(value: Members, limits: ChatbotLimits) -> dict[str, Any]:
    name = value.text("fileName", limits.max_url)
    if not name:
        raise DecodeError("a file without a name", code="chatbot.file")
    return {"file_name": name, "thumbnail_name": value.text("thumbnailName", limits.max_url)}


# --- cards -----------------------------------------------------------------------------------------------------
def _card_json(content: CardContent) -> dict[str, Any]:
    out: dict[str, Any] = _filled({"title": content.title, "description": content.description})
    if content.media is not None:
        out["media"] = _media_json(content.media)
    if content.suggestions:
        out["suggestions"] = suggestions_json(content.suggestions)
    return out


def _card(value: Members, limits: ChatbotLimits) -> Card | Carousel:
    alone, side_by_side = value.object("standaloneCard"), value.object("carouselCard")
    if alone is not None and side_by_side is None:
        content = alone.object("cardContent")
        if content is None:
            raise DecodeError("a card without content", code="chatbot.card")
        orientation, alignment = alone.text("cardOrientation", 32), alone.text("thumbnailImageAlignment", 32)
        return Card(
            _card_content(content, limits),
            Orientation.HORIZONTAL if orientation == "HORIZONTAL" else Orientation.VERTICAL,
            next((each for each in ImageAlignment if each.value == alignment), None),
        )
    if side_by_side is None or alone is not None:
        raise DecodeError("neither a card nor a carousel", code="chatbot.message")
    items = side_by_side.items("cardContents", limits.max_cards)
    if not items:
        raise DecodeError("a carousel without cards", code="chatbot.card")
    width = Width.SMALL if side_by_side.text("cardWidth", 32) == "SMALL" else Width.MEDIUM
    return Carousel(tuple(_card_content(Members(each), limits) for each in items), width)


def _card_content(value: Members, limits: ChatbotLimits) -> CardContent:
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
    out: dict[str, Any] = {"height": media.height.value}
    if media.file_name:
        out["uploadedRbmFile"] = _filled({"fileName": media.file_name, "thumbnailName": media.thumbnail_name})
        return out
    info = {"fileUrl": media.url, "thumbnailUrl": media.thumbnail_url, "altText": media.description}
    return out | {"contentInfo": _filled(info) | {"forceRefresh": media.refresh}}


def _media(value: Members, limits: ChatbotLimits) -> Media | None:
    height = value.text("height", 32)
    tall = next((each for each in Height if each.value == height), Height.MEDIUM)
    uploaded, info = value.object("uploadedRbmFile"), value.object("contentInfo")
    if uploaded is not None:
        return Media(tall, **_uploaded(uploaded, limits))
    url = "" if info is None else info.url("fileUrl", limits.max_url)
    if info is None or not url:
        return None
    return Media(
        tall,
        url,
        thumbnail_url=info.url("thumbnailUrl", limits.max_url),
        description=info.text("altText", limits.max_description),
        refresh=info.truth("forceRefresh"),
    )


def _filled(value: dict[str, str]) -> dict[str, Any]:
    return {name: each for name, each in value.items() if each}
