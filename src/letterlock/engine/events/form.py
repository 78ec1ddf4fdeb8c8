"""The stable JSON form of events: what the CLI, the daemon and the store write. It grows, and never changes."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from typing import Any

from ...errors import DecodeError
from .kinds import Event, Recorded

__all__ = ["KINDS", "decode_recorded", "encode_recorded", "event_from_json", "event_to_json"]


def _kind(cls: type) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("-")


KINDS: dict[str, type[Any]] = {_kind(cls): cls for cls in typing.get_args(Event)}
_NAMES: dict[type[Any], str] = {cls: kind for kind, cls in KINDS.items()}
_FIELDS: dict[type[Any], tuple[str, ...]] = {
    cls: tuple(field.name for field in dataclasses.fields(cls)) for cls in KINDS.values()
}


def event_to_json(event: Event) -> dict[str, Any]:
    """`{"kind": "message-received", ...fields}`: what the CLI, the daemon and the store write."""
    cls = type(event)
    out: dict[str, Any] = {"kind": _NAMES[cls]}
    for name in _FIELDS[cls]:
        out[name] = getattr(event, name)
    return out


def event_from_json(value: object) -> Event:
    """The other way. Raises DecodeError on an unknown kind, a missing field or a field of a wrong type."""
    if not isinstance(value, dict):
        raise DecodeError("an event is an object", code="event.form")
    cls = KINDS.get(str(value.get("kind")))
    if cls is None:
        raise DecodeError("unknown kind of event", code="event.kind")
    given: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        if field.name in value:
            given[field.name] = _typed(value[field.name], _HINTS[cls][field.name])
        elif field.default is dataclasses.MISSING:
            raise DecodeError(f"event without {field.name}", code="event.field")
    event: Event = cls(**given)
    return event


def encode_recorded(recorded: Recorded) -> bytes:
    """The record form: one JSON object with `cursor`, `at`, `kind` and the fields."""
    out = event_to_json(recorded.event)
    out["cursor"] = recorded.cursor
    out["at"] = recorded.at
    return json.dumps(out, ensure_ascii=False, separators=(",", ":")).encode()


def decode_recorded(data: bytes) -> Recorded:
    """Read the record form. Raises DecodeError."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise DecodeError("not JSON", code="event.form") from None
    event = event_from_json(value)
    return Recorded(_typed(value.get("cursor"), int), _typed(value.get("at"), int), event)


_HINTS: dict[type[Any], dict[str, Any]] = {cls: typing.get_type_hints(cls) for cls in KINDS.values()}


def _typed(value: Any, hint: Any) -> Any:
    hint = getattr(hint, "__supertype__", hint)
    if typing.get_origin(hint) is types.UnionType or typing.get_origin(hint) is typing.Union:
        if value is None:
            return None
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
        hint = getattr(hint, "__supertype__", hint)
    if typing.get_origin(hint) is dict:
        if not isinstance(value, dict):
            raise DecodeError("field of a wrong type", code="event.field")
        return value
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise DecodeError("field of a wrong type", code="event.field")
        inner = typing.get_args(hint)[0]
        return tuple(_typed(item, inner) for item in value)
    # bool is an int to isinstance; a number where a truth is meant is a slip worth refusing.
    if type(value) is not hint:
        raise DecodeError("field of a wrong type", code="event.field")
    return value
