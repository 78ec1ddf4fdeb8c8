"""The staged state of one round: what the steps before have written, over the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from ..seam import Key, RecordKind, State, Writes

__all__ = ["Overlay"]

T = TypeVar("T")


class Overlay:
    """Like `seam.Staged`, but what lies below can be replaced once it is part of the store."""

    __slots__ = ("below", "writes")

    def __init__(self, below: State) -> None:
        self.below = below
        self.writes: Writes = {}

    def get(self, key: Key[T]) -> T | None:
        if key in self.writes:
            value: T | None = self.writes[key]
            return value
        return self.below.get(key)

    def scan(self, kind: RecordKind[T], prefix: str = "") -> Sequence[Key[T]]:
        start = f"{kind.name}/{prefix}"
        below = self.below.scan(kind, prefix)
        changed = {key.name: (key, value) for key, value in self.writes.items() if key.name.startswith(start)}
        if not changed:
            return list(below)
        names = {key.name: key for key in below}
        for name, (key, value) in changed.items():
            if value is None:
                names.pop(name, None)
            else:
                names[name] = key
        return [names[name] for name in sorted(names)]

    def merge(self, writes: Mapping[Key[Any], Any]) -> None:
        self.writes.update(writes)

    def __repr__(self) -> str:
        return f"Overlay({len(self.writes)} writes)"
