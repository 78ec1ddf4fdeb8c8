"""Other devices of our own number that are to be taken out: lost, sold, or removed from the account's list (SR-22).

A wish is kept until a commit of ours, or of anybody, has taken the leaf out; until then no letter leaves here.
"""

from __future__ import annotations

from typing import Final

from ...errors import InputError
from ...mls.wire.proposals import Remove
from ...seam import RecordKind
from ..credentials.leaf import certified_number
from ..forms import BYTES, kind_of, many
from .chat import Kind
from .committing import commit
from .members import device_id
from .operations import begin
from .records import chat_text
from .step import Work

__all__ = ["take_out", "unwant", "unwanted"]

UNWANTED: Final[RecordKind[tuple[bytes, ...]]] = kind_of("rcc16-unwanted", many(BYTES))
"""Device ids, by chat."""


def unwant(work: Work, device: bytes) -> None:
    """Take the wish down. Raises InputError for the device that we are."""
    if work.client is not None and device == device_id(work.client.signature_key):
        raise InputError("this is the device itself", code="rcc16.input.device")
    if device in {one.device for one in work.chat.members if one.number == work.core.number}:
        key = UNWANTED.key(chat_text(work.conversation))
        work.state.put(key, tuple(sorted({*(work.state.get(key) or ()), device})))


def unwanted(work: Work) -> tuple[bytes, ...]:
    """Devices that are to be taken out and are still there."""
    wished = work.state.get(UNWANTED.key(chat_text(work.conversation))) or ()
    there = {one.device for one in work.chat.members} if wished else set()
    return tuple(device for device in wished if device in there)


def take_out(work: Work) -> None:
    """A commit without them."""
    group, wished = work.group(), unwanted(work)
    if group is None:
        return
    leaves = [
        index
        for index, leaf in group.members()
        if device_id(leaf.signature_key) in wished and certified_number(leaf.credential) == work.core.number
    ]
    if leaves:
        begin(work, Kind.REMOVE)
        commit(work, [Remove(index) for index in leaves])
