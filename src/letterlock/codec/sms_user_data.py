"""What stands in a short message beside its text: the header of parts (TS 23.040 section 9.2.3.24) and receipts (SMPP 3.4 appendix B)."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field

from ..errors import DecodeError
from .smpp import DeliverSm

__all__ = [
    "OF_THE_MESSAGE",
    "Concatenation",
    "Outcome",
    "SmscReceipt",
    "UserData",
    "concatenation_header",
    "read_receipt",
    "user_data",
]

_UDH = 0x40
_TYPE = 0x3C
_RECEIPT = 0x04

_RECEIPTED_MESSAGE_ID = 0x001E
_MESSAGE_STATE = 0x0427
_USER_MESSAGE_REFERENCE = 0x0204
_SAR_REFERENCE, _SAR_TOTAL, _SAR_NUMBER = 0x020C, 0x020E, 0x020F

OF_THE_MESSAGE = (_USER_MESSAGE_REFERENCE, _SAR_REFERENCE, _SAR_TOTAL, _SAR_NUMBER)
"""Parameters by which messages of the same octets are different ones."""

_ID = re.compile(rb"\bid:\s*([!-~]{1,64})", re.IGNORECASE)
_STATE = re.compile(rb"\bstat:\s*([A-Za-z]{1,16})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Which part of which message: 1 to `total`. `wide`: the reference has 16 bits, and is another than one of 8."""

    reference: int
    total: int
    number: int
    wide: bool


@dataclass(frozen=True, slots=True)
class UserData:
    """The octets of the text, and where they belong. `ports`: for a program on the phone, not for people."""

    octets: bytes = field(repr=False)
    part: Concatenation | None
    ports: bool


class Outcome(enum.Enum):
    """What became of a message, by the word of the SMSC."""

    DELIVERED = "delivered"
    FAILED = "failed"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class SmscReceipt:
    """What an SMSC says about a message that it gave this id."""

    carrier_id: str
    outcome: Outcome


def concatenation_header(part: Concatenation) -> bytes:
    """The header to put before the octets of a part."""
    reference = part.reference.to_bytes(2 if part.wide else 1, "big")
    element = bytes([8 if part.wide else 0, len(reference) + 2]) + reference + bytes([part.total, part.number])
    return bytes([len(element)]) + element


def user_data(message: DeliverSm) -> UserData:
    """The text's octets and their place. Raises DecodeError for a header that is longer than the message."""
    octets, part, ports = message.user_data, None, False
    if message.esm_class & _UDH:
        end = 1 + (octets[0] if octets else 0)
        if not octets or end > len(octets):
            raise DecodeError("a header that is longer than its message", code="sms.header")
        part, ports = _elements(octets[1:end])
        octets = octets[end:]
    return UserData(octets, part or _from_parameters(message), ports)


def read_receipt(message: DeliverSm) -> SmscReceipt | None:
    """The receipt that this is; None for a message, and for one that names no message or state."""
    named = message.parameters.get(_RECEIPTED_MESSAGE_ID)
    if message.esm_class & _TYPE != _RECEIPT and named is None:
        return None
    text = message.user_data[:_MOST_RECEIPT]
    found = _ID.search(text)
    carrier_id = (named or b"").partition(b"\0")[0][:64] or (found.group(1) if found else b"")
    if not carrier_id or not carrier_id.isascii():
        return None
    state = message.parameters.get(_MESSAGE_STATE)
    if state:
        return SmscReceipt(carrier_id.decode("ascii"), _STATES.get(state[0], Outcome.PENDING))
    word = _STATE.search(text)
    outcome = _WORDS.get(word.group(1).upper(), Outcome.PENDING) if word else Outcome.PENDING
    return SmscReceipt(carrier_id.decode("ascii"), outcome)


_MOST_RECEIPT = 512
_STATES = {2: Outcome.DELIVERED, 3: Outcome.FAILED, 4: Outcome.FAILED, 5: Outcome.FAILED, 8: Outcome.FAILED}
_WORDS = {
    b"DELIVRD": Outcome.DELIVERED,
    b"EXPIRED": Outcome.FAILED,
    b"DELETED": Outcome.FAILED,
    b"UNDELIV": Outcome.FAILED,
    b"REJECTD": Outcome.FAILED,
}


def _elements(header: bytes) -> tuple[Concatenation | None, bool]:
    part, ports, at = None, False, 0
    while at + 2 <= len(header):
        name, length = header[at], header[at + 1]
        value = header[at + 2 : at + 2 + length]
        at += 2 + length
        if len(value) != length:
            raise DecodeError("an element that is longer than its header", code="sms.header")
        if (name, length) in ((0, 3), (8, 4)):
            part = _part(int.from_bytes(value[:-2], "big"), value[-2], value[-1], name == 8)
        ports = ports or name in (4, 5)
    return part, ports


def _from_parameters(message: DeliverSm) -> Concatenation | None:
    fields = [message.parameters.get(tag) for tag in (_SAR_REFERENCE, _SAR_TOTAL, _SAR_NUMBER)]
    if not all(fields):
        return None
    reference, total, number = (int.from_bytes(value[:2], "big") for value in fields if value)
    return _part(reference, total, number, True)


def _part(reference: int, total: int, number: int, wide: bool) -> Concatenation | None:
    """None for values that the specification says to ignore, and for the only part of a message."""
    return Concatenation(reference, total, number, wide) if 1 <= number <= total <= 255 and total > 1 else None
