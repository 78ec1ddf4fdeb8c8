"""What an SMSC sends us (SMPP 3.4): headers, message ids, short messages. Here is the reading side alone.

It reads frames of bounded size into bytes and numbers, and says nothing of what they mean; text is in `sms_text`, parts
and receipts are in `sms_user_data`. A field that we have no use for is passed over, whatever it holds.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import DecodeError, LimitExceeded

__all__ = [
    "BIND_TRANSCEIVER_RESP",
    "DELIVER_SM",
    "ENQUIRE_LINK",
    "GENERIC_NACK",
    "HEADER_LENGTH",
    "MESSAGE_PAYLOAD",
    "RESPONSE",
    "SUBMIT_SM_RESP",
    "UNBIND",
    "Address",
    "DeliverSm",
    "Header",
    "SmppLimits",
    "decode_deliver_sm",
    "decode_header",
    "decode_message_id",
]

HEADER_LENGTH = 16
RESPONSE = 0x80000000
"""This bit of a command says that it answers one."""
GENERIC_NACK = 0x80000000
SUBMIT_SM_RESP = 0x80000004
BIND_TRANSCEIVER_RESP = 0x80000009
DELIVER_SM = 0x00000005
UNBIND = 0x00000006
ENQUIRE_LINK = 0x00000015

MESSAGE_PAYLOAD = 0x0424

_LONGEST_ID = 65
_HEADER = struct.Struct(">IIII")
_PARAMETER = struct.Struct(">HH")


@dataclass(frozen=True, slots=True)
class SmppLimits:
    """Bounds of what is read (SR-08)."""

    max_pdu: int
    max_parameters: int


@dataclass(frozen=True, slots=True)
class Header:
    """The first 16 octets; `length` counts them too."""

    length: int
    command: int
    status: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Address:
    """Who it is from or for: `digits` may be a name."""

    type_of_number: int
    numbering_plan: int
    digits: str


@dataclass(frozen=True, slots=True)
class DeliverSm:
    """A short message or a receipt. `user_data` is that of `short_message`, or of `message_payload` where that stands."""

    source: Address
    destination: Address
    esm_class: int
    protocol: int
    data_coding: int
    user_data: bytes = field(repr=False)
    parameters: Mapping[int, bytes] = field(repr=False)
    """Optional ones, by tag; of a repeated one the first."""


def decode_header(data: bytes, limits: SmppLimits) -> Header:
    """Read a header. Raises LimitExceeded before the body of an oversized frame is asked for, DecodeError."""
    if len(data) != HEADER_LENGTH:
        raise DecodeError("a header has 16 octets", code="smpp.header")
    header = Header(*_HEADER.unpack(data))
    if header.length < HEADER_LENGTH:
        raise DecodeError("a frame that is shorter than its header", code="smpp.header")
    if header.length > limits.max_pdu:
        raise LimitExceeded(f"a frame of {header.length} octets", code="smpp.size")
    return header


def decode_message_id(body: bytes) -> str:
    """The SMSC's name for a submitted message (section 4.4.2); empty where it gives none. Raises DecodeError."""
    end = body.find(b"\0", 0, _LONGEST_ID)
    if end < 0 and len(body) >= _LONGEST_ID:
        raise DecodeError("an endless message id", code="smpp.string")
    octets = body if end < 0 else body[:end]
    if not octets.isascii():
        raise DecodeError("a message id that is not ASCII", code="smpp.string")
    return octets.decode("ascii")


def decode_deliver_sm(body: bytes, limits: SmppLimits) -> DeliverSm:
    """The body of a deliver_sm (section 4.6.1). Raises DecodeError, LimitExceeded."""
    reader = _Reader(body)
    reader.string(6)  # service_type
    source = Address(reader.octet(), reader.octet(), reader.string(21))
    destination = Address(reader.octet(), reader.octet(), reader.string(21))
    esm_class, protocol, _priority = reader.octet(), reader.octet(), reader.octet()
    reader.string(17)  # schedule_delivery_time
    reader.string(17)  # validity_period
    _registered, _replace, data_coding, _default = (reader.octet() for _ in range(4))
    user_data = reader.take(reader.octet())
    parameters: dict[int, bytes] = {}
    count = 0
    while reader.more():
        count += 1
        if count > limits.max_parameters:
            raise LimitExceeded(f"more than {limits.max_parameters} optional parameters", code="smpp.parameters")
        tag, length = _PARAMETER.unpack(reader.take(_PARAMETER.size))
        parameters.setdefault(tag, reader.take(length))
    payload = parameters.get(MESSAGE_PAYLOAD)
    if payload is not None and not user_data:
        user_data = payload
    return DeliverSm(source, destination, esm_class, protocol, data_coding, user_data, parameters)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def more(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise DecodeError("the frame ends early", code="smpp.short")
        self._at += count
        return self._data[self._at - count : self._at]

    def octet(self) -> int:
        return self.take(1)[0]

    def string(self, longest: int) -> str:
        """A C-octet string of at most this many octets, the zero included. Names of senders are in any alphabet."""
        end = self._data.find(b"\0", self._at, self._at + longest)
        if end < 0:
            raise DecodeError("a string without an end", code="smpp.string")
        text = self._data[self._at : end].decode("latin-1")
        self._at = end + 1
        return text
