"""What we send to an SMSC, written by aiosmpplib.

What comes is read by `codec.smpp`: aiosmpplib reads a wide reference of parts as four octets, knows no second element of
a header, ends the connection at a status or alphabet that it does not know, and takes frames of any size.
"""

from __future__ import annotations

from collections.abc import Callable

from aiosmpplib.protocol import (
    BindTransceiver,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    SmppMessage,
    SubmitSm,
    Unbind,
    UnbindResp,
)
from aiosmpplib.state import NPI, TON, USER_MESSAGE_REFERENCE, OptionalParam, PhoneNumber, SmppCommandStatus

from ...codec.sms_text import Coding
from ...ids import Number
from .config import SmsConfig

__all__ = [
    "NO_COMMAND",
    "OK",
    "QUEUE_FULL",
    "TEMPORARY",
    "THROTTLED",
    "Request",
    "bind",
    "deliver_sm_resp",
    "enquire_link",
    "enquire_link_resp",
    "generic_nack",
    "is_final",
    "status_name",
    "submit_part",
    "submit_whole",
    "unbind",
    "unbind_resp",
]

Request = Callable[[int], bytes]
"""Its bytes with this sequence number."""

OK = 0
NO_COMMAND = SmppCommandStatus.ESME_RINVCMDID.value
TEMPORARY = SmppCommandStatus.ESME_RX_T_APPN.value
QUEUE_FULL = SmppCommandStatus.ESME_RMSGQFUL.value
THROTTLED = frozenset({SmppCommandStatus.ESME_RTHROTTLED.value, QUEUE_FULL})
"""Answers that ask to be slower."""

_UDHI = 0x40
_ENCODINGS = {Coding.GSM: None, Coding.UTF_16: "ucs2"}

_FINAL = frozenset(
    status.value
    for status in (
        SmppCommandStatus.ESME_RINVMSGLEN,
        SmppCommandStatus.ESME_RINVSRCADR,
        SmppCommandStatus.ESME_RINVDSTADR,
        SmppCommandStatus.ESME_RINVDSTTON,
        SmppCommandStatus.ESME_RINVDSTNPI,
        SmppCommandStatus.ESME_RINVSRCTON,
        SmppCommandStatus.ESME_RINVSRCNPI,
        SmppCommandStatus.ESME_RINVESMCLASS,
        SmppCommandStatus.ESME_RINVREGDLVFLG,
        SmppCommandStatus.ESME_RX_P_APPN,
        SmppCommandStatus.ESME_RX_R_APPN,
    )
)


def is_final(status: int) -> bool:
    """Whether the same message would get this answer again."""
    return status in _FINAL


def status_name(status: int) -> str:
    """What the specification calls it, or its number."""
    try:
        return str(SmppCommandStatus(status).name)
    except ValueError:
        return f"0x{status:08x}"


def bind(config: SmsConfig) -> Request:
    return _request(
        BindTransceiver(system_id=config.system_id, password=config.password, system_type=config.system_type)
    )


def submit_part(
    source: Number, to: Number, octets: bytes, coding: Coding, header: bytes, reference: int, receipt: bool
) -> Request:
    """One short message. `header` stands before the octets of a part, empty for the only one."""
    message = _submit(source, to, coding, reference, receipt, text="x")  # it wants some; the octets are what is sent
    message.esm_class = _UDHI if header else 0
    message.set_encoded_message(header + octets)
    return _request(message)


def submit_whole(source: Number, to: Number, text: str, coding: Coding, reference: int, receipt: bool) -> Request:
    """A long text in `message_payload`."""
    return _request(_submit(source, to, coding, reference, receipt, payload=text))


def enquire_link() -> Request:
    return _request(EnquireLink())


def unbind() -> Request:
    return _request(Unbind())


def deliver_sm_resp(sequence: int, status: int) -> bytes:
    return bytes(DeliverSmResp(sequence, SmppCommandStatus(status)).pdu())


def enquire_link_resp(sequence: int) -> bytes:
    return bytes(EnquireLinkResp(sequence).pdu())


def unbind_resp(sequence: int) -> bytes:
    return bytes(UnbindResp(sequence).pdu())


def generic_nack(sequence: int) -> bytes:
    return bytes(GenericNack(sequence, SmppCommandStatus(NO_COMMAND)).pdu())


def _request(message: SmppMessage) -> Request:
    def written(sequence: int) -> bytes:
        message.sequence_num = sequence
        return bytes(message.pdu())

    return written


def _submit(
    source: Number, to: Number, coding: Coding, reference: int, receipt: bool, *, text: str = "", payload: str = ""
) -> SubmitSm:
    return SubmitSm(
        short_message=text,
        message_payload=payload,
        source=_address(source),
        destination=_address(to),
        encoding=_ENCODINGS[coding],
        registered_delivery=int(receipt),
        # The same in every attempt: an SMSC that looks at it can tell a repeat from a second message.
        optional_params=[OptionalParam(USER_MESSAGE_REFERENCE, reference)],
    )


def _address(number: Number) -> PhoneNumber:
    return PhoneNumber(number.removeprefix("+"), TON.INTERNATIONAL, NPI.ISDN)
