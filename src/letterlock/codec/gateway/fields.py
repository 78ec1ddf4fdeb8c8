"""The kinds of fields that frames are made of: how each is written, and how it is read within bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ... import ids
from ...errors import DecodeError, InputError, LimitExceeded
from .. import push_subscription
from ..cpim import CpimHeader
from ..tls import Reader, opaque, u8, u16, u64

__all__ = [
    "BODY",
    "BOOL",
    "CPIM_HEADER",
    "ID",
    "MESSAGE_ID",
    "NUMBER",
    "PAIR",
    "PEER",
    "SUBSCRIPTION",
    "TEXT",
    "U16",
    "U64",
    "FrameLimits",
    "Kind",
    "many",
    "maybe",
    "one_of",
    "structure",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """Bounds that are checked before anything is copied (SR-08): bytes of a frame, of a text in it, items of a list."""

    max_frame: int
    max_text: int
    max_items: int


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """One kind of field."""

    write: Callable[[T], bytes]
    read: Callable[[Reader, FrameLimits], T]


def maybe(kind: Kind[T]) -> Kind[T | None]:
    """A field that may be absent: an octet says so."""
    return Kind(
        lambda value: b"\x00" if value is None else b"\x01" + kind.write(value),
        lambda reader, limits: kind.read(reader, limits) if reader.optional() else None,
    )


def many(kind: Kind[T]) -> Kind[tuple[T, ...]]:
    """A vector of fields: how many bytes, then each."""

    def read(reader: Reader, limits: FrameLimits) -> tuple[T, ...]:
        inside = reader.sub(limits.max_frame)
        found: list[T] = []
        while inside.more():
            if len(found) >= limits.max_items:
                raise LimitExceeded(f"a list of over {limits.max_items} items", code="gateway.limit.items")
            found.append(kind.read(inside, limits))
        return tuple(found)

    return Kind(lambda values: opaque(b"".join(kind.write(value) for value in values)), read)


def structure(make: Callable[..., T], *fields: tuple[str, Kind[Any]]) -> Kind[T]:
    """A value of several named fields."""
    return Kind(
        lambda value: b"".join(kind.write(getattr(value, name)) for name, kind in fields),
        lambda reader, limits: make(*(kind.read(reader, limits) for _, kind in fields)),
    )


def one_of(make: Callable[[int], T]) -> Kind[T]:
    """An octet that stands for a member of an enumeration."""

    def read(reader: Reader, limits: FrameLimits) -> T:
        octet = reader.u8()
        try:
            return make(octet)
        except ValueError:
            raise DecodeError(f"{octet} stands for nothing here", code="gateway.enumeration") from None

    return Kind(lambda value: u8(int(value)), read)  # type: ignore[call-overload]


def _text(reader: Reader, limits: FrameLimits) -> str:
    try:
        return reader.opaque(limits.max_text).decode()
    except UnicodeDecodeError:
        raise DecodeError("text that is not UTF-8", code="gateway.text") from None


def _checked(check: Callable[[str], T]) -> Callable[[Reader, FrameLimits], T]:
    def read(reader: Reader, limits: FrameLimits) -> T:
        try:
            return check(_text(reader, limits))
        except InputError as error:
            raise DecodeError(str(error), code="gateway.name") from error

    return read


def _octet(reader: Reader, limits: FrameLimits) -> bool:
    octet = reader.u8()
    if octet > 1:
        raise DecodeError("neither true nor false", code="gateway.boolean")
    return octet == 1


def _write_text(value: str) -> bytes:
    # A lone surrogate cannot come from a decoder of ours; should one ever, it is a question mark and no crash.
    return opaque(value.encode(errors="replace"))


BOOL: Kind[bool] = Kind(lambda value: u8(value), _octet)
U16: Kind[int] = Kind(u16, lambda reader, limits: reader.u16())
U64: Kind[int] = Kind(u64, lambda reader, limits: reader.u64())
TEXT: Kind[str] = Kind(_write_text, _text)
SUBSCRIPTION: Kind[push_subscription.Subscription] = Kind(
    lambda value: opaque(push_subscription.encode(value)),
    lambda reader, limits: push_subscription.decode(reader.opaque(push_subscription.MAX_SUBSCRIPTION)),
)
BODY: Kind[bytes] = Kind(lambda value: value, lambda reader, limits: reader.rest())
"""What is left of the frame; the last field."""
ID: Kind[Any] = Kind(lambda value: value, lambda reader, limits: reader.take(16))
"""16 bytes: of a request, a conversation, a group or an inbox."""
NUMBER: Kind[ids.Number] = Kind(_write_text, _checked(ids.number))
PEER: Kind[ids.Peer] = Kind(_write_text, _checked(ids.peer_name))
"""Whom a message is to or from."""
MESSAGE_ID: Kind[ids.MessageId] = Kind(_write_text, _checked(ids.message_id))
PAIR: Kind[tuple[str, str]] = Kind(
    lambda pair: TEXT.write(pair[0]) + TEXT.write(pair[1]),
    lambda reader, limits: (_text(reader, limits), _text(reader, limits)),
)
CPIM_HEADER: Kind[CpimHeader] = structure(CpimHeader, ("name", TEXT), ("raw", TEXT), ("namespace", TEXT))
