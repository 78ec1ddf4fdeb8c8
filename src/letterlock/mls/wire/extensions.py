"""Extension, and the bodies of those that RFC 9420 defines for a group (sections 7.2, 11.1, 12.1.8.1, 12.4.3.2).

An extension of any type is kept as bytes: unknown ones have to survive (section 13.4). That a type may occur
only once in a list is a rule for the modules above.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from ...codec.tls import Reader, opaque, u16, u16_vector, whole
from .credential import Credential

__all__ = [
    "Extension",
    "ExternalPub",
    "ExternalSender",
    "RequiredCapabilities",
    "decode_external_senders",
    "encode_extensions",
    "encode_external_senders",
    "find_extension",
    "read_extensions",
]


@dataclass(frozen=True, slots=True)
class Extension:
    """One entry of a list of extensions."""

    extension_type: int
    extension_data: bytes

    def encode(self) -> bytes:
        return u16(self.extension_type) + opaque(self.extension_data)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.u16(), reader.vector())


def find_extension(extensions: Iterable[Extension], extension_type: int) -> bytes | None:
    """The data of the first extension of that type."""
    for extension in extensions:
        if extension.extension_type == extension_type:
            return extension.extension_data
    return None


def encode_extensions(extensions: Iterable[Extension]) -> bytes:
    """`Extension extensions<V>`."""
    return opaque(b"".join([extension.encode() for extension in extensions]))


def read_extensions(reader: Reader) -> tuple[Extension, ...]:
    """`Extension extensions<V>`."""
    inner = reader.sub()
    if not inner.more():
        return ()
    found: list[Extension] = []
    while inner.more():
        found.append(Extension(inner.u16(), inner.vector()))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class RequiredCapabilities:
    """What every member must support, beyond the types that all do by default."""

    extension_types: tuple[int, ...]
    proposal_types: tuple[int, ...]
    credential_types: tuple[int, ...]

    def encode(self) -> bytes:
        return u16_vector(self.extension_types) + u16_vector(self.proposal_types) + u16_vector(self.credential_types)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.u16_vector(), reader.u16_vector(), reader.u16_vector())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return whole(data, cls.read)


@dataclass(frozen=True, slots=True)
class ExternalSender:
    """One who may send proposals to the group without being a member."""

    signature_key: bytes
    credential: Credential

    def encode(self) -> bytes:
        return opaque(self.signature_key) + self.credential.encode()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.vector(), Credential.read(reader))


def encode_external_senders(senders: Iterable[ExternalSender]) -> bytes:
    """The data of an `external_senders` extension: a vector, with its length."""
    return opaque(b"".join([sender.encode() for sender in senders]))


def decode_external_senders(data: bytes) -> tuple[ExternalSender, ...]:
    """The data of an `external_senders` extension."""
    reader = Reader(data)
    inner = reader.sub()
    reader.end()
    found: list[ExternalSender] = []
    while inner.more():
        found.append(ExternalSender.read(inner))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class ExternalPub:
    """The key to join with by an external commit; the extension's data holds it with its length."""

    external_pub: bytes

    def encode(self) -> bytes:
        return opaque(self.external_pub)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls(whole(data, Reader.vector))
