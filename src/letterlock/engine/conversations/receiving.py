"""Packets in: whatever a protocol may know is handed to it; what comes back is taken over."""

from __future__ import annotations

import dataclasses

from ...carriage import Inbound
from ...codec import imdn
from ...codec.cpim import IMDN
from ...conversation_seam import Conversation, ConversationProtocol, Packet, PacketHeader
from ...errors import DecodeError
from ...ids import ChatName, MessageId, Number
from .. import chats, shelf
from ..content import read_receipt
from ..core import Core
from ..record_values import Status
from ..records import INBOX, chat_key, message_key
from ..step import Turn
from . import progress, sending
from .values import chat_of, conversation_of_chat

__all__ = ["displayed", "received"]

_MLS = "http://www.gsma.com/rcs/mls"
_DISPOSITION = "disposition-notification"


def received(core: Core, turn: Turn, inbound: Inbound, media_type: str) -> bool:
    """Hand it to the protocol that it is for. False when it is for none: then it is what it always was."""
    protocol = _for(core, inbound, media_type)
    if protocol is None:
        return False
    if inbound.group is None and inbound.number in (None, core.me.number):
        return True  # nobody is asserted, and there is no conversation that it could belong to
    conversation = Conversation(peer=inbound.number) if inbound.group is None else Conversation(group=inbound.group)
    packet = Packet(
        conversation,
        None,
        inbound.message_id,
        inbound.content_type,
        tuple(
            PacketHeader(header.namespace, header.local, header.value)
            for header in inbound.headers
            if header.namespace and "." in header.name
        ),
        inbound.body,
        _asked(inbound),
    )
    step = protocol.receive(turn.staged, packet, inbound.number, turn.now, turn.rng)
    if progress.take(core, turn, protocol, step, allow=lambda packet: _may_be_said(core, turn, packet)):
        sending.flush_all(core, turn)
    # A bare failure may be about a message that the user sent unencrypted.
    return media_type in protocol.media_types or _is_signed(inbound)


def displayed(core: Core, turn: Turn, name: ChatName, message_id: MessageId) -> bool:
    """The user has seen a letter: its signed receipt, once. False when no letter of this id has come here."""
    found = False
    for key in list(turn.staged.scan(INBOX, f"{name}/{message_id}/")):
        entry = turn.staged.get(key)
        if entry is None or not entry.letter:
            continue
        found = True
        message = turn.staged.get(message_key(name, entry.order)) if entry.order else None
        if entry.displayed or message is None or message.mine:
            continue
        turn.staged.put(key, dataclasses.replace(entry, displayed=True))
        shelf.put(turn, name, dataclasses.replace(message, status=Status.SEEN))
        chat = chats.load(turn, name)
        if not core.privacy.display_receipts or not (chat.accepted or core.privacy.receipts_to_strangers):
            continue
        for protocol in core.keeping.values():
            if chat.protocol in ("", protocol.name):
                step = protocol.displayed(
                    turn.staged, conversation_of_chat(name), message_id, Number(message.sender), turn.now, turn.rng
                )
                progress.take(core, turn, protocol, step)
    return found


def _for(core: Core, inbound: Inbound, media_type: str) -> ConversationProtocol | None:
    """By its type; a receipt by its headers, whose namespace is found by URI (rcc16.md 3.1)."""
    for protocol in core.keeping.values():
        if media_type in protocol.media_types:
            return protocol
    if media_type != imdn.MEDIA_TYPE:
        return None
    # A negative receipt for what we sent encrypted may come without any: peers do so (rcc16.md 4.4).
    return next(iter(core.keeping.values()), None) if _is_signed(inbound) or _is_failure(inbound) else None


def _is_signed(inbound: Inbound) -> bool:
    return any(header.namespace == _MLS for header in inbound.headers)


def _is_failure(inbound: Inbound) -> bool:
    try:
        receipt = read_receipt(inbound.body)
    except DecodeError:
        return False
    return receipt is not None and receipt.failed


def _asked(inbound: Inbound) -> tuple[str, ...]:
    return tuple(
        item.partition(";")[0].strip().lower()
        for header in inbound.headers
        if header.namespace == IMDN and header.local.lower() == _DISPOSITION
        for item in header.value.split(",")
    )


def _may_be_said(core: Core, turn: Turn, packet: Packet) -> bool:
    """Whether the user lets others know that something arrived (SR-18). That it could not be read is said always: nothing
    is repaired without."""
    if packet.content_type.partition(";")[0].strip().lower() != imdn.MEDIA_TYPE:
        return True
    try:
        receipt = read_receipt(packet.body)
    except DecodeError:
        return True
    if receipt is None or receipt.failed:
        return True
    name = chat_of(packet.conversation)
    chat = turn.staged.get(chat_key(name)) if name is not None else None
    known = chat is not None and chat.accepted
    return core.privacy.delivery_receipts and (known or core.privacy.receipts_to_strangers)
