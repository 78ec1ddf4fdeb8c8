"""A conversation as people see it, from its record alone: no group is loaded for a look."""

from __future__ import annotations

from collections.abc import Sequence

from ...conversation_seam import ConversationView, KeyState, MemberView
from ...ids import Number
from ...seam import State
from .chat import Chat, Device
from .pins import key_state
from .withdrawn import withdrawn_in

__all__ = ["view_of"]

_WORST = (KeyState.BROKEN, KeyState.NEW, KeyState.PINNED, KeyState.VERIFIED)


def view_of(state: State, chat: Chat, own: Number) -> ConversationView:
    """See ConversationView."""
    return ConversationView(
        conversation=chat.conversation,
        encrypted=chat.group is not None and not chat.ended and not chat.left,
        ended=bool(chat.ended),
        left=chat.left,
        era=chat.moment.era,
        epoch=chat.epoch,
        health=chat.health.state.label,
        members=_members(state, chat, own),
        subject="" if chat.subject is None else chat.subject.text,
        stuck=bool(chat.stalled or withdrawn_in(state, chat.conversation)),
    )


def _members(state: State, chat: Chat, own: Number) -> tuple[MemberView, ...]:
    devices: dict[Number, list[Device]] = {}
    for one in chat.members:
        devices.setdefault(one.number, []).append(one)
    return tuple(_member(state, number, devices[number], own) for number in sorted(devices))


def _member(state: State, number: Number, devices: Sequence[Device], own: Number) -> MemberView:
    """Of several participant keys under one number the one that we think worst of."""
    states = {one.spki: KeyState.VERIFIED if number == own else key_state(state, number, one.spki) for one in devices}
    worst = min(states, key=lambda spki: _WORST.index(states[spki]))
    return MemberView(number, worst, states[worst], len(devices), min(one.since_epoch for one in devices))
