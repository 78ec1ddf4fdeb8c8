"""The model as JSON of our own: in events, on the command line, between processes of one user. It grows, and never changes.

Every object names its type, `{"type": "open-url", "url": ...}`; what says nothing beyond the default is left out.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from typing import Any

from . import model

__all__ = ["from_record", "to_record"]


def to_record(value: Any) -> Any:
    """The JSON of a value of the model, or of a tuple of them."""
    if isinstance(value, tuple):
        return [to_record(each) for each in value]
    if isinstance(value, enum.Enum):
        return value.value
    if not dataclasses.is_dataclass(value):
        return value
    out: dict[str, Any] = {"type": _NAMES[type(value)]}
    for field in dataclasses.fields(value):
        given = getattr(value, field.name)
        if given != field.default:
            out[field.name] = to_record(given)
    return out


def from_record(value: Any) -> Any:
    """The other way, for an object. Raises KeyError, TypeError or ValueError for what is none of ours."""
    given = dict(value)
    cls = _KINDS[given.pop("type")]
    hints = _HINTS[cls]
    return cls(**{name: _field(each, hints[name]) for name, each in given.items()})


def _field(value: Any, hint: Any) -> Any:
    if isinstance(value, list):
        inner = typing.get_args(hint)[0]
        return tuple(_field(each, inner) for each in value)
    if isinstance(value, dict):
        return from_record(value)
    if isinstance(hint, types.UnionType):
        hint = next(each for each in typing.get_args(hint) if each is not type(None))
    return hint(value) if isinstance(hint, enum.EnumType) else value


def _kind(cls: type) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("-")


_KINDS: dict[str, type[Any]] = {
    _kind(cls): cls for cls in vars(model).values() if isinstance(cls, type) and dataclasses.is_dataclass(cls)
}
_NAMES: dict[type[Any], str] = {cls: kind for kind, cls in _KINDS.items()}
_HINTS: dict[type[Any], dict[str, Any]] = {cls: typing.get_type_hints(cls) for cls in _KINDS.values()}
