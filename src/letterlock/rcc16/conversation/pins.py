"""Participant keys: seen, accepted, compared (rcc16.md 1.1 and 9).

The first key of a number is taken and shown; another one is shown and, where the first had been compared by people,
stops everything that would be sent to it until they decide. A key is noticed in the step that first meets it, so the
notice is committed before anything goes to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ...conversation_seam import KeysSeen, KeyState
from ...errors import TrustRequired
from ...ids import Number
from ...seam import Staged, State, Writes
from ..credentials.leaf import participant_key
from .chat import Device
from .records import PINS, VERIFIED, Pin
from .step import Work

__all__ = ["broken", "key_state", "pin_of", "see_keys", "trusted"]


def pin_of(state: State, number: Number) -> Pin | None:
    return state.get(PINS.key(number))


def see_keys(work: Work, devices: Iterable[Device]) -> None:
    """Notice every participant key that is not the pinned one of its number."""
    own = b"" if work.client is None else participant_key(work.client.credential)
    for number, spki in dict.fromkeys((one.number, one.spki) for one in devices):
        pin = pin_of(work.state, number)
        if number == work.core.number:
            # Somebody else stands in a group under our number: nobody is in a better place to notice.
            if own and spki not in (own, pin.seen if pin is not None else b""):
                work.state.put(PINS.key(number), Pin(spki=own, seen=spki))
                work.notices.append(KeysSeen(number, spki, own))
            continue
        if pin is None:
            work.state.put(PINS.key(number), Pin(spki=spki))
            work.notices.append(KeysSeen(number, spki, b""))
        elif spki not in (pin.spki, pin.seen):
            work.state.put(PINS.key(number), replace(pin, seen=spki))
            work.notices.append(KeysSeen(number, spki, pin.spki))


def key_state(state: State, number: Number, spki: bytes) -> KeyState:
    """What we think of a key that somebody shows for a number."""
    pin = pin_of(state, number)
    if pin is None:
        return KeyState.NEW
    if spki == pin.spki:
        return KeyState.VERIFIED if pin.verified else KeyState.PINNED
    return KeyState.BROKEN if pin.verified else KeyState.NEW


def broken(work: Work, devices: Iterable[Device]) -> bool:
    """Whether somebody whose key was verified shows another one: nothing is sent then."""
    compared = work.state.get(VERIFIED) or ()
    return bool(compared) and any(
        key_state(work.state, one.number, one.spki) is KeyState.BROKEN
        for one in devices
        if one.number in compared and one.number != work.core.number
    )


def trusted(state: State, number: Number, spki: bytes, verified: bool) -> Writes:
    """The user's word. Raises TrustRequired for a key that nobody has shown: then it was compared with another one."""
    staged = Staged(state)
    pin = pin_of(staged, number)
    if pin is None or spki not in (pin.spki, pin.seen):
        raise TrustRequired(
            f"{number} has another key than this one", hint="look at the key that is shown now, and compare again"
        )
    # A comparison is kept when the same key is merely accepted again.
    kept = Pin(spki=spki, verified=verified or (pin.verified and spki == pin.spki))
    staged.put(PINS.key(number), kept)
    others = {each for each in staged.get(VERIFIED) or () if each != number}
    staged.put(VERIFIED, tuple(sorted({*others, number} if kept.verified else others)))
    return staged.writes
