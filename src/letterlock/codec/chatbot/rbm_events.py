"""What the platform of RCS Business Messaging tells an agent: messages and events of users, events of its own (B4).

The kinds are told apart by their members: an event has `eventType`; the platform's names the phone, a user's the sender.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from ... import ids
from ...errors import DecodeError, InputError
from ...ids import Instant, Number
from ..ft_http import instant_of
from .json_text import Members, read_members
from .limits import ChatbotLimits
from .model import SuggestionResponse

__all__ = ["AgentEvent", "ServerEvent", "UserEvent", "UserFile", "UserMessage", "UserPlace", "decode_agent_event"]

_MAX_ID = 256
_MAX_KIND = 64


@dataclass(frozen=True, slots=True)
class UserFile:
    """A file that a user sent, at an address of the platform's. `category` is IMAGE, VIDEO, AUDIO or empty."""

    name: str
    content_type: str
    size: int
    url: str
    category: str = ""


@dataclass(frozen=True, slots=True)
class UserPlace:
    """A place that a user sent, in degrees of WGS 84."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class UserMessage:
    """A user wrote, sent something, or tapped a suggestion. `content` is None for what we do not know."""

    sender: Number
    message_id: str
    content: str | UserFile | UserPlace | SuggestionResponse | None = field(repr=False)
    sent_at: Instant | None = None
    agent_id: str = ""

    @property
    def id(self) -> str:
        """What a repeat is recognised by."""
        return self.message_id


@dataclass(frozen=True, slots=True)
class UserEvent:
    """What became of a message at a user, or what the user does. `kind` is DELIVERED, READ, IS_TYPING, SUBSCRIBE,
    UNSUBSCRIBE or one of a later version."""

    sender: Number
    kind: str
    id: str
    message_id: str = ""
    agent_id: str = ""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """What the platform did: TTL_EXPIRATION_REVOKED (it is not delivered any more), or TTL_EXPIRATION_REVOKE_FAILED (it
    may still arrive)."""

    phone: Number
    kind: str
    id: str
    message_id: str = ""
    agent_id: str = ""
    sent_at: Instant | None = None


AgentEvent: TypeAlias = UserMessage | UserEvent | ServerEvent


def decode_agent_event(data: bytes, limits: ChatbotLimits) -> AgentEvent:
    """What a webhook gets, or a subscription. Raises DecodeError, LimitExceeded."""
    root = read_members(data, max_size=limits.max_body, max_depth=limits.max_depth)
    kind, agent = root.text("eventType", _MAX_KIND), root.text("agentId", _MAX_ID)
    about, sent = root.text("messageId", _MAX_ID), instant_of(root.text("sendTime", 64))
    if not kind:
        if not about:
            raise DecodeError("a message without its id", code="chatbot.event")
        return UserMessage(_number(root, "senderPhoneNumber"), about, _content(root, limits), sent, agent)
    event = root.text("eventId", _MAX_ID)
    if not event:
        raise DecodeError("an event without its id", code="chatbot.event")
    if "phoneNumber" in root:
        return ServerEvent(_number(root, "phoneNumber"), kind, event, about, agent, sent)
    return UserEvent(_number(root, "senderPhoneNumber"), kind, event, about, agent)


def _content(root: Members, limits: ChatbotLimits) -> str | UserFile | UserPlace | SuggestionResponse | None:
    if "text" in root:
        return root.text("text", limits.max_body)
    if (said := root.object("suggestionResponse")) is not None:
        text, data = said.text("text", limits.max_label), said.text("postbackData", limits.max_postback)
        return SuggestionResponse(text, data, said.text("type", _MAX_KIND) == "ACTION")
    if (place := root.object("location")) is not None:
        latitude, longitude = place.degrees("latitude", 90), place.degrees("longitude", 180)
        # A member that is zero is left out of JSON made of protobuf.
        return UserPlace(latitude or 0.0, longitude or 0.0)
    if (file := root.object("userFile")) is not None and (payload := file.object("payload")) is not None:
        return UserFile(
            payload.text("fileName", limits.max_title),
            payload.text("mimeType", 127),
            payload.integer("fileSizeBytes") or 0,
            payload.url("fileUri", limits.max_url),
            file.text("category", _MAX_KIND),
        )
    return None


def _number(root: Members, name: str) -> Number:
    try:
        return ids.number(root.text(name, 32))
    except InputError:
        raise DecodeError(f"{name} is no number", code="chatbot.number") from None
