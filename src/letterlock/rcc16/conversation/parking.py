"""Packets that cannot be read yet, kept with their headers until they can (rcc16.md 5.5, RCC.16 10.8).

Three gates: the health of the conversation holds everything back; the packet is of a later era or epoch than ours; it
failed before and repair may change that. Exactly the bucket of the moment that we reach is taken out, in the order of
arrival. What an era left behind is reported. Bounded by number and size, unlike the deployed client (SR-08): the newest is
refused, so that a flood drives out nothing that was there.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...conversation_seam import Packet
from ...ids import Number
from ..health.transitions import Moment
from .records import PARKED, Parked, chat_text
from .step import Work
from .strangers import is_stranger, may_begin

__all__ = ["park", "release_due", "release_failed", "waiting"]


def park(work: Work, packet: Packet, sender: Number | None, at: Moment, *, failed: bool = False) -> bool:
    """Keep a packet for later. False if there is no room; one that is there already is kept once."""
    settings, stranger = work.core.settings, is_stranger(work.chat)
    if stranger and not may_begin(work):
        return False
    found, size = 0, len(packet.body)
    for _, parked in waiting(work):
        if (parked.packet.message_id, parked.packet.body) == (packet.message_id, packet.body):
            return True
        found, size = found + 1, size + len(parked.packet.body)
    if found >= (settings.max_parked_unknown if stranger else settings.max_parked) or size > settings.max_parked_bytes:
        return False
    number = work.chat.parked
    work.update(parked=number + 1)
    work.state.put(
        PARKED.key(chat_text(work.conversation), f"{number:012d}"),
        Parked(packet=packet, sender=sender, at=work.now, era=at.era, epoch=at.epoch, failed=failed),
    )
    return True


def waiting(work: Work) -> Iterator[tuple[str, Parked]]:
    """What waits, with the last part of its key, in order of arrival."""
    for key in list(work.state.scan(PARKED, f"{chat_text(work.conversation)}/")):
        parked = work.state.get(key)
        if parked is not None:
            yield key.name.rpartition("/")[2], parked


def release_due(work: Work) -> None:
    """We have reached a moment: what is of it, or of one before it, is taken in now."""
    moment = work.chat.moment
    for name, parked in waiting(work):
        if Moment(parked.era, parked.epoch) <= moment:
            work.state.delete(PARKED.key(chat_text(work.conversation), name))
            work.unread.append((parked.packet, parked.sender))
            if parked.era < moment.era:
                work.retried.add(parked.packet.message_id)  # left behind by the era: nothing to look for


def release_failed(work: Work) -> list[Parked]:
    """Repair has ended: what failed before it is taken out, to be tried once more."""
    found = []
    for name, parked in waiting(work):
        if parked.failed:
            work.state.delete(PARKED.key(chat_text(work.conversation), name))
            found.append(parked)
    return found
