"""EndMlsMetadata: why a group runs unencrypted, as it stands in the extension end_mls of v4.0 (rcc16.md 5.7)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from ....codec.protobuf import decode
from .fields import number_field

__all__ = ["EndReason", "decode_end_metadata", "encode_end_metadata"]


class EndReason(IntEnum):
    """Why a group runs unencrypted: EndMlsMetadata.downgrade_reason."""

    UNSET = 0
    SERVER_FAILURE_ENCRYPTION_NOT_AVAILABLE = 1
    CLIENT_FAILURE_ENCRYPTION_NOT_AVAILABLE = 2
    MEMBER_FAILS_CAPABILITIES = 3
    UNTRUSTED_ROOT = 4
    CONTINUITY_TOKEN_MISMATCH = 5
    CONTINUITY_TOKEN_NOT_RECEIVED = 6
    PERSISTENT_REFRESH_FAILURE = 7
    CANNOT_FETCH_KEYPACKAGES = 8
    INTERNAL_CLIENT_ERROR = 9
    OUTGOING_COMMIT_FAILED = 10
    ERA_ADVANCEMENT_QUOTA_REACHED = 11

    @property
    def label(self) -> str:
        """As `Ended.reason` has it."""
        return self.name.lower().replace("_", "-")


_END_REASONS: Final = frozenset(EndReason)


def encode_end_metadata(reason: EndReason) -> bytes:
    """EndMlsMetadata."""
    return number_field(1, reason)


def decode_end_metadata(data: bytes) -> EndReason:
    """UNSET for a reason that nobody knows. Raises DecodeError."""
    number = decode(data).varints.get(1, 0)
    return EndReason(number) if number in _END_REASONS else EndReason.UNSET
