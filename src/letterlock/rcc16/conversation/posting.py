"""The packets of this protocol: how each is addressed, and which headers it has (rcc16.md 3).

Control messages of a group go to its focus as `message/mls-rcs-client` and come back as `-server`. In a chat of two
there is no focus: what the focus would have handed on goes to the peer directly, as `-server` (our choice).
"""

from __future__ import annotations

from ...conversation_seam import Packet, PacketHeader, UntilWhen
from ...ids import MessageId, Number
from ..wire.content_types import APPLICATION, CLIENT_CONTROL, GROUP_INFO, SERVER_CONTROL
from ..wire.control import (
    ClientMessage,
    EnhancedGroupInfo,
    EpochIdentifier,
    ServerMessage,
    encode_client_message,
    encode_enhanced_group_info,
    encode_epoch_identifier,
    encode_server_message,
)
from ..wire.message_ids import new_message_id
from ..wire.packet_headers import application_headers, control_headers
from .step import Work

__all__ = [
    "answer_packet",
    "imdn_packet",
    "letter_packet",
    "pull_packet",
    "to_focus",
    "to_peer",
]

_LETTER_DISPOSITIONS = ("positive-delivery", "negative-delivery", "display")
_CONTROL_DISPOSITIONS = ("negative-delivery",)
"""Without it the other side has no licence to say that it failed (rcc16.md 3.1)."""
_IMDN = "message/imdn+xml"


def to_focus(work: Work, message: ClientMessage, era: int, authenticator: bytes) -> Packet:
    """A request to the focus. `authenticator`: of the epoch before the commit."""
    body = encode_client_message(message, work.core.settings.choices.control_numbers)
    return _control(work, MessageId(message.message_id), CLIENT_CONTROL, body, control_headers(era, authenticator))


def to_peer(
    work: Work, message_id: MessageId, message: ServerMessage, headers: tuple[PacketHeader, ...], *, large: bool = True
) -> Packet:
    """What a focus would have handed on, to the peer of a chat of two."""
    body = encode_server_message(message, work.core.settings.choices.control_numbers)
    return _control(work, message_id, SERVER_CONTROL, body, headers, large=large)


def pull_packet(work: Work, identifier: EpochIdentifier | None) -> Packet:
    """Ask whoever orders for what we missed since `identifier` (rcc16.md 2.6); None: we hold nothing."""
    body = b"" if identifier is None else encode_epoch_identifier(identifier)
    headers = () if identifier is None else control_headers(identifier.era, identifier.authenticator)
    return _control(work, new_message_id(work.rng), GROUP_INFO, body, headers, large=False, until=UntilWhen.ONCE)


def answer_packet(work: Work, info: EnhancedGroupInfo) -> Packet:
    """The answer to the peer's pull."""
    body = encode_enhanced_group_info(info, work.core.settings.choices.control_numbers)
    headers = control_headers(info.latest.era, info.latest.authenticator)
    return _control(work, new_message_id(work.rng), GROUP_INFO, body, headers, until=UntilWhen.ONCE)


def letter_packet(
    work: Work, message_id: MessageId, body: bytes, era: int, authenticator: bytes, original: MessageId | None
) -> Packet:
    """An encrypted letter; the same bytes are sent until every member has answered."""
    return Packet(
        work.conversation,
        None,
        message_id,
        APPLICATION,
        application_headers(era, authenticator, original=original),
        body,
        _LETTER_DISPOSITIONS,
        until=UntilWhen.RECEIPTS,
    )


def imdn_packet(
    work: Work, to: Number | None, receipt_id: MessageId, body: bytes, headers: tuple[PacketHeader, ...]
) -> Packet:
    """A receipt. In a chat of two everything goes to the peer anyway."""
    return Packet(work.conversation, None if work.is_pair else to, receipt_id, _IMDN, headers, body)


def _control(
    work: Work,
    message_id: MessageId,
    content_type: str,
    body: bytes,
    headers: tuple[PacketHeader, ...],
    *,
    large: bool = True,
    until: UntilWhen = UntilWhen.NETWORK,
) -> Packet:
    in_session = large and work.core.settings.choices.control_in_session
    return Packet(
        work.conversation, None, message_id, content_type, headers, body, _CONTROL_DISPOSITIONS, in_session, until
    )
