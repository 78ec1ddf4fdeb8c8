"""MlsEnhancedGroupInfo (RCC.16 7.10.5): the answer to a pull, with the control messages that were missed."""

from __future__ import annotations

from dataclasses import dataclass

from ....codec.protobuf import bytes_field, decode, decode_repeated
from ....errors import DecodeError
from ...choices import ControlNumbers
from .epoch import EpochIdentifier, decode_epoch_identifier, encode_epoch_identifier
from .fields import ControlLimits, check_size, chunk_field, read_text
from .server import (
    GroupInfoMessage,
    ServerMessage,
    decode_group_info,
    decode_server_message,
    encode_group_info,
    encode_server_message,
)

__all__ = ["ControlMessage", "EnhancedGroupInfo", "decode_enhanced_group_info", "encode_enhanced_group_info"]


@dataclass(frozen=True, slots=True)
class ControlMessage:
    """A control message of the past, under the id that it came with."""

    message_id: str
    message: ServerMessage


@dataclass(frozen=True, slots=True)
class EnhancedGroupInfo:
    """MlsEnhancedGroupInfo: the answer to a pull. `page_end` None: there are no more pages, and if the messages do
    not reach `latest`, only an external commit does."""

    latest: EpochIdentifier
    group_info: GroupInfoMessage
    messages: tuple[ControlMessage, ...] = ()
    page_end: EpochIdentifier | None = None


def encode_enhanced_group_info(info: EnhancedGroupInfo, numbers: ControlNumbers) -> bytes:
    """The body of the answer."""
    return b"".join(
        (
            bytes_field(2, encode_epoch_identifier(info.latest)),
            bytes_field(3, encode_group_info(info.group_info)),
            *(
                bytes_field(
                    4,
                    chunk_field(1, one.message_id.encode())
                    + bytes_field(2, encode_server_message(one.message, numbers)),
                )
                for one in info.messages
            ),
            b"" if info.page_end is None else bytes_field(5, encode_epoch_identifier(info.page_end)),
        )
    )


def decode_enhanced_group_info(data: bytes, numbers: ControlNumbers, limits: ControlLimits) -> EnhancedGroupInfo:
    """Raises DecodeError, LimitExceeded: also for an answer without GroupInfo, tree, or authenticator (rcc16.md 2.6)."""
    check_size(data, limits)
    fields = decode(data, max_fields=limits.max_page + 8)
    group_info = decode_group_info(decode(fields.chunks.get(3, b"")))
    if not group_info.group_info or not group_info.ratchet_tree:
        raise DecodeError("an answer without GroupInfo or tree", code="rcc16.control")
    page_end = fields.chunks.get(5)
    return EnhancedGroupInfo(
        decode_epoch_identifier(fields.chunks.get(2, b"")),
        group_info,
        tuple(_control_message(raw, numbers, limits) for raw in _pages(data, limits)),
        None if page_end is None else decode_epoch_identifier(page_end),
    )


def _pages(data: bytes, limits: ControlLimits) -> tuple[bytes, ...]:
    return decode_repeated(data, 4, max_values=limits.max_page, max_fields=limits.max_page + 8)


def _control_message(data: bytes, numbers: ControlNumbers, limits: ControlLimits) -> ControlMessage:
    fields = decode(data)
    return ControlMessage(
        read_text(fields.chunks.get(1, b"")), decode_server_message(fields.chunks.get(2, b""), numbers, limits)
    )
