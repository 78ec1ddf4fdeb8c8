"""MLSMessage: what travels by itself, with its version and wire format in front (RFC 9420 section 6)."""

from __future__ import annotations

from typing import TypeAlias

from ...codec.tls import Reader, u16
from ...errors import DecodeError, LimitExceeded
from .. import registries
from .framing import PrivateMessage, PublicMessage
from .key_package import KeyPackage
from .proposals import ProposalTypes
from .welcome import GroupInfo, Welcome

__all__ = ["MLSMessage", "decode_message", "encode_message"]

MLSMessage: TypeAlias = PublicMessage | PrivateMessage | Welcome | GroupInfo | KeyPackage

_WIRE_FORMATS: dict[type, int] = {
    PublicMessage: registries.PUBLIC_MESSAGE,
    PrivateMessage: registries.PRIVATE_MESSAGE,
    Welcome: registries.WELCOME,
    GroupInfo: registries.GROUP_INFO,
    KeyPackage: registries.KEY_PACKAGE,
}


def encode_message(value: MLSMessage) -> bytes:
    """The value as an MLSMessage."""
    return u16(registries.PROTOCOL_VERSION_MLS10) + u16(_WIRE_FORMATS[type(value)]) + value.encode()


def decode_message(data: bytes, types: ProposalTypes, limit: int) -> MLSMessage:
    """Read an MLSMessage of at most `limit` bytes. Raises DecodeError, or LimitExceeded before reading."""
    if len(data) > limit:
        raise LimitExceeded(f"message of {len(data)} bytes, at most {limit} allowed", code="mls.limit")
    reader = Reader(data)
    version = reader.u16()
    if version != registries.PROTOCOL_VERSION_MLS10:
        raise DecodeError(f"protocol version {version}", code="mls.version")
    value = _read(reader, reader.u16(), types)
    reader.end()
    # The only place that knows both versions (section 10).
    if isinstance(value, KeyPackage) and value.version != version:
        raise DecodeError(f"key package of protocol version {value.version}", code="mls.version")
    return value


def _read(reader: Reader, wire_format: int, types: ProposalTypes) -> MLSMessage:
    match wire_format:
        case registries.PUBLIC_MESSAGE:
            return PublicMessage.read(reader, types)
        case registries.PRIVATE_MESSAGE:
            return PrivateMessage.read(reader)
        case registries.WELCOME:
            return Welcome.read(reader)
        case registries.GROUP_INFO:
            return GroupInfo.read(reader)
        case registries.KEY_PACKAGE:
            return KeyPackage.read(reader)
    raise DecodeError(f"wire format {wire_format:#06x}", code="mls.wire_format")
