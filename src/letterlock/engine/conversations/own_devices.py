"""Our own other devices in the conversations of a protocol that keeps the members itself: brought in, taken out (SR-22)."""

from __future__ import annotations

from collections.abc import Sequence

from ...conversation_seam import AddMembers, Change, ConversationProtocol, RemoveDevice
from ...errors import InputError
from ...ids import ChatName, group_of
from ...seam import State
from ..core import Core
from ..record_values import Standing
from ..records import CHAT, chat_key
from ..step import Turn
from . import progress, sending
from .values import conversation_of_chat

__all__ = ["add", "lacking", "remove"]

_THERE = frozenset((Standing.ENCRYPTED, Standing.VERIFIED, Standing.KEYS_NEW, Standing.BROKEN, Standing.STALLED))


def lacking(core: Core, state: State, protocol: ConversationProtocol, wanted: int) -> Sequence[ChatName]:
    """Groups with fewer devices of ours than `wanted`. A chat of two takes those that there are when it is made."""
    return [
        name
        for name in _conversations(state, protocol)
        if group_of(name) is not None and 0 < _devices(core, state, protocol, name) < wanted
    ]


def add(core: Core, turn: Turn, protocol: ConversationProtocol, wanted: int) -> None:
    """Ask for our own key packages, and add the devices that are not there. As long as that has worked nowhere, in one group
    alone: who asks a key distribution server again and again is not answered any more."""
    names = lacking(core, turn.staged, protocol, wanted)
    works = any(
        group_of(name) is not None and _devices(core, turn.staged, protocol, name) >= wanted
        for name in _conversations(turn.staged, protocol)
    )
    for name in names if works else names[:1]:
        _change(core, turn, protocol, name, AddMembers((core.me.number,)))


def remove(core: Core, turn: Turn, protocol: ConversationProtocol, device: bytes) -> None:
    """Out of every conversation."""
    for name in _conversations(turn.staged, protocol):
        _change(core, turn, protocol, name, RemoveDevice(device))


def _change(core: Core, turn: Turn, protocol: ConversationProtocol, name: ChatName, wanted: Change) -> None:
    try:
        step = protocol.change(turn.staged, conversation_of_chat(name), wanted, turn.now, turn.rng)
    except InputError:
        return  # it is not encrypted now
    if progress.take(core, turn, protocol, step):
        sending.flush_all(core, turn)


def _conversations(state: State, protocol: ConversationProtocol) -> Sequence[ChatName]:
    chats = [state.get(key) for key in state.scan(CHAT)]
    return [chat.number for chat in chats if chat is not None and chat.protocol == protocol.name]


def _devices(core: Core, state: State, protocol: ConversationProtocol, name: ChatName) -> int:
    chat, view = state.get(chat_key(name)), protocol.view(state, conversation_of_chat(name))
    if chat is None or chat.standing not in _THERE or view is None or not view.encrypted:
        return 0
    return next((member.devices for member in view.members if member.number == core.me.number), 0)
