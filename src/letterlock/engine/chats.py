"""Loading and saving a chat. Saving notices a change of its security state: tells it, and opens a new transition."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from ..errors import InputError
from ..ids import ChatName, ConversationId, Number, Peer, conversation_of, group_of
from . import policy
from .core import Core
from .events import SecurityChanged
from .record_values import Chat, Contact
from .records import chat_key, contact_key
from .security import Security
from .step import Turn

__all__ = ["contact_of", "conversation", "exists", "load", "load_peer", "own_list", "save"]

_KINDS = {
    Security.ENCRYPTED: "encrypted",
    Security.VERIFIED: "encrypted",
    Security.KEYS_NEW: "encrypted",
    Security.NO_LONGER_VERIFIED: "encrypted",
    Security.CHECKING: "checking",
}


@lru_cache(maxsize=4_096)
def conversation(me: Number, chat: ChatName) -> ConversationId:
    """What our messages in this chat are bound to (SR-03). Remembered: every message asks for it."""
    group = group_of(chat)
    return conversation_of(me, Number(chat)) if group is None else ConversationId(group)


def load(turn: Turn, chat: ChatName) -> Chat:
    """The chat, a fresh one if it is new."""
    return turn.staged.get(chat_key(chat)) or Chat(chat)


def exists(turn: Turn, chat: ChatName) -> bool:
    """Whether there is this chat."""
    return turn.staged.get(chat_key(chat)) is not None


def load_peer(core: Core, turn: Turn, number: Peer) -> Chat:
    """The same for a number or chatbot that the caller names. Raises InputError for our own."""
    if number == core.me.number:
        raise InputError("this is your own number", code="input.own_number")
    return load(turn, number)


def contact_of(turn: Turn, number: Number) -> Contact | None:
    """The pinned keys of a number."""
    return turn.staged.get(contact_key(number))


def own_list(core: Core, turn: Turn) -> Contact:
    """Our own device list. Raises InputError before `adopt_list`."""
    own = contact_of(turn, core.me.number)
    if own is None:
        raise InputError("this profile has no device list yet", code="input.no_list", hint="finish the set-up first")
    return own


def save(core: Core, turn: Turn, chat: Chat) -> Chat:
    """Store the chat; tell its security state if that changed. That of a group with a signed log changes with its
    members alone, and what changes them tells it (groups/security.py)."""
    group = group_of(chat.number) is not None
    if group and not chat.protocol:
        turn.staged.put(chat_key(chat.number), chat)
        return chat
    contact = None if group else contact_of(turn, Number(chat.number))
    state = policy.state_of(core, chat, contact, turn.now)
    if chat.shown != state.value:
        chat = _changed(turn, chat, state)
    elif state.plain and not chat.nonce:
        # Chosen under a former version, which knew of one way alone: the other one can be chosen, too.
        chat = replace(chat, nonce=turn.rng(16))
    turn.staged.put(chat_key(chat.number), chat)
    return chat


def _changed(turn: Turn, chat: Chat, state: Security) -> Chat:
    before = _KINDS.get(Security(chat.shown), "plain") if chat.shown else ""
    after = _KINDS.get(state, "plain")
    # The user's choice takes effect inside its transition, and is not a new one.
    if after != before and not state.plain:
        nonce = b"" if after == "encrypted" else turn.rng(16)
        # A new transition: what the user decided in the one before no longer counts (SR-01).
        chat = replace(chat, transition=chat.transition + 1, nonce=nonce, plain=-1, kept=-1)
    # Keys were found: from now on this chat never becomes plain by itself (SR-01).
    chat = replace(chat, shown=state.value, sticky=chat.sticky or after == "encrypted")
    turn.tell(SecurityChanged(chat.number, state.value))
    return chat
