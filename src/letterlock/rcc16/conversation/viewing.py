"""A conversation as people see it, from its record alone: no group is loaded for a look."""

from __future__ import annotations

from ...conversation_seam import ConversationView, KeyState, MemberView
from ...ids import Number
from ...seam import State
from .members import numbers_of
from .pins import key_state
from .records import Chat

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
        members=tuple(_member(state, chat, number, own) for number in numbers_of(chat.members)),
        subject="" if chat.subject is None else chat.subject.text,
    )


def _member(state: State, chat: Chat, number: Number, own: Number) -> MemberView:
    """Of several participant keys under one number the one that we think worst of."""
    devices = [one for one in chat.members if one.number == number]
    states = {one.spki: KeyState.VERIFIED if number == own else key_state(state, number, one.spki) for one in devices}
    worst = min(states, key=lambda spki: _WORST.index(states[spki]))
    return MemberView(number, worst, states[worst], len(devices), min(one.since_epoch for one in devices))
