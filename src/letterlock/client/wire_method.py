"""How one method of a profile becomes JSON between the owner and other processes, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Method", "each", "lazily", "same"]


@dataclass(frozen=True, slots=True)
class Method:
    """The forms of its parameters and of its result. Parameters not named here pass as they are. An iterator in what
    `to_json` gives is an array (`slices.json_in_slices`)."""

    params: Mapping[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]]
    to_json: Callable[[Any], Any]
    from_json: Callable[[Any], Any]


def same(value: Any) -> Any:
    return value


def lazily(of: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """For every item of a sequence, when it is its turn to be written."""
    return lambda values: map(of, values)


def each(of: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same for every item of a sequence."""
    return lambda values: [of(value) for value in values]
