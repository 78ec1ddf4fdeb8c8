"""What an application message of RCC.16 holds inside its encryption (rcc16.md 4.3).

`u16 0001 version | u16 type | u32 generation | opaque content<V>`. `generation` is the one that this message has in its
sender's ratchet: the sender stamps `Group.next_generation()` and encrypts under one lock, the receiver compares.

The content is a block of CPIM headers, a blank line, MIME headers, a blank line and the body. Without headers it
begins with a bare CRLF. Headers are resolved by namespace, whatever prefix was written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from ...codec import cpim
from ...codec.cpim import CORE, CpimLimits
from ...codec.mime import MimePart, decode_part, encode
from ...codec.tls import Reader, opaque, u16, u32
from ...conversation_seam import PacketHeader
from ...errors import DecodeError, InputError

__all__ = [
    "TEXT",
    "Content",
    "SecretPayload",
    "decode_content",
    "decode_secret_payload",
    "encode_content",
    "encode_secret_payload",
    "text_entity",
]

TEXT: Final = 1
"""The only type that was seen: headers and a MIME entity."""

_VERSION: Final = 1
_CRLF: Final = b"\r\n"


@dataclass(frozen=True, slots=True)
class SecretPayload:
    """`payload_type` is kept whatever it says: another one than TEXT is dropped by who asks for content."""

    generation: int
    content: bytes = field(repr=False)
    payload_type: int = TEXT


@dataclass(frozen=True, slots=True)
class Content:
    """Headers, and a MIME entity as it was written: its headers, a blank line, its body."""

    headers: tuple[PacketHeader, ...]
    entity: bytes = field(repr=False)


def encode_secret_payload(payload: SecretPayload) -> bytes:
    """The plaintext of a PrivateMessage."""
    return u16(_VERSION) + u16(payload.payload_type) + u32(payload.generation) + opaque(payload.content)


def decode_secret_payload(data: bytes) -> SecretPayload:
    """Raises DecodeError: also for another version, whose layout nobody knows."""
    reader = Reader(data)
    version, payload_type, generation = reader.u16(), reader.u16(), reader.u32()
    if version != _VERSION:
        raise DecodeError(f"payload of version {version}", code="rcc16.secret_payload")
    content = reader.vector()
    reader.end()
    return SecretPayload(generation, content, payload_type)


def encode_content(headers: Iterable[PacketHeader], entity: bytes) -> bytes:
    """Declarations of the namespaces first, then the headers, as Google writes them. Raises InputError for a header
    that cannot be written."""
    kept = tuple(headers)
    prefixes = {space: f"n{count}" for count, space in enumerate(dict.fromkeys(one.namespace for one in kept), 1)}
    lines = [("NS", f"{prefix} <{space}>") for space, prefix in prefixes.items()]
    lines += [(f"{prefixes[one.namespace]}.{one.name}", cpim.escape(one.value)) for one in kept]
    try:
        written = cpim.headers(*lines)
    except ValueError:
        raise InputError("a header that cannot be written", code="rcc16.input.header") from None
    block = "".join(f"{header.name}:{header.raw}\r\n" for header in written)
    return block.encode() + _CRLF + entity


def decode_content(content: bytes, limits: CpimLimits) -> Content:
    """Raises DecodeError, LimitExceeded. The entity has a Content-Type; neither length nor disposition is asked for."""
    if content.startswith(_CRLF):
        entity = content[2:]
        if decode_part(entity, limits.mime()).header("content-type") is None:
            raise DecodeError("content without a type", code="rcc16.secret_payload")
        return Content((), entity)
    read = cpim.decode_cpim(content, limits)
    headers = tuple(
        PacketHeader(header.namespace, header.local, header.value)
        for header in read.headers
        if not (header.namespace == CORE and header.name.upper() == "NS")
    )
    return Content(headers, content[content.index(b"\r\n\r\n") + 4 :])


def text_entity(text: str) -> bytes:
    """Plain text as a MIME entity, its fields in the deployed order."""
    return encode(MimePart.of("text/plain;charset=UTF-8", text.encode(), disposition="inline"))
