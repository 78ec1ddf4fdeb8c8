"""The store of one phone: records in memory, written as a whole; and the ways a store can fail it."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Any

from letterlock.seam import Key, RecordKind, Writes

__all__ = ["Records"]


class Records:
    """A `seam.State`. Values are frozen, so a copy of the dictionary is a copy of the store."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[Key[Any], Any]] = {}
        self._names: list[str] = []

    def get(self, key: Key[Any]) -> Any:
        found = self._values.get(key.name)
        return None if found is None else found[1]

    def scan(self, kind: RecordKind[Any], prefix: str = "") -> Iterable[Key[Any]]:
        start = f"{kind.name}/{prefix}"
        found = []
        for place in range(bisect_left(self._names, start), len(self._names)):
            name = self._names[place]
            if not name.startswith(start):
                break
            found.append(self._values[name][0])
        return found

    def commit(self, writes: Writes) -> None:
        """One transaction."""
        for key, value in writes.items():
            known = key.name in self._values
            if value is None:
                if known:
                    del self._values[key.name]
                    del self._names[bisect_left(self._names, key.name)]
                continue
            if not known:
                insort(self._names, key.name)
            self._values[key.name] = (key, value)

    def copy(self) -> Records:
        copied = Records()
        copied._values, copied._names = dict(self._values), list(self._names)
        return copied

    def reread(self) -> Records:
        """As after a restart: every record written as bytes, and read again."""
        copied = Records()
        copied._names = list(self._names)
        copied._values = {
            name: (key, key.kind.decode(key.kind.encode(value))) for name, (key, value) in self._values.items()
        }
        return copied
