"""The small pieces of the SIP grammar that every header shares: tokens, quoting, lists, parameters.

RFC 3261 section 25.1. The regular expressions have no nested repetition, so each is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...errors import DecodeError, InputError

__all__ = ["TOKEN", "Params", "decimal", "delta_seconds", "media_type", "quote", "split_list", "token", "unquote"]

TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,20}", re.ASCII)
_PIECES = re.compile(r'"(?:[^"\\]|\\.)*"|<[^<>]*>|[,;]|["<>]', re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_MUST_ESCAPE = re.compile(r'[\\"\x00-\x08\x0b-\x1f\x7f]')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
# What a parameter value may be without quotes: a token, or a host (which may be an IPv6 reference).
_BARE = re.compile(r"[A-Za-z0-9\-.!%*_+`'~:\[\]/&$?=@]+", re.ASCII)
_MAX_DELTA = 2**32 - 1


def token(text: str, what: str) -> str:
    """`text` if it is a token (RFC 3261 section 25.1), else DecodeError."""
    if not TOKEN.fullmatch(text):
        raise DecodeError(f"not a token in {what}", code="sip.token")
    return text


def decimal(text: str, what: str, *, at_most: int) -> int:
    """An unsigned decimal number of ASCII digits; no sign, no underscore, no other script's digits."""
    if not _DIGITS.fullmatch(text):
        raise DecodeError(f"not a number in {what}", code="sip.number")
    value = int(text)
    if value > at_most:
        raise DecodeError(f"number too large in {what}", code="sip.number")
    return value


def delta_seconds(text: str) -> int:
    """Seconds as in Expires, Min-Expires and Retry-After; larger than 2**32 - 1 counts as that (RFC 3261 20.19).

    Retry-After may carry a comment and parameters behind the number; they are ignored.
    """
    bare = text.strip()
    end = 0
    while end < len(bare) and bare[end] in "0123456789":
        end += 1
    if end == 0 or bare[end:].lstrip()[:1] not in ("", "(", ";"):
        raise DecodeError("not a number of seconds", code="sip.number")
    digits = bare[:end].lstrip("0")
    return _MAX_DELTA if len(digits) > 10 else min(int(digits or "0"), _MAX_DELTA)


def media_type(text: str) -> str:
    """The lower-case `type/subtype` of a Content-Type value, without its parameters."""
    kind = text.split(";", 1)[0]
    main, slash, sub = kind.partition("/")
    if not slash:
        raise DecodeError("not a media type", code="sip.media_type")
    return f"{token(main.strip(), 'media type')}/{token(sub.strip(), 'media type')}".lower()


def quote(text: str) -> str:
    """A quoted-string holding `text`."""
    if "\r" in text or "\n" in text:
        raise InputError("a line break cannot be quoted", code="sip.injection")
    escaped = _MUST_ESCAPE.sub(r"\\\g<0>", text)
    return f'"{escaped}"'


def unquote(text: str) -> str:
    """The content of a quoted-string, or `text` itself when it has no quotes."""
    match = _QUOTED.fullmatch(text)
    if match is None:
        if '"' in text:
            raise DecodeError("stray quote", code="sip.quote")
        return text
    inner = match[1]
    return _ESCAPED.sub(r"\1", inner) if "\\" in inner else inner


def split_list(text: str, separator: str = ",") -> list[str]:
    """The parts of `text` between separators that stand outside quotes and angle brackets, trimmed."""
    if '"' not in text and "<" not in text and ">" not in text:
        return [part.strip() for part in text.split(separator)]
    parts = []
    start = 0
    for match in _PIECES.finditer(text):
        piece = match[0]
        if piece == separator:
            parts.append(text[start : match.start()].strip())
            start = match.end()
        elif piece in ('"', "<", ">"):
            raise DecodeError("unbalanced quote or bracket", code="sip.quote")
    parts.append(text[start:].strip())
    return parts


class Params:
    """`;name=value` parameters in order, as written. Names are compared without case."""

    __slots__ = ("_index", "items")

    items: tuple[tuple[str, str | None], ...]

    def __init__(self, items: Iterable[tuple[str, str | None]] = ()) -> None:
        self.items = tuple(items)
        self._index = {name.lower(): value for name, value in reversed(self.items)}

    @classmethod
    def parse(cls, text: str) -> Params:
        """Parameters from `text`, which is empty or starts with a semicolon."""
        if not text.strip():
            return EMPTY
        first, *rest = split_list(text, ";")
        if first:
            raise DecodeError("text before the parameters", code="sip.parameter")
        items: list[tuple[str, str | None]] = []
        for part in rest:
            name, equals, value = part.partition("=")
            name = token(name.rstrip(), "parameter")
            items.append((name, _value(value.lstrip()) if equals else None))
        return cls(items)

    def get(self, name: str) -> str | None:
        """The value without quotes, "" for a parameter without a value, None if it is absent."""
        key = name.lower()
        if key not in self._index:
            return None
        value = self._index[key]
        return "" if value is None else unquote(value)

    def with_(self, name: str, value: str | None) -> Params:
        """A copy with this parameter set, in its old place if it had one; `value` is quoted where it must be."""
        raw = value if value is None or _BARE.fullmatch(value) else quote(value)
        return self._set(name, raw)

    def with_quoted(self, name: str, value: str) -> Params:
        """Like `with_`, but always quoted, as feature tags with string values are (RFC 3840 section 9)."""
        return self._set(name, quote(value))

    def _set(self, name: str, raw: str | None) -> Params:
        key = name.lower()
        if key in self._index:
            return Params((n, raw if n.lower() == key else v) for n, v in self.items)
        return Params((*self.items, (name, raw)))

    def without(self, name: str) -> Params:
        """A copy that lacks this parameter."""
        key = name.lower()
        return Params((n, v) for n, v in self.items if n.lower() != key)

    def encode(self) -> str:
        return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in self.items)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._index

    def __iter__(self) -> Iterator[tuple[str, str | None]]:
        return iter(self.items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Params) and other.items == self.items

    def __hash__(self) -> int:
        return hash(self.items)

    def __repr__(self) -> str:
        return f"Params({self.encode()!r})"


def _value(text: str) -> str:
    if _BARE.fullmatch(text) or _QUOTED.fullmatch(text):
        return text
    # Feature-parameter strings in angle brackets occur outside quotes in the wild.
    if text.startswith("<") and text.endswith(">"):
        return text
    raise DecodeError("not a parameter value", code="sip.parameter")


EMPTY = Params()
