"""JSON from a bot: bounded in size and depth before it is parsed, each member once, texts that are valid Unicode.

Members that are not asked for are passed over: bots and platforms add their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from ...errors import DecodeError, LimitExceeded

__all__ = ["Members", "read_members", "web_url", "written"]


class Members:
    """The members of a JSON object. What is there and of a wrong type counts as malformed, what is not there as empty."""

    __slots__ = ("_of",)

    def __init__(self, value: Any) -> None:
        if not isinstance(value, dict):
            raise DecodeError("not a JSON object", code="chatbot.json")
        self._of: dict[str, Any] = value

    def __contains__(self, name: str) -> bool:
        return self._of.get(name) is not None

    @property
    def names(self) -> tuple[str, ...]:
        """Of all members: those that nobody knows are shown too."""
        return tuple(_storable(name) for name in self._of)

    def text(self, name: str, limit: int) -> str:
        """A text; empty when it is not there. Raises DecodeError, LimitExceeded."""
        value = self._of.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise DecodeError(f"{name} is no text", code="chatbot.type")
        if len(value) > limit:
            raise LimitExceeded(f"{name} of {len(value)} characters, at most {limit}", code="chatbot.limit")
        return _storable(value)

    def url(self, name: str, limit: int) -> str:
        """A web address; empty when it is not there, or no address that anybody should be shown (SR-14)."""
        value = self._of.get(name)
        return value if isinstance(value, str) and len(value) <= limit and web_url(value) else ""

    def integer(self, name: str) -> int | None:
        """A number that is not negative, also where it is written as a text; None when there is none."""
        value = self._of.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
            return int(value)
        return value if type(value) is int and 0 <= value < 1 << 53 else None

    def degrees(self, name: str, most: int) -> float | None:
        """A number of degrees; None when there is none."""
        value = self._of.get(name)
        # NaN and infinity compare as false; bool is an int to isinstance.
        if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
            return None
        return float(value)

    def truth(self, name: str) -> bool:
        return self._of.get(name) is True

    def object(self, name: str) -> Members | None:
        """An object; None when it is not there. Raises DecodeError when it is something else."""
        value = self._of.get(name)
        return None if value is None else Members(value)

    def items(self, name: str, limit: int) -> Sequence[Any]:
        """A list; empty when it is not there. Raises DecodeError, LimitExceeded."""
        value = self._of.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise DecodeError(f"{name} is no list", code="chatbot.type")
        if len(value) > limit:
            raise LimitExceeded(f"{name} has {len(value)} items, at most {limit}", code="chatbot.limit")
        return value


def read_members(data: bytes, *, max_size: int, max_depth: int) -> Members:
    """The object that a JSON text is. Raises DecodeError, LimitExceeded."""
    if len(data) > max_size:
        raise LimitExceeded(f"a JSON text of {len(data)} bytes, at most {max_size}", code="chatbot.limit")
    _check_depth(data, max_depth)
    try:
        return Members(json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_constant))
    # An integer of thousands of digits is a ValueError; the depth is bounded above, whatever the interpreter's own is.
    except (ValueError, RecursionError):
        raise DecodeError("not a JSON text", code="chatbot.json") from None


def written(value: dict[str, Any]) -> bytes:
    """The JSON text of an object of ours."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def web_url(text: str) -> bool:
    """Whether this is a web address in printable ASCII: all that may be shown as a link, and nothing is opened (SR-14)."""
    return _WEB.fullmatch(text) is not None


def _storable(text: str) -> str:
    """Half of a surrogate pair is legal JSON and no text: it could be neither stored nor printed."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


# Nobody is to read another host than the one that would be asked: no user, no backslash, nothing invisible.
_WEB = re.compile(r"https?://[A-Za-z0-9.\-]{1,253}(?::[0-9]{1,5})?(?:[/?#][!-\[\]-~]*)?", re.ASCII | re.IGNORECASE)
# A string that is not closed matches to the end: trying again behind each escaped quote would be quadratic (SR-09).
_STEP = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{\]}]', re.DOTALL)


def _check_depth(data: bytes, most: int) -> None:
    depth = 0
    for found in _STEP.finditer(data):
        first = data[found.start()]
        if first in b"[{":
            depth += 1
            if depth > most:
                raise LimitExceeded(f"JSON nested more than {most} deep", code="chatbot.limit")
        elif first in b"]}":
            depth -= 1


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands there twice: two readers would take different ones")
    return members


def _no_constant(text: str) -> Any:
    raise ValueError("NaN and Infinity are no JSON")
