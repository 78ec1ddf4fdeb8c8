"""What the signature of a receipt covers (rcc16.md 4.4): which message, what became of it, in which era.

`u16 1 | own_receipt_id<V> | u32 era | u8 type | inner | 00`, where inner is

* of a delivery `u16 1 | u16 status | reported_id<V> | u16 reason | [u16 0 only when reason is not 0]`
* of a display  `u16 1 | u16 status | reported_id<V>`

Another version or trailing bytes are refused: nobody has seen them, and a receipt decides what is sent again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

from ...codec.tls import Reader, opaque, u8, u16, u32
from ...errors import DecodeError, InputError
from ...ids import MessageId, message_id
from .reasons import ClientReason

__all__ = [
    "Delivery",
    "DeliveryStatus",
    "DerivedContent",
    "Display",
    "DisplayStatus",
    "Report",
    "decode_derived_content",
    "encode_derived_content",
    "encode_report",
]

_VERSION: Final = 1
_DELIVERY: Final = 1
_DISPLAY: Final = 2


class DeliveryStatus(IntEnum):
    """What became of a message on its way."""

    DELIVERED = 1
    FAILED = 2
    FORBIDDEN = 3
    ERROR = 4


class DisplayStatus(IntEnum):
    """What became of it on the screen."""

    DISPLAYED = 1
    FORBIDDEN = 2
    ERROR = 3


_DELIVERY_STATUSES: Final = frozenset(DeliveryStatus)
_DISPLAY_STATUSES: Final = frozenset(DisplayStatus)


@dataclass(frozen=True, slots=True)
class Delivery:
    """`reason` 0: none is given. An unknown reason is kept as its number."""

    status: DeliveryStatus
    message_id: MessageId
    reason: int = 0


@dataclass(frozen=True, slots=True)
class Display:
    status: DisplayStatus
    message_id: MessageId


Report: TypeAlias = Delivery | Display


@dataclass(frozen=True, slots=True)
class DerivedContent:
    """`receipt_id` is the message id of the receipt itself."""

    receipt_id: MessageId
    era: int
    report: Report


def encode_derived_content(content: DerivedContent) -> bytes:
    """Raises InputError for an era that no group has, and for a reason that peers refuse (rcc16.md 4.5, client 6)."""
    if not 1 <= content.era <= 0xFFFF_FFFF:
        raise InputError(f"there is no era {content.era}", code="rcc16.input.era")
    kind = _DELIVERY if isinstance(content.report, Delivery) else _DISPLAY
    return b"".join(
        (
            u16(_VERSION),
            opaque(message_id(content.receipt_id).encode()),
            u32(content.era),
            u8(kind),
            encode_report(content.report),
            b"\x00",
        )
    )


def encode_report(report: Report) -> bytes:
    """The inner part."""
    head = u16(_VERSION) + u16(report.status) + opaque(message_id(report.message_id).encode())
    if isinstance(report, Display):
        return head
    if report.reason == ClientReason.RESENT_MESSAGE_FOR_ME_FAILED_TO_DECRYPT:
        raise InputError("this reason is read and never sent: peers throw at it", code="rcc16.input.reason")
    return head + u16(report.reason) + (u16(0) if report.reason else b"")


def decode_derived_content(data: bytes) -> DerivedContent:
    """Raises DecodeError."""
    reader = Reader(data)
    _check_version(reader)
    receipt_id, era, kind = _read_id(reader), reader.u32(), reader.u8()
    if era == 0:
        raise DecodeError("era 0 is no era", code="rcc16.era")
    if kind not in (_DELIVERY, _DISPLAY):
        raise DecodeError(f"derived content of type {kind}", code="rcc16.derived_content")
    report = _read_delivery(reader) if kind == _DELIVERY else _read_display(reader)
    if reader.u8() != 0:
        raise DecodeError("derived content with a component that nobody knows", code="rcc16.derived_content")
    reader.end()
    return DerivedContent(receipt_id, era, report)


def _read_delivery(reader: Reader) -> Delivery:
    _check_version(reader)
    number = reader.u16()
    if number not in _DELIVERY_STATUSES:
        raise DecodeError(f"delivery status {number}", code="rcc16.derived_content")
    found, reason = _read_id(reader), reader.u16()
    if reason and reader.u16() != 0:
        raise DecodeError("a reason with something behind it", code="rcc16.derived_content")
    return Delivery(DeliveryStatus(number), found, reason)


def _read_display(reader: Reader) -> Display:
    _check_version(reader)
    number = reader.u16()
    if number not in _DISPLAY_STATUSES:
        raise DecodeError(f"display status {number}", code="rcc16.derived_content")
    return Display(DisplayStatus(number), _read_id(reader))


def _check_version(reader: Reader) -> None:
    version = reader.u16()
    if version != _VERSION:
        raise DecodeError(f"derived content of version {version}", code="rcc16.derived_content")


def _read_id(reader: Reader) -> MessageId:
    try:
        return message_id(reader.vector().decode("ascii"))
    except (InputError, UnicodeDecodeError):
        raise DecodeError("derived content names no message", code="rcc16.derived_content") from None
