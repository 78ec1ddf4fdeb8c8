"""Suggestions in RBM JSON (chatbots.md B2). As in MaaP, what cannot be used of an action leaves what stands on it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from ...errors import DecodeError, InputError
from ..dates import rfc3339
from ..ft_http import instant_of
from .json_text import Members
from .limits import ChatbotLimits
from .maap_suggestions import phone_number
from .model import (
    Action,
    ActionKind,
    Application,
    CalendarEvent,
    ComposeRecording,
    ComposeText,
    Dial,
    OpenUrl,
    Recording,
    Reply,
    ShareLocation,
    Suggestion,
    UnknownAction,
    View,
    ViewLocation,
)

__all__ = ["read_suggestions", "suggestions_json"]


def suggestions_json(suggestions: Sequence[Suggestion]) -> list[dict[str, Any]]:
    """Suggestions that were checked. Raises InputError for an action that RBM does not have."""
    out: list[dict[str, Any]] = []
    for suggestion in suggestions:
        said: dict[str, Any] = {"text": suggestion.text, "postbackData": suggestion.postback}
        if isinstance(suggestion, Reply):
            out.append({"reply": said})
            continue
        name, value = _kind_json(suggestion.kind)
        if suggestion.fallback_url:
            said["fallbackUrl"] = suggestion.fallback_url
        out.append({"action": said | {name: value}})
    return out


def read_suggestions(items: Sequence[Any], limits: ChatbotLimits) -> tuple[Suggestion, ...]:
    """What nothing stands on is left out. Raises DecodeError."""
    found = (_read(Members(item), limits) for item in items)
    return tuple(suggestion for suggestion in found if suggestion is not None)


def _read(item: Members, limits: ChatbotLimits) -> Suggestion | None:
    reply, action = item.object("reply"), item.object("action")
    said = reply or action
    if said is None:
        return None
    text, data = said.text("text", limits.max_label), said.text("postbackData", limits.max_postback)
    if not text:
        return None
    if reply is not None:
        return Reply(text, data)
    kinds = [name for name in said.names if name in _READERS]
    if len(kinds) == 1:
        with contextlib.suppress(DecodeError):
            value = said.object(kinds[0]) or Members({})
            return Action(text, data, _READERS[kinds[0]](value, limits), said.url("fallbackUrl", limits.max_url))
    others = [name for name in said.names if name not in ("text", "postbackData", "fallbackUrl")]
    return Action(text, data, UnknownAction((others or [""])[0][:64]))


def _kind_json(kind: ActionKind) -> tuple[str, dict[str, Any]]:
    match kind:
        case OpenUrl():
            value = {"url": kind.url, "description": kind.description}
            value |= {"application": kind.application.name if kind.application is not Application.UNSAID else ""}
            value |= {"webviewViewMode": kind.view.name if kind.view is not View.UNSAID else ""}
            return "openUrlAction", {name: each for name, each in value.items() if each}
        case Dial():
            return "dialAction", {"phoneNumber": kind.phone_number}
        case ViewLocation():
            label = {"label": kind.label} if kind.label else {}
            if kind.query:
                return "viewLocationAction", {"query": kind.query, **label}
            place = {"latitude": kind.latitude, "longitude": kind.longitude}
            return "viewLocationAction", {"latLong": place, **label}
        case ShareLocation():
            return "shareLocationAction", {}
        case CalendarEvent():
            value = {"startTime": rfc3339(kind.start), "endTime": rfc3339(kind.end), "title": kind.title}
            return "createCalendarEventAction", value | ({"description": kind.description} if kind.description else {})
        case ComposeText():
            value = {"phoneNumber": kind.phone_number, "text": kind.text}
            return "composeAction", {"composeTextMessage": value}
        case ComposeRecording():
            value = {"phoneNumber": kind.phone_number, "type": f"ACTION_TYPE_{kind.recording.name}"}
            return "composeAction", {"composeRecordingMessage": value}
        case _:
            raise InputError(
                f"RCS Business Messaging has no {type(kind).__name__}",
                code="input.chatbot",
                hint="docs/chatbots.md says which actions both platforms have",
            )


def _open_url(value: Members, limits: ChatbotLimits) -> OpenUrl:
    url = value.url("url", limits.max_url)
    if not url:
        raise DecodeError("not a web address", code="chatbot.url")
    application, view = value.text("application", 64), value.text("webviewViewMode", 64)
    return OpenUrl(
        url,
        Application[application] if application in Application.__members__ else Application.UNSAID,
        View[view] if view in View.__members__ else View.UNSAID,
        value.text("description", limits.max_description),
    )


def _view_location(value: Members, limits: ChatbotLimits) -> ViewLocation:
    """Where both are there, the place wins over what to look for."""
    place, label = value.object("latLong"), value.text("label", limits.max_title)
    if place is not None:
        latitude, longitude = place.degrees("latitude", 90), place.degrees("longitude", 180)
        if latitude is not None and longitude is not None:
            return ViewLocation(latitude, longitude, label)
    query = value.text("query", limits.max_title)
    if not query:
        raise DecodeError("neither a place nor what to look for", code="chatbot.location")
    return ViewLocation(label=label, query=query)


def _event(value: Members, limits: ChatbotLimits) -> CalendarEvent:
    start, end = instant_of(value.text("startTime", 64)), instant_of(value.text("endTime", 64))
    title = value.text("title", limits.max_title)
    if start is None or end is None or not title:
        raise DecodeError("an event without its times or title", code="chatbot.event")
    return CalendarEvent(start, end, title, value.text("description", limits.max_description))


def _compose(value: Members, limits: ChatbotLimits) -> ComposeText | ComposeRecording:
    text, recording = value.object("composeTextMessage"), value.object("composeRecordingMessage")
    if text is not None:
        return ComposeText(phone_number(text), text.text("text", limits.max_description))
    kind = "" if recording is None else recording.text("type", 64).removeprefix("ACTION_TYPE_")
    if recording is None or kind not in Recording.__members__:
        raise DecodeError("neither a text nor a recording", code="chatbot.recording")
    return ComposeRecording(phone_number(recording), Recording[kind])


_READERS: dict[str, Callable[[Members, ChatbotLimits], ActionKind]] = {
    "openUrlAction": _open_url,
    "dialAction": lambda value, limits: Dial(phone_number(value)),
    "viewLocationAction": _view_location,
    "shareLocationAction": lambda value, limits: ShareLocation(),
    "createCalendarEventAction": _event,
    "composeAction": _compose,
}
