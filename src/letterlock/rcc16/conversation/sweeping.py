"""Letting go of what is past its time: ciphertexts, letters that no repeat will come of (SR-08)."""

from __future__ import annotations

from dataclasses import replace

from ...ids import Instant
from ...seam import Staged
from .chat import Chat
from .records import CHATS, PARKED, PEOPLE, RECEIVED, SENT, SWEPT, chat_key, chat_text
from .settings import Settings
from .strangers import is_stranger

__all__ = ["sweep"]


def sweep(state: Staged, settings: Settings, now: Instant) -> None:
    """Everything of all conversations that is due to go. Once in a while, because it looks at every letter."""
    last = state.get(SWEPT)
    if last is not None and 0 <= now - last < settings.sweep_ms:
        return
    state.put(SWEPT, now)
    kept = settings.received_kept_ms
    for key in list(state.scan(SENT)):
        sent = state.get(key)
        if sent is not None and now - sent.at > kept:
            state.delete(key)
        elif sent is not None and sent.packet is not None and now - sent.at > settings.budgets.ciphertext_kept_ms:
            state.put(key, replace(sent, packet=None))
    for seen in list(state.scan(RECEIVED)):
        received = state.get(seen)
        if received is not None and now - received.at > kept:
            state.delete(seen)
    for waiting in list(state.scan(PARKED)):
        parked = state.get(waiting)
        if parked is not None and now - parked.at > kept:
            state.delete(waiting)
    for name in list(state.scan(CHATS)):
        chat = state.get(name)
        if chat is not None and is_stranger(chat) and (chat.heal is None or now - chat.heal.since > kept):
            _forget(state, chat)


def _forget(state: Staged, chat: Chat) -> None:
    text = chat_text(chat.conversation)
    for waiting in list(state.scan(PARKED, f"{text}/")):
        state.delete(waiting)
    state.delete(PEOPLE.key(text))
    state.delete(chat_key(chat.conversation))
