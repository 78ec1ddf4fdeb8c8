"""Which protocol a chat goes by, and the event when that changes: never silently, and both histories stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...conversation_seam import ConversationProtocol
from ...errors import InputError
from ...ids import ChatName, Number, group_of
from .. import chats, policy
from ..core import Core
from ..events import ProtocolSwitched
from ..record_values import Chat, Standing
from ..records import chat_key
from ..step import Turn
from . import members
from .values import conversation_of_chat

__all__ = ["begin", "end", "for_group", "of"]


def of(core: Core, turn: Turn, name: ChatName) -> ConversationProtocol | None:
    """The protocol that keeps the members of this chat; None for one that goes by sessions or a signed log."""
    if not core.keeping:
        return None
    chat = turn.staged.get(chat_key(name)) or Chat(name)
    if group_of(name) is not None:
        return core.keeping.get(chat.protocol)
    return policy.keeping(core, chat, chats.contact_of(turn, Number(name)), turn.now)


def for_group(core: Core, turn: Turn, numbers: Sequence[Number], wanted: str) -> ConversationProtocol | None:
    """The protocol for a new group with these; None for sessions and a signed log. Raises InputError for one that this
    profile does not speak."""
    if wanted:
        if wanted not in core.keeping and wanted not in core.protocols:
            raise InputError(f"this profile does not speak {wanted!r}", code="input.protocol")
        return core.keeping.get(wanted)
    for number in numbers:
        if number == core.me.number:
            continue
        chat, contact = turn.staged.get(chat_key(number)) or Chat(number), chats.contact_of(turn, number)
        keeping = policy.keeping(core, chat, contact, turn.now)
        if keeping is not None:
            return keeping
    return None


def begin(core: Core, turn: Turn, chat: Chat, protocol: ConversationProtocol) -> Chat:
    """From here on the chat goes by this protocol. Gives the chat, to be saved."""
    if chat.protocol == protocol.name:
        return chat
    before = chat.protocol or (next(iter(core.protocols), "") if chat.sticky else "")
    if before:
        turn.tell(ProtocolSwitched(chat.number, before, protocol.name))
    chat = replace(chat, protocol=protocol.name, standing=Standing.NONE)
    view = protocol.view(turn.staged, conversation_of_chat(chat.number))
    if view is None:
        return chat
    members.learn(core, turn, protocol, chat.number)
    if view.ended:
        return replace(chat, standing=Standing.ENDED)
    if view.left:
        return replace(chat, standing=Standing.LEFT)
    standing = members.standing(turn, chat.number) if view.encrypted else Standing.SETTING_UP
    return replace(chat, standing=standing)


def end(core: Core, turn: Turn, chat: Chat, after: str) -> Chat:
    """The chat goes by sessions again: every device of the contact offers them."""
    if not chat.protocol:
        return chat
    turn.tell(ProtocolSwitched(chat.number, chat.protocol, after))
    return replace(chat, protocol="", standing=Standing.NONE)
