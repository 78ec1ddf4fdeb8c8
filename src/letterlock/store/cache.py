"""A bounded cache of decoded records.

Two generations instead of a list in order of use: a hit in the old half moves the value to the young
half, and when the young half is full it becomes the old one. That is one dictionary look-up for a hot
record, and what was not looked at for a whole generation is dropped at once.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["MISSING", "RecordCache"]


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""What `get` answers for a name that it does not know; None means that the record is known to be absent."""

_OVERHEAD = 320  # bytes that an entry takes beside its value: dictionary slot, name, tuple, object headers


class RecordCache:
    """Name to decoded value, at most about `limit` bytes as measured by the encoded sizes."""

    __slots__ = ("_half", "_old", "_size", "_young")

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._young: dict[str, tuple[Any, int]] = {}
        self._old: dict[str, tuple[Any, int]] = {}
        self._size = 0

    def get(self, name: str) -> Any:
        """The value, None for a record known to be absent, or MISSING."""
        entry = self._young.get(name)
        if entry is not None:
            return entry[0]
        entry = self._old.pop(name, None)
        if entry is None:
            return MISSING
        self.put(name, *entry)
        return entry[0]

    def put(self, name: str, value: Any, size: int) -> None:
        """Remember a value whose encoding has `size` bytes."""
        self._old.pop(name, None)
        before = self._young.get(name)
        self._young[name] = (value, size)
        self._size += size - before[1] if before is not None else size + _OVERHEAD
        if self._size > self._half:
            self._old = self._young
            self._young = {}
            self._size = 0

    def clear(self) -> None:
        """Forget everything."""
        self._young = {}
        self._old = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def __repr__(self) -> str:
        return f"RecordCache({len(self)} records)"
