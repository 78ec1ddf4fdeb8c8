"""In a chat of two: what a focus would say of the peer's commits, and here we say (rcc16.md 2.2, our choice)."""

from __future__ import annotations

from typing import Final

from ...codec.dates import rfc3339_seconds
from ...conversation_seam import Packet
from ..wire.control import Accepted, EpochIdentifier
from ..wire.message_ids import new_message_id
from ..wire.packet_headers import control_headers
from ..wire.reasons import ServerReason, encode_negative_receipt
from .posting import imdn_packet, to_peer
from .step import Work

__all__ = ["accept", "refuse", "said_before"]

_REMEMBERED: Final = 8
"""Commits of the peer whose acceptance can be said again."""


def accept(work: Work, packet: Packet) -> None:
    """The peer waits for the word that its commit, or its group, counts."""
    if not work.is_pair or work.chat.group is None:
        return
    chat = work.chat
    assert chat.group is not None
    entry = (str(packet.message_id), chat.group.era, chat.epoch, chat.authenticator)
    work.update(accepted=(*chat.accepted, entry)[-_REMEMBERED:])
    _say(work, entry)


def said_before(work: Work, packet: Packet) -> bool:
    """The peer has not heard that we accepted: say it again."""
    for entry in work.chat.accepted:
        if entry[0] == packet.message_id:
            _say(work, entry)
            return True
    return False


def refuse(work: Work, packet: Packet, reason: ServerReason) -> None:
    """In the focus's stead; in a group that is the focus's own business."""
    if work.is_pair:
        body = encode_negative_receipt(packet.message_id, rfc3339_seconds(work.now), reason)
        work.packets.append(imdn_packet(work, None, new_message_id(work.rng), body, ()))


def _say(work: Work, entry: tuple[str, int, int, bytes]) -> None:
    message_id, era, epoch, authenticator = entry
    word = Accepted(message_id, EpochIdentifier(era, epoch, authenticator))
    headers = control_headers(era, authenticator)
    work.packets.append(to_peer(work, new_message_id(work.rng), word, headers, large=False))
