"""Parameters from outside, checked against the table before anything is done: strictly, and naming the wrong one.

What a text means (a number, a chat, a message) is checked behind this, by whoever knows; here are form and bounds (SR-08).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...errors import InputError
from .verb import Kind, Param, Verb

__all__ = ["WrongParameter", "checked"]

_MOST_ITEMS = 256


class WrongParameter(InputError):
    """A parameter that the verb does not have, lacks, or cannot take. `param` names it."""

    code = "input.param"

    def __init__(self, message: str, *, param: str, code: str = "", hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.param = param


def checked(verb: Verb, given: Any) -> dict[str, Any]:
    """All parameters of the verb, defaults filled in. Raises WrongParameter."""
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        raise WrongParameter(
            "params is an object of names and values", param="", code="input.param_form", hint=_signature(verb)
        )
    names = {each.name for each in verb.params}
    for name in given:
        if name not in names:
            raise WrongParameter(
                f"{verb.method} has no parameter {str(name)[:40]!r}",
                param=str(name)[:40],
                code="input.param_unknown",
                hint=_signature(verb),
            )
    return {each.name: _value(verb, each, given) for each in verb.params}


def _value(verb: Verb, param: Param, given: Mapping[str, Any]) -> Any:
    if param.name not in given or (given[param.name] is None and not param.required):
        if param.required:
            raise WrongParameter(
                f"{verb.method} needs the parameter {param.name!r}",
                param=param.name,
                code="input.param_missing",
                hint=param.summary,
            )
        return list(param.default or ()) if param.many else param.default
    value = given[param.name]
    if not param.many:
        return _one(verb, param, value)
    most = param.highest or _MOST_ITEMS
    if not isinstance(value, list) or len(value) > most or (param.required and not value):
        raise _wrong(verb, param, f"a list of {1 if param.required else 0} to {most} items")
    return [_one(verb, param, item) for item in value]


def _one(verb: Verb, param: Param, value: Any) -> Any:
    match param.kind:
        case Kind.FLAG:
            if not isinstance(value, bool):
                raise _wrong(verb, param, "true or false")
            return value
        case Kind.INTEGER:
            if not isinstance(value, int) or isinstance(value, bool) or not _within(param, value):
                raise _wrong(verb, param, f"a whole number{_range(param)}")
            return value
        case Kind.DECIMAL:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not _within(param, value) or not math.isfinite(value):
                raise _wrong(verb, param, f"a number{_range(param)}")
            return float(value)
        case _:
            most = param.most_characters or 0
            if not isinstance(value, str) or len(value) > most:
                raise _wrong(verb, param, f"a text of at most {most:,} characters")
            if param.choices and value not in param.choices:
                raise _wrong(verb, param, " or ".join(repr(choice) for choice in param.choices))
            return value


def _within(param: Param, value: float) -> bool:
    # Before anything is made of it: a whole number may have thousands of digits, too many for a float.
    if isinstance(value, int) and value.bit_length() > 64:
        return False
    return (param.lowest is None or value >= param.lowest) and (param.highest is None or value <= param.highest)


def _range(param: Param) -> str:
    if param.lowest is None and param.highest is None:
        return ""
    if param.highest is None:
        return f" of {param.lowest} or more"
    return f" from {param.lowest} to {param.highest}"


def _wrong(verb: Verb, param: Param, wanted: str) -> WrongParameter:
    return WrongParameter(f"{param.name!r} of {verb.method} is {wanted}", param=param.name, hint=param.summary)


def _signature(verb: Verb) -> str:
    parts = [each.name if each.required else f"{each.name}?" for each in verb.params]
    return f"{verb.method} {{{', '.join(parts)}}}"
