"""Frames that wait for a device list: bounded in number and time, and whoever is dropped is sent again by its sender."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from ..carriage import Inbound
from . import chats, fetching, trouble
from .contacts import Unknown
from .core import Core
from .record_values import Parked
from .records import PARKED, parked_key
from .step import Turn

__all__ = ["drop", "park"]


def park(core: Core, turn: Turn, inbound: Inbound, digest: bytes, unknown: Unknown) -> None:
    """Keep a frame until the directory has answered; bounded, and whoever is dropped is sent again by its sender."""
    number = unknown.number
    contact = chats.contact_of(turn, number)
    parked = list(turn.staged.scan(PARKED, f"{number}/"))
    key = parked_key(number, digest)
    if key not in parked:
        if len(parked) >= core.limits.parked_per_peer:
            return
        # Numbers cost a hostile carrier nothing: all that we do not know share one bound (SR-08).
        if contact is None and len(list(turn.staged.scan(PARKED))) >= core.limits.parked_strangers:
            return
        # What a frame says stands inside it; its CPIM headers are not asked.
        turn.staged.put(key, Parked(replace(inbound, headers=()), turn.now))
        turn.wake(turn.now + core.limits.parked_ms)
    # Forged frames must not make us ask the directory without end.
    not_before = contact.fetched_at + core.limits.fetch_first_ms if contact is not None else 0
    fetching.lists(core, turn, number, unknown.since_serial, not_before)


def drop(core: Core, turn: Turn) -> None:
    """Give up what has waited too long for a list; its sender sends it again."""
    for key in list(turn.staged.scan(PARKED)):
        parked = turn.staged.get(key)
        if parked is None:
            continue
        until = parked.at + core.limits.parked_ms
        if until > turn.now:
            turn.wake(until)
            continue
        turn.staged.delete(key)
        inbound = parked.inbound
        digest = hashlib.sha256(inbound.body).digest()[:16]
        trouble.unreadable(core, turn, inbound.number, inbound.message_id, 0, "device_list", digest=digest)
