"""One JSON object of a key distribution server's bodies: written compactly, read strictly, each member at most once."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ... import ids
from ...errors import DecodeError, InputError, LimitExceeded
from ...ids import Number

__all__ = ["Body", "BodyLimits", "Object", "b64", "encode", "octets", "read_object", "tel"]


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Bounds, checked before a value is kept (SR-08). All but `max_packages` are in bytes."""

    max_body: int
    max_packages: int
    max_package: int
    max_certificate: int
    max_chain: int


class Body(Protocol):
    """A request or an answer."""

    def body(self) -> dict[str, Any]:
        """Its members."""
        ...


def encode(body: Body) -> bytes:
    """The JSON text of a request or an answer."""
    return json.dumps(body.body(), separators=(",", ":")).encode()


def read_object(data: bytes, limits: BodyLimits) -> Object:
    """Raises DecodeError, LimitExceeded."""
    if len(data) > limits.max_body:
        raise LimitExceeded(f"a body over {limits.max_body} bytes", code="kds.limit")
    try:
        value = json.loads(data.decode(), object_pairs_hook=_once, parse_float=_no_float, parse_constant=_no_float)
    # Too deep is RecursionError, an integer of thousands of digits ValueError.
    except (ValueError, RecursionError) as error:
        raise DecodeError("not a JSON text that is used here", code="kds.body") from error
    if not isinstance(value, dict):
        raise DecodeError("not a JSON object", code="kds.body")
    return Object(value)


class Object:
    """A JSON object of which each member is read at most once, with a type and a bound."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members

    def has(self, name: str) -> bool:
        return name in self._members

    def text(self, name: str, limit: int) -> str:
        value = self._take(name)
        if not isinstance(value, str):
            raise DecodeError(f"{name} is no text", code="kds.body")
        if len(value) > limit:
            raise LimitExceeded(f"{name} is too long", code="kds.limit")
        return value

    def octets(self, name: str, limit: int, *, least: int = 1) -> bytes:
        return octets(self._take(name), limit, least)

    def number(self, name: str) -> Number:
        text = self.text(name, 32)
        if not text.startswith("tel:"):
            raise DecodeError(f"{name} is no tel: address", code="kds.number")
        try:
            return ids.number(text[4:])
        except InputError as error:
            raise DecodeError(f"{name} is no number", code="kds.number") from error

    def integer(self, name: str, most: int, default: int | None = None) -> int:
        if default is not None and name not in self._members:
            return default
        value = self._take(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise DecodeError(f"{name} is no number", code="kds.body")
        if not 0 <= value <= most:
            raise LimitExceeded(f"{name} is beyond 0 to {most}", code="kds.limit")
        return value

    def truth(self, name: str) -> bool:
        value = self._take(name)
        if not isinstance(value, bool):
            raise DecodeError(f"{name} is neither true nor false", code="kds.body")
        return value

    def items(self, name: str, limit: int) -> Sequence[Any]:
        value = self._take(name)
        if not isinstance(value, list):
            raise DecodeError(f"{name} is no list", code="kds.body")
        if len(value) > limit:
            raise LimitExceeded(f"{name} has more than {limit} items", code="kds.limit")
        return value

    def end(self) -> None:
        """Refuses what was not read."""
        if self._members:
            raise DecodeError("a member that is not in the specification", code="kds.body")

    def _take(self, name: str) -> Any:
        if name not in self._members:
            raise DecodeError(f"{name} is missing", code="kds.body")
        return self._members.pop(name)


def octets(value: Any, limit: int, least: int = 1) -> bytes:
    """Bytes, of base64 with padding. Raises DecodeError, LimitExceeded."""
    if not isinstance(value, str):
        raise DecodeError("bytes are base64 text", code="kds.body")
    if len(value) > 4 * -(-limit // 3):
        raise LimitExceeded(f"a value over {limit} bytes", code="kds.limit")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodeError("bytes are base64 text", code="kds.body") from error
    if not least <= len(data) <= limit:
        raise LimitExceeded(f"a value that is not of {least} to {limit} bytes", code="kds.limit")
    return data


def tel(number: Number) -> str:
    return f"tel:{number}"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands there twice")
    return members


def _no_float(text: str) -> Any:
    raise ValueError("no member here is a fraction")
