"""Suggestions in MaaP JSON. What of an action cannot be used leaves what stands on it: the user sees that it is there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from ... import ids
from ...errors import DecodeError, InputError
from ...ids import Number
from ..dates import rfc3339
from ..ft_http import instant_of
from .json_text import Members
from .limits import ChatbotLimits
from .model import (
    Action,
    ActionKind,
    Application,
    CalendarEvent,
    ComposeRecording,
    ComposeText,
    DeviceSpecifics,
    Dial,
    DisableAnonymization,
    EnableDisplayed,
    EnrichedCall,
    OpenUrl,
    Recording,
    Reply,
    ShareLocation,
    Suggestion,
    UnknownAction,
    VideoCall,
    View,
    ViewLocation,
)

__all__ = ["phone_number", "read_suggestions", "suggestions_json"]


def suggestions_json(suggestions: Sequence[Suggestion]) -> list[dict[str, Any]]:
    """Suggestions that were checked."""
    out: list[dict[str, Any]] = []
    for suggestion in suggestions:
        said = {"displayText": suggestion.text, "postback": {"data": suggestion.postback}}
        if isinstance(suggestion, Reply):
            out.append({"reply": said})
        else:
            name, inner, value = _kind_json(suggestion.kind)
            if suggestion.fallback_url:
                value = value | {"fallbackUrl": suggestion.fallback_url}
            out.append({"action": {name: {inner: value}, **said}})
    return out


def read_suggestions(items: Sequence[Any], limits: ChatbotLimits) -> tuple[Suggestion, ...]:
    """What nothing stands on is left out. Raises DecodeError."""
    found = (_read(Members(item), limits) for item in items)
    return tuple(suggestion for suggestion in found if suggestion is not None)


def phone_number(value: Members, name: str = "phoneNumber") -> Number:
    """Raises DecodeError for what is no E.164 number: nothing else is shown as one."""
    try:
        return ids.number(value.text(name, 32))
    except InputError:
        raise DecodeError("not a phone number", code="chatbot.number") from None


def _read(item: Members, limits: ChatbotLimits) -> Suggestion | None:
    reply, action = item.object("reply"), item.object("action")
    said = reply or action
    if said is None:
        return None
    text = said.text("displayText", limits.max_label)
    if not text:
        return None
    postback = said.object("postback")
    data = "" if postback is None else postback.text("data", limits.max_postback)
    if reply is not None:
        return Reply(text, data)
    kinds = [name for name in said.names if name in _READERS]
    others = [name for name in said.names if name not in ("displayText", "postback", "fallbackUrl")]
    if len(kinds) != 1:
        return Action(text, data, UnknownAction((others or [""])[0][:64]))
    outer = said.object(kinds[0]) or Members({})
    for inner, reader in _READERS[kinds[0]].items():
        if inner in outer:
            with contextlib.suppress(DecodeError):
                value = outer.object(inner) or Members({})
                fallback = value.url("fallbackUrl", limits.max_url) or said.url("fallbackUrl", limits.max_url)
                return Action(text, data, reader(value, limits), fallback)
            return Action(text, data, UnknownAction(inner))
    return Action(text, data, UnknownAction(next(iter(outer.names), kinds[0])[:64]))


# --- one kind of action after the other ------------------------------------------------------------------------
def _kind_json(kind: ActionKind) -> tuple[str, str, dict[str, Any]]:
    match kind:
        case OpenUrl():
            value = {"url": kind.url, "application": kind.application.value, "viewMode": kind.view.value}
            return "urlAction", "openUrl", _filled(value | {"parameters": kind.parameters})
        case Dial():
            return "dialerAction", "dialPhoneNumber", {"phoneNumber": kind.phone_number}
        case EnrichedCall():
            value = {"phoneNumber": kind.phone_number, "subject": kind.subject}
            return "dialerAction", "dialEnrichedCall", _filled(value)
        case VideoCall():
            return "dialerAction", "dialVideoCall", {"phoneNumber": kind.phone_number}
        case ViewLocation(query=query) if query:
            return "mapAction", "showLocation", {"location": {"query": query}}
        case ViewLocation():
            place = {"latitude": kind.latitude, "longitude": kind.longitude}
            return "mapAction", "showLocation", {"location": place | _filled({"label": kind.label})}
        case ShareLocation():
            return "mapAction", "requestLocationPush", {}
        case CalendarEvent():
            times = {"startTime": rfc3339(kind.start), "endTime": rfc3339(kind.end), "title": kind.title}
            return "calendarAction", "createCalendarEvent", times | _filled({"description": kind.description})
        case ComposeText():
            return "composeAction", "composeTextMessage", {"phoneNumber": kind.phone_number, "text": kind.text}
        case ComposeRecording():
            value = {"phoneNumber": kind.phone_number, "type": kind.recording.name}
            return "composeAction", "composeRecordingMessage", value
        case DeviceSpecifics():
            return "deviceAction", "requestDeviceSpecifics", {}
        case DisableAnonymization():
            return "settingsAction", "disableAnonymization", {}
        case EnableDisplayed():
            return "settingsAction", "enableDisplayedNotifications", {}
        case UnknownAction():
            raise InputError("an action of no known kind", code="input.chatbot")


def _filled(value: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in value.items() if each != ""}


def _open_url(value: Members, limits: ChatbotLimits) -> OpenUrl:
    url = value.url("url", limits.max_url)
    if not url:
        raise DecodeError("not a web address", code="chatbot.url")
    application, view = value.text("application", 32).lower(), value.text("viewMode", 32).lower()
    return OpenUrl(
        url,
        next((each for each in Application if each.value == application), Application.UNSAID),
        next((each for each in View if each.value == view), View.UNSAID),
        parameters=value.text("parameters", limits.max_url),
    )


def _show_location(value: Members, limits: ChatbotLimits) -> ViewLocation:
    place = value.object("location")
    if place is None:
        raise DecodeError("no location", code="chatbot.location")
    latitude, longitude = place.degrees("latitude", 90), place.degrees("longitude", 180)
    query, label = place.text("query", limits.max_title), place.text("label", limits.max_title)
    if latitude is not None and longitude is not None:
        return ViewLocation(latitude, longitude, label)
    if not query:
        raise DecodeError("neither a place nor what to look for", code="chatbot.location")
    return ViewLocation(label=label, query=query)


def _event(value: Members, limits: ChatbotLimits) -> CalendarEvent:
    start, end = instant_of(value.text("startTime", 64)), instant_of(value.text("endTime", 64))
    title = value.text("title", limits.max_title)
    if start is None or end is None or not title:
        raise DecodeError("an event without its times or title", code="chatbot.event")
    return CalendarEvent(start, end, title, value.text("description", limits.max_description))


def _compose_text(value: Members, limits: ChatbotLimits) -> ComposeText:
    return ComposeText(phone_number(value), value.text("text", limits.max_description))


def _compose_recording(value: Members, limits: ChatbotLimits) -> ComposeRecording:
    kind = value.text("type", 32).upper()
    if kind not in Recording.__members__:
        raise DecodeError("neither audio nor video", code="chatbot.recording")
    return ComposeRecording(phone_number(value), Recording[kind])


_READERS: dict[str, dict[str, Callable[[Members, ChatbotLimits], ActionKind]]] = {
    "urlAction": {"openUrl": _open_url},
    "dialerAction": {
        "dialPhoneNumber": lambda value, limits: Dial(phone_number(value)),
        "dialEnrichedCall": lambda value, limits: EnrichedCall(
            phone_number(value), value.text("subject", limits.max_title)
        ),
        "dialVideoCall": lambda value, limits: VideoCall(phone_number(value)),
    },
    "mapAction": {"showLocation": _show_location, "requestLocationPush": lambda value, limits: ShareLocation()},
    "calendarAction": {"createCalendarEvent": _event},
    "composeAction": {"composeTextMessage": _compose_text, "composeRecordingMessage": _compose_recording},
    "deviceAction": {"requestDeviceSpecifics": lambda value, limits: DeviceSpecifics()},
    "settingsAction": {
        "disableAnonymization": lambda value, limits: DisableAnonymization(),
        "enableDisplayedNotifications": lambda value, limits: EnableDisplayed(),
    },
}
