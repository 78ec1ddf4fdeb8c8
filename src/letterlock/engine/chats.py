"""Loading and saving a chat. Saving notices a change of its security state: tells it, and opens a new transition."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from ..errors import InputError
from ..ids import Number, conversation_of
from . import policy
from .core import Core
from .events import SecurityChanged
from .record_values import Chat, Contact
from .records import chat_key, contact_key
from .security import Security
from .step import Turn

__all__ = ["contact_of", "conversation", "load", "load_peer", "own_list", "save"]

_KINDS = {
    Security.ENCRYPTED: "encrypted",
    Security.VERIFIED: "encrypted",
    Security.KEYS_NEW: "encrypted",
    Security.NO_LONGER_VERIFIED: "encrypted",
    Security.CHECKING: "checking",
}

conversation = lru_cache(maxsize=4_096)(conversation_of)
"""The same as ids.conversation_of, remembered: every message asks for it."""


def load(turn: Turn, number: Number) -> Chat:
    """The chat, a fresh one if it is new."""
    return turn.staged.get(chat_key(number)) or Chat(number)


def load_peer(core: Core, turn: Turn, number: Number) -> Chat:
    """The same for a number that the caller names. Raises InputError for our own."""
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
    """Store the chat; tell its security state if that changed."""
    state = policy.state_of(core, chat, contact_of(turn, chat.number), turn.now)
    if chat.shown != state.value:
        chat = _changed(turn, chat, state)
    turn.staged.put(chat_key(chat.number), chat)
    return chat


def _changed(turn: Turn, chat: Chat, state: Security) -> Chat:
    before = _KINDS.get(Security(chat.shown), "plain") if chat.shown else ""
    after = _KINDS.get(state, "plain")
    # PLAIN_RCS is the user's choice taking effect inside its transition, not a new one.
    if after != before and state is not Security.PLAIN_RCS:
        nonce = b"" if after == "encrypted" else turn.rng(16)
        # A new transition: what the user decided in the one before no longer counts (SR-01).
        chat = replace(chat, transition=chat.transition + 1, nonce=nonce, plain=-1)
    # Keys were found: from now on this chat never becomes plain by itself (SR-01).
    chat = replace(chat, shown=state.value, sticky=chat.sticky or after == "encrypted")
    turn.tell(SecurityChanged(chat.number, state.value))
    return chat
