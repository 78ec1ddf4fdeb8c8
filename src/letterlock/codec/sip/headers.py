"""The header fields of a message: in order, as written, found without regard to case or compact form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .grammar import split_list

__all__ = ["Headers", "key_of"]

# RFC 3261 section 7.3.3 and the IANA registry of compact forms.
_COMPACT = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}
_LONG = {name: long.lower() for name, long in _COMPACT.items()}


def key_of(name: str) -> str:
    """What header names are compared by: the long form in lower case."""
    lower = name.lower()
    return _LONG.get(lower, lower)


class Headers:
    """An immutable, ordered list of (name, value). Compact names are kept as their long form.

    Values are the unfolded text of one header line each; `listed` also splits comma lists.
    """

    __slots__ = ("_index", "items")

    items: tuple[tuple[str, str], ...]

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self.items = tuple(
            (_COMPACT.get(name.lower(), name) if len(name) == 1 else name, value) for name, value in items
        )
        index: dict[str, list[str]] = {}
        for name, value in self.items:
            index.setdefault(name.lower(), []).append(value)
        self._index = index

    def get(self, name: str) -> str | None:
        """The first value, or None."""
        values = self._index.get(key_of(name))
        return values[0] if values else None

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of this name, one for each header line."""
        return tuple(self._index.get(key_of(name), ()))

    def listed(self, name: str) -> tuple[str, ...]:
        """Every element of a comma-separated header, over all its lines. Raises DecodeError on unbalanced quotes."""
        return tuple(part for value in self._index.get(key_of(name), ()) for part in split_list(value) if part)

    def with_(self, name: str, value: str) -> Headers:
        """A copy with exactly one header of this name: in the place of the first, else at the end."""
        key = key_of(name)
        if key not in self._index:
            return Headers((*self.items, (name, value)))
        out: list[tuple[str, str]] = []
        done = False
        for old, old_value in self.items:
            if old.lower() != key:
                out.append((old, old_value))
            elif not done:
                out.append((name, value))
                done = True
        return Headers(out)

    def without(self, name: str) -> Headers:
        """A copy that has no header of this name."""
        key = key_of(name)
        if key not in self._index:
            return self
        return Headers(item for item in self.items if item[0].lower() != key)

    def appended(self, name: str, value: str) -> Headers:
        """A copy with one more header at the end."""
        return Headers((*self.items, (name, value)))

    def prepended(self, name: str, value: str) -> Headers:
        """A copy with one more header in front of the first of its name (a proxy's Via, Route, Path)."""
        key = key_of(name)
        at = next((i for i, item in enumerate(self.items) if item[0].lower() == key), 0)
        return Headers((*self.items[:at], (name, value), *self.items[at:]))

    def without_first(self, name: str) -> Headers:
        """A copy without the first element of a comma-separated header (a proxy takes its own Via or Route off)."""
        key = key_of(name)
        out: list[tuple[str, str]] = []
        done = False
        for old, value in self.items:
            if done or old.lower() != key:
                out.append((old, value))
                continue
            done = True
            rest = split_list(value)[1:]
            if rest:
                out.append((old, ", ".join(rest)))
        return Headers(out)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and key_of(name) in self._index

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and other.items == self.items

    def __hash__(self) -> int:
        return hash(self.items)

    def __repr__(self) -> str:
        return f"Headers({[name for name, _ in self.items]})"
