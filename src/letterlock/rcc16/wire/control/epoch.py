"""EpochIdentifier (RCC.16 7.10.4): where a group stands. It is also the body of a pull."""

from __future__ import annotations

from dataclasses import dataclass

from ....codec.protobuf import decode
from ....errors import DecodeError
from .fields import AUTHENTICATOR_BYTES, chunk_field, number_field

__all__ = ["EpochIdentifier", "decode_epoch_identifier", "encode_epoch_identifier"]


@dataclass(frozen=True, slots=True)
class EpochIdentifier:
    """One state of a group: equal numbers with another authenticator are another state."""

    era: int
    epoch: int
    authenticator: bytes


def encode_epoch_identifier(identifier: EpochIdentifier) -> bytes:
    """Also the body of a pull."""
    return b"".join(
        (
            number_field(1, identifier.era),
            number_field(2, identifier.epoch),
            chunk_field(3, identifier.authenticator),
        )
    )


def decode_epoch_identifier(data: bytes) -> EpochIdentifier:
    """Raises DecodeError."""
    fields = decode(data)
    era, authenticator = fields.varints.get(1, 0), fields.chunks.get(3, b"")
    if not 1 <= era <= 0xFFFF_FFFF or len(authenticator) != AUTHENTICATOR_BYTES:
        raise DecodeError("not the name of an epoch", code="rcc16.epoch_identifier")
    return EpochIdentifier(era, fields.varints.get(2, 0), authenticator)
