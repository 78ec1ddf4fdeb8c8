"""How the records of RCC.16 become bytes: one `Form` for each sort of value, put together from smaller ones.

A record is what its class says, field by field in the order of the form, behind a version. What is read back was
written here; whatever does not fit is one DecodeError.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from ..codec.tls import Reader, opaque, u8, u64
from ..errors import DecodeError, LetterlockError
from ..seam import RecordKind

__all__ = ["BOOL", "BYTES", "TEXT", "U64", "Form", "choice", "kind_of", "many", "maybe", "nested", "record"]

T = TypeVar("T")

_VERSION: Final = 1


class Form(Generic[T]):
    """Writing and reading one sort of value."""

    __slots__ = ("read", "write")

    def __init__(self, write: Callable[[T], bytes], read: Callable[[Reader], T]) -> None:
        self.write = write
        self.read = read


U64: Final[Form[int]] = Form(u64, Reader.u64)
BOOL: Final[Form[bool]] = Form(lambda value: u8(value), Reader.optional)
BYTES: Final[Form[bytes]] = Form(opaque, Reader.vector)
TEXT: Final[Form[Any]] = Form(lambda value: opaque(value.encode()), lambda reader: reader.vector().decode())


def choice(kind: type[enum.Enum]) -> Form[Any]:
    """A member of an enumeration, by its value."""
    return Form(lambda value: opaque(str(value.value).encode()), lambda reader: _member(kind, reader.vector().decode()))


def maybe(form: Form[Any]) -> Form[Any]:
    """A value or None."""
    return Form(
        lambda value: u8(0) if value is None else u8(1) + form.write(value),
        lambda reader: form.read(reader) if reader.optional() else None,
    )


def many(form: Form[Any]) -> Form[Any]:
    """A tuple of values."""

    def read(reader: Reader) -> tuple[Any, ...]:
        inner, found = reader.sub(), []
        while inner.more():
            found.append(form.read(inner))
        return tuple(found)

    return Form(lambda values: opaque(b"".join([form.write(value) for value in values])), read)


def record(cls: Callable[..., T], **fields: Form[Any]) -> Form[T]:
    """A dataclass: each field in its form."""

    def write(value: T) -> bytes:
        return b"".join([form.write(getattr(value, name)) for name, form in fields.items()])

    def read(reader: Reader) -> T:
        return cls(**{name: form.read(reader) for name, form in fields.items()})

    return Form(write, read)


def nested(write: Callable[[T], bytes], read: Callable[[bytes], T]) -> Form[T]:
    """A value that has a codec of its own."""
    return Form(lambda value: opaque(write(value)), lambda reader: read(reader.vector()))


def kind_of(name: str, form: Form[T]) -> RecordKind[T]:
    """The kind of record whose values have this form."""

    def decode(data: bytes) -> T:
        try:
            reader = Reader(data)
            if reader.u8() != _VERSION:
                raise DecodeError("a version that is not known here", code="rcc16.record")
            value = form.read(reader)
            reader.end()
        except DecodeError:
            raise
        except (LetterlockError, ValueError, TypeError) as error:
            raise DecodeError(f"record {name} does not hold: {error}", code="rcc16.record") from None
        return value

    return RecordKind(name, lambda value: u8(_VERSION) + form.write(value), decode)


def _member(kind: type[enum.Enum], text: str) -> enum.Enum:
    for member in kind:
        if str(member.value) == text:
            return member
    raise DecodeError(f"no {kind.__name__}", code="rcc16.record")
