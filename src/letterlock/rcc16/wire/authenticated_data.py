"""What every MLS message of RCC.16 carries in the clear and bound to it (rcc16.md 4.1): message id and era.

`u16 0001 | opaque message_id<V> | u32 era | 00`. The last byte says that no resent component follows. The era is the
one of the group and not the epoch: peers fail when it is left out. SR-03: a receiver compares the id with the
envelope's byte for byte and the era with the group's; that is done where both are known.

Strict in what is written. What is read may have another version, which decides nothing (RCC.16 section 7.5.3.1), and
a resent component, of which only the first byte 02 was ever seen: it is kept as it came (our choice).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...codec.tls import Reader, opaque, u16, u32
from ...errors import DecodeError, InputError
from ...ids import MessageId, message_id

__all__ = ["AuthenticatedData", "decode_authenticated_data", "encode_authenticated_data"]

_VERSION: Final = 1
_MAX_ERA: Final = 0xFFFF_FFFF
_ABSENT: Final = b"\x00"


@dataclass(frozen=True, slots=True)
class AuthenticatedData:
    """`resent` is empty, or the component as it came, from its tag on."""

    message_id: MessageId
    era: int
    version: int = _VERSION
    resent: bytes = b""


def encode_authenticated_data(message: MessageId, era: int) -> bytes:
    """For a message or a commit of ours. Raises InputError for an era that no group has."""
    if not 1 <= era <= _MAX_ERA:
        raise InputError(f"there is no era {era}", code="rcc16.input.era")
    return u16(_VERSION) + opaque(message_id(message).encode()) + u32(era) + _ABSENT


def decode_authenticated_data(data: bytes, *, accept_resent: bool = True) -> AuthenticatedData:
    """Raises DecodeError. `accept_resent` is `Choices.accept_resent`: whether a component nobody understands may follow."""
    reader = Reader(data)
    version = reader.u16()
    try:
        found = message_id(reader.vector().decode("ascii"))
    except (InputError, UnicodeDecodeError):
        raise DecodeError("authenticated data name no message", code="rcc16.authenticated_data") from None
    era = reader.u32()
    if era == 0:
        raise DecodeError("era 0 is no era", code="rcc16.era")
    resent = reader.rest()
    if not resent or (resent != _ABSENT and (resent[:1] == _ABSENT or not accept_resent)):
        raise DecodeError("authenticated data end wrongly", code="rcc16.authenticated_data")
    return AuthenticatedData(found, era, version, b"" if resent == _ABSENT else resent)
