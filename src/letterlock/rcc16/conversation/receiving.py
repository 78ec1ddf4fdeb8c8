"""Where a packet goes by what it is. Whatever it is, it never raises: what does not hold leaves nothing behind."""

from __future__ import annotations

from ...codec.imdn import Status
from ...conversation_seam import Packet
from ...errors import DecodeError
from ...ids import Number
from ..health.transitions import Moment
from ..wire.content_types import APPLICATION, GROUP_INFO, SERVER_CONTROL
from ..wire.control import EnhancedGroupInfo, GroupInfoMessage, decode_enhanced_group_info, decode_epoch_identifier
from ..wire.packet_headers import DERIVED_CONTENT_SIGNATURE, find_header
from ..wire.reasons import ServerReason
from .control import take_server
from .healing import take_answer
from .letters import take_letter
from .operations import standing
from .parking import park
from .posting import answer_packet
from .receipts import read_receipt, sent_letter, take_positive
from .reports import take_negative
from .standing_in import refuse
from .step import Work

__all__ = ["IMDN", "concerns", "take_in"]

IMDN = "message/imdn+xml"


def concerns(work: Work, packet: Packet) -> bool:
    """Whether a receipt is this protocol's: by its headers, or because it is for something that we sent."""
    if find_header(packet.headers, DERIVED_CONTENT_SIGNATURE) is not None:
        return True
    receipt = read_receipt(work, packet)
    if receipt is None:
        return False
    operation = work.chat.operation
    ours = operation is not None and operation.control_id == receipt.imdn.message_id
    return ours or receipt.reason is not None or sent_letter(work, receipt.imdn.message_id) is not None


def take_in(work: Work, packet: Packet, sender: Number | None) -> None:
    """One packet of this conversation."""
    if work.client is None:
        if packet.content_type != IMDN:
            park(work, packet, sender, Moment(0, 0))  # our certificate has run out; it is read when we have one again
        return
    work.attempt(lambda: _dispatch(work, packet, sender))


def _dispatch(work: Work, packet: Packet, sender: Number | None) -> None:
    match packet.content_type.partition(";")[0].strip().lower():
        case kind if kind == APPLICATION:
            take_letter(work, packet, sender)
        case kind if kind == SERVER_CONTROL:
            take_server(work, packet, sender)
        case kind if kind == GROUP_INFO:
            _group_info(work, packet, sender)
        case kind if kind == IMDN:
            _receipt(work, packet, sender)
        case _:
            pass  # `-server-kick` and types that ride inside the encryption mean nothing out here (rcc16.md 3.2)


def _receipt(work: Work, packet: Packet, sender: Number | None) -> None:
    receipt = read_receipt(work, packet)
    if receipt is None:
        return
    if receipt.imdn.status is Status.FAILED:
        take_negative(work, packet, receipt, sender)
    else:
        take_positive(work, packet, receipt, sender)


def _group_info(work: Work, packet: Packet, sender: Number | None) -> None:
    """An answer to our pull; or in a chat of two the peer's own pull, which we answer in the focus's stead."""
    settings = work.core.settings
    try:
        info = decode_enhanced_group_info(packet.body, settings.choices.control_numbers, settings.control)
    except DecodeError:
        if work.is_pair and sender == work.conversation.peer:
            _answer(work, packet)
        return
    take_answer(work, info, sender)


def _answer(work: Work, packet: Packet) -> None:
    if packet.body:
        decode_epoch_identifier(packet.body)
    here, group = standing(work), work.group()
    if here is None or group is None or work.chat.left:
        refuse(work, packet, ServerReason.MLS_GROUP_NOT_FOUND)
        return
    info = GroupInfoMessage(
        group.group_info(with_tree=False, external_pub=True), group.state.tree.encode(), here.authenticator
    )
    work.packets.append(answer_packet(work, EnhancedGroupInfo(here, info)))
