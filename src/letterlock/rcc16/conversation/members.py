"""Who is in a group, by what its leaves are certified for, and what is different after a change (SR-04).

A member is a number; its devices are leaves. What people are shown is always the difference of two rosters and never
what somebody said about it, so that a member or a device that nobody announced is seen all the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from ...conversation_seam import RosterChanged
from ...ids import Number
from ...mls.wire.leaf_node import LeafNode
from ..credentials.leaf import certified_number, participant_key
from .chat import Device
from .pins import see_keys
from .step import Work

__all__ = ["device_id", "devices_of", "leaves_of", "numbers_of", "others_of", "show_difference"]


def device_id(signature_key: bytes) -> bytes:
    """What tells the devices of a member apart."""
    return hashlib.sha256(signature_key).digest()[:16]


def devices_of(leaves: Iterable[tuple[int, LeafNode]], before: Sequence[Device], epoch: int) -> tuple[Device, ...]:
    """The leaves of a group as they are kept. Raises InvalidRcc16 for one that is certified for nobody."""
    since = {(one.number, one.device): one.since_epoch for one in before}
    found = []
    for _, leaf in leaves:
        number, device = certified_number(leaf.credential), device_id(leaf.signature_key)
        found.append(Device(number, device, participant_key(leaf.credential), since.get((number, device), epoch)))
    return tuple(found)


def leaves_of(leaves: Iterable[tuple[int, LeafNode]], number: Number) -> list[int]:
    """All leaves that are certified for a number."""
    return [index for index, leaf in leaves if certified_number(leaf.credential) == number]


def numbers_of(devices: Iterable[Device]) -> tuple[Number, ...]:
    """The members, each once, in order."""
    return tuple(sorted({one.number for one in devices}))


def others_of(work: Work) -> tuple[Number, ...]:
    """The members but ourselves."""
    return tuple(number for number in numbers_of(work.chat.members) if number != work.core.number)


def show_difference(work: Work, after: tuple[Device, ...], by: Number, era: int, epoch: int) -> None:
    """The group in force has these leaves now: tell who came and who went, and which keys are new."""
    before = work.chat.members
    had, has = {(one.number, one.device) for one in before}, {(one.number, one.device) for one in after}
    ours = work.core.number
    added = sorted({number for number, _ in has - had if number != ours or any(n == ours for n, _ in had)})
    removed = sorted({number for number, _ in had - has} - {number for number, _ in has})
    see_keys(work, after)
    work.update(members=after)
    if added or removed:
        work.notices.append(
            RosterChanged(work.conversation, by, tuple(map(Number, added)), tuple(map(Number, removed)), era, epoch)
        )
